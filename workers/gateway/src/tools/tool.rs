//! The trait of a server tool, its context and its errors.

use std::rc::Rc;

use clawless_core::sending::SendOrigin;
use clawless_core::time::Millis;
use clawless_core::{Clock, KeyId, RequestId, Scope, SessionId, TenantId};
use clawless_edge::http::{Permit, PermitPart};
use clawless_store::SqlError;
use garde::Validate;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::text::truncated;
use crate::platform::Platform;

/// A server tool.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Tool {
    /// The name in calls and in configurations.
    const NAME: &'static str;
    /// Its purpose and when to use it, for the model.
    const DESCRIPTION: &'static str;
    /// The scope that it needs beside [`Scope::Tools`].
    const PERMISSION: Scope;
    /// Its timeout.
    const TIMEOUT: Millis = Millis::from_secs(30);
    /// Its arguments. Types must deny unknown fields, so that a model learns of misspelled names.
    type Arguments: DeserializeOwned + Validate<Context = ()>;

    /// Runs the tool. Returns the result for the model.
    async fn run<P: Platform>(
        context: &ToolContext<'_, P>,
        arguments: Self::Arguments,
    ) -> Result<String, ToolError>;
}

/// The context of a tool call.
#[derive(Debug)]
pub struct ToolContext<'a, P> {
    /// The ports.
    pub platform: &'a P,
    /// The turn's tenant; a tool has access to nothing else.
    pub tenant: &'a TenantId,
    /// The API key of the request.
    pub key: &'a KeyId,
    /// The turn's session, if any.
    pub session: Option<&'a SessionId>,
    /// The request that the turn answers.
    pub request: &'a RequestId,
    /// The message between sessions that caused the turn, if any.
    pub origin: &'a SendOrigin,
    /// Counts what the turn holds in memory.
    pub permit: &'a Rc<Permit>,
}

/// The copies of what a tool reads: rows, and what is parsed and written of them.
const COPIES: u64 = 2;

impl<P: Platform> ToolContext<'_, P> {
    /// Makes room for content of this many bytes before it is read. It counts until the result is dropped.
    ///
    /// # Errors
    /// [`ToolError::Failed`] if there is no room.
    pub fn hold(&self, bytes: u64) -> Result<PermitPart, ToolError> {
        let bytes = usize::try_from(bytes.saturating_mul(COPIES)).unwrap_or(usize::MAX);
        let held = self.permit.hold_more(bytes, self.platform.time().now());
        held.map_err(|_| ToolError::Failed("The server is busy. Retry the call.".to_owned()))
    }
}

/// Why a tool gave no result, as a text for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolError {
    /// The tool did not run.
    Refused(String),
    /// The tool failed.
    Failed(String),
}

impl From<SqlError> for ToolError {
    fn from(error: SqlError) -> Self {
        tracing::warn!(internal = error.internal(), "tool storage call failed");
        Self::Failed("Storage did not respond. Retry the call.".to_owned())
    }
}

/// Serializes a result.
pub(super) fn json<T: Serialize>(result: &T) -> Result<String, ToolError> {
    serde_json::to_string(result).map_err(|error| {
        tracing::error!(%error, "serialize tool result failed");
        ToolError::Failed("The result could not be written.".to_owned())
    })
}

/// The session that a model names.
pub(super) fn session_id(text: &str) -> Result<SessionId, ToolError> {
    text.parse()
        .map_err(|error| ToolError::Refused(format!("Invalid `session_id`: {error}.")))
}

/// The error for a session that the tenant does not have.
pub(super) fn session_not_found(id: &str) -> ToolError {
    let id = truncated(id, SessionId::MAX_BYTES);
    ToolError::Failed(format!("There is no session `{id}`."))
}
