//! `misbehave`: a tool that fails on request. Not in a release.

use std::future::pending;

use clawless_core::Scope;
use clawless_core::time::Millis;
use garde::Validate;
use serde::Deserialize;

use super::tool::{Tool, ToolContext, ToolError};
use crate::platform::Platform;

/// The tool.
#[derive(Debug)]
pub(super) struct Misbehave;

/// The arguments of `misbehave`.
#[derive(Debug, Deserialize, Validate)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    /// The kind of failure.
    #[garde(skip)]
    how: Misbehaviour,
}

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Misbehaviour {
    Fail,
    Hang,
    Mebibyte,
}

impl Tool for Misbehave {
    const NAME: &'static str = "misbehave";
    const DESCRIPTION: &'static str = "Fails, hangs or returns too much.";
    const PERMISSION: Scope = Scope::Tools;
    const TIMEOUT: Millis = Millis::from_secs(1);
    type Arguments = Arguments;

    async fn run<P: Platform>(
        _: &ToolContext<'_, P>,
        arguments: Arguments,
    ) -> Result<String, ToolError> {
        match arguments.how {
            Misbehaviour::Fail => Err(ToolError::Failed("It failed, as requested.".to_owned())),
            Misbehaviour::Hang => pending().await,
            Misbehaviour::Mebibyte => Ok("x".repeat(1024 * 1024)),
        }
    }
}
