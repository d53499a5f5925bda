//! The texts of operations (`operations/*.toml`): what the routes tables cannot say.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// The texts of a surface.
#[derive(Debug, Deserialize)]
pub(crate) struct Texts {
    /// The title.
    pub(crate) title: String,
    /// What holds for all operations, as Markdown.
    pub(crate) description: String,
    /// The groups of operations, in order.
    pub(crate) tags: Vec<Tag>,
    /// The operations by `METHOD pattern`.
    #[serde(flatten)]
    pub(crate) operations: BTreeMap<String, Operation>,
}

/// A group of operations.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tag {
    /// The name.
    pub(crate) name: String,
    /// The description.
    pub(crate) description: String,
}

/// The texts of an operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    /// The operation's id, from which clients are generated.
    pub(crate) id: String,
    /// The group.
    pub(crate) tag: String,
    /// The title.
    pub(crate) summary: String,
    /// What it does, as Markdown.
    pub(crate) description: String,
    /// The headers that a request may have.
    #[serde(default)]
    pub(crate) request_headers: Vec<String>,
    /// The headers of a response that succeeds, besides the common ones.
    #[serde(default)]
    pub(crate) response_headers: Vec<String>,
    /// An example of the request's body, as JSON.
    request: Option<String>,
    /// An example of the response's body, as JSON.
    response: Option<String>,
    /// An example of a stream.
    pub(crate) events: Option<String>,
}

impl Texts {
    /// Parses the texts.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("the texts of operations are invalid")
    }
}

impl Operation {
    /// The example of the request's body.
    pub(crate) fn request(&self) -> Result<Option<Value>> {
        self.example(self.request.as_deref())
    }

    /// The example of the response's body.
    pub(crate) fn response(&self) -> Result<Option<Value>> {
        self.example(self.response.as_deref())
    }

    fn example(&self, text: Option<&str>) -> Result<Option<Value>> {
        let parsed = text.map(serde_json::from_str).transpose();
        parsed.with_context(|| format!("the example of {} is not JSON", self.id))
    }
}
