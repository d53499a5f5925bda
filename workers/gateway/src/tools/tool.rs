//! What a tool is.

use clawless_core::sending::SendOrigin;
use clawless_core::time::Millis;
use clawless_core::{KeyId, RequestId, Scope, SessionId, TenantId};
use clawless_store::SqlError;
use garde::Validate;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::platform::Platform;

/// A server tool.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Tool {
    /// The name by which a model calls it and a configuration switches it on.
    const NAME: &'static str;
    /// What it does and when to use it, for the model.
    const DESCRIPTION: &'static str;
    /// What the key must allow, beside [`Scope::Tools`].
    const PERMISSION: Scope;
    /// How long it may take.
    const TIMEOUT: Millis = Millis::from_secs(30);
    /// Its arguments. Refuse unknown ones: a model that misspells a name must be told.
    type Arguments: DeserializeOwned + Validate<Context = ()>;

    /// Does it. The result is what the model is told.
    async fn run<P: Platform>(
        context: &ToolContext<'_, P>,
        arguments: Self::Arguments,
    ) -> Result<String, Failure>;
}

/// For whom and where tools run.
#[derive(Debug)]
pub struct ToolContext<'a, P> {
    /// The ports.
    pub platform: &'a P,
    /// Whose turn it is; a tool sees nothing of anybody else.
    pub tenant: &'a TenantId,
    /// The key that asked for the turn.
    pub key: &'a KeyId,
    /// The session in which the turn runs, if any.
    pub session: Option<&'a SessionId>,
    /// The request that the turn answers.
    pub request: &'a RequestId,
    /// How the turn came about.
    pub origin: &'a SendOrigin,
}

/// A tool gave no result. The text is told to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It was not run.
    Refused(String),
    /// It failed.
    Failed(String),
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        tracing::warn!(internal = error.internal(), "storage failed a tool");
        Self::Failed("Storage did not answer. It may help to try again.".to_owned())
    }
}

/// A result as JSON text.
pub(super) fn json<T: Serialize>(result: &T) -> Result<String, Failure> {
    serde_json::to_string(result).map_err(|error| {
        tracing::error!(%error, "a tool's result is no JSON");
        Failure::Failed("The result could not be written.".to_owned())
    })
}

/// The tenant has no such session. Says the same of a session of somebody else.
pub(super) fn no_session(id: &str) -> Failure {
    let id = super::execute::bounded(id, SessionId::MAX_BYTES);
    Failure::Failed(format!("There is no session `{id}`."))
}
