//! The domain of Clawless, as pure types and functions: no I/O, no knowledge of the Workers runtime.
//!
//! It contains typed ids, time and money, API keys, conversations and completion requests, routing, the
//! ledger and the error catalogue.

pub mod admin_role;
pub mod admin_token;
pub mod api_key;
pub mod audit;
pub mod chat;
pub mod civil;
pub mod cursor;
pub mod entropy;
pub mod error;
pub mod ids;
pub mod json;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod llm;
pub mod members;
pub mod model;
pub mod money;
pub mod prompt;
pub mod retry;
pub mod rounds;
pub mod routing;
#[cfg(feature = "schema")]
pub mod schema;
pub mod sending;
pub mod session;
pub mod signing;
pub mod storage;
pub mod tenant;
pub mod tier;
pub mod time;
pub mod time_zone;
pub mod tool;
pub mod usage_report;
pub mod widget;

pub use api_key::{ApiKey, KeyKind, Scope, Scopes};
pub use chat::{CompletionRequest, FinishReason, Message, Role, Usage};
pub use entropy::Entropy;
pub use error::{ApiError, ErrorCode};
pub use ids::{
    AdminTokenId, AuditId, KeyId, MessageId, RequestId, SendId, SessionId, TenantId,
    ToolExecutionId,
};
pub use llm::{LlmProvider, LlmRequest, LlmResponse};
pub use money::{MicroDollars, Provenance, Tokens};
pub use session::Session;
pub use storage::Storage;
pub use tenant::Tenant;
pub use time::{Clock, Millis, Timer, Timestamp};
pub use tool::{Tool, ToolCall, ToolExecution};
