//! Tools in namespaces. Chat completions have none, so that a model gets the tool `name` of the
//! namespace `space` as `space__name`, and its calls are split again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The tools in namespaces, by the name that the model sees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Namespaces(BTreeMap<String, Member>);

/// A tool of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Namespaces {
    /// Whether no tool has a namespace.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a tool, and returns the name that the model sees.
    pub(super) fn add(&mut self, namespace: &str, name: String) -> String {
        let seen = joined(namespace, &name);
        let namespace = namespace.to_owned();
        self.0.insert(seen.clone(), Member { namespace, name });
        seen
    }

    /// The tool that the model calls by this name, if it has a namespace.
    pub(super) fn find(&self, seen: &str) -> Option<&Member> {
        self.0.get(seen)
    }
}

/// The name that the model sees.
pub(super) fn joined(namespace: &str, name: &str) -> String {
    format!("{namespace}__{name}")
}
