//! The server tools.

use clawless_core::Scope;
use clawless_core::time::Millis;

use super::invoke::invoke;
#[cfg(any(test, feature = "test-faults"))]
use super::misbehave::Misbehave;
use super::sessions_history::SessionsHistory;
use super::sessions_list::SessionsList;
use super::sessions_send::SessionsSend;
use super::time_now::TimeNow;
use super::tool::{Tool, ToolContext, ToolError};
use crate::platform::Platform;

/// The registry's entry of a tool.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) schema: &'static str,
    pub(super) permission: Scope,
    pub(super) timeout: Millis,
}

/// Lists the tools by type, each with the name of its schema's file.
macro_rules! registry {
    ($($(#[cfg($($cfg:tt)*)])? $tool:ident: $schema:literal,)*) => {
        /// All tools.
        pub(super) const TOOLS: &[Entry] = &[$(
            $(#[cfg($($cfg)*)])?
            Entry {
                name: <$tool as Tool>::NAME,
                description: <$tool as Tool>::DESCRIPTION,
                schema: include_str!(concat!($schema, ".schema.json")),
                permission: <$tool as Tool>::PERMISSION,
                timeout: <$tool as Tool>::TIMEOUT,
            },
        )*];

        /// Runs the tool with this name.
        pub(super) async fn run<P: Platform>(
            context: &ToolContext<'_, P>,
            name: &str,
            arguments: &str,
        ) -> Result<String, ToolError> {
            $(
                $(#[cfg($($cfg)*)])?
                if name == <$tool as Tool>::NAME {
                    return invoke::<$tool, P>(context, arguments).await;
                }
            )*
            Err(ToolError::Refused(format!("There is no tool `{name}`.")))
        }

        /// The schema of every tool's arguments, derived from their types.
        #[cfg(test)]
        pub(super) fn derived_schemas() -> Vec<(&'static str, schemars::Schema)> {
            vec![$(
                ($schema, schemars::schema_for!(<$tool as Tool>::Arguments)),
            )*]
        }
    };
}

registry! {
    #[cfg(any(test, feature = "test-faults"))]
    Misbehave: "misbehave",
    SessionsHistory: "sessions_history",
    SessionsList: "sessions_list",
    SessionsSend: "sessions_send",
    TimeNow: "time_now",
}
