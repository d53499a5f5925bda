//! A tenant's stored rows, as the database writes them (`clawless_store::records`). These types are
//! their description; no code creates one.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::members::Members;
use clawless_core::{
    AuditId, KeyId, KeyKind, MessageId, MicroDollars, Millis, RequestId, Role, Scopes, SendId,
    SessionId, TenantId, Tokens, ToolExecutionId,
};

use clawless_core::json::Json;
use clawless_core::tenant::{TenantStatus, Tier};
use clawless_core::time_zone::TimeZone;
use clawless_core::tool::ToolOutcome;

use crate::stored_message::StoredMessage;

/// Declares the records. Each has the constant `object`, which tells them apart.
macro_rules! records {
    ($($(#[$doc:meta])* $name:ident $object:literal { $($field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[allow(missing_docs, reason = "the members of the objects above, whose types are documented")]
        pub struct $name {
            #[cfg_attr(feature = "schema", schemars(extend("const" = $object)))]
            pub object: &'static str,
            $(pub $field: $type,)*
        }
    )*};
}

records! {
    /// A session. Times are in seconds since 1970 (UTC).
    SessionRecord "session" {
        id: SessionId,
        title: Option<String>,
        metadata: BTreeMap<String, String>,
        system_prompt: Option<String>,
        model: Option<String>,
        thinking_level: Option<ReasoningEffort>,
        tools: Option<Vec<String>>,
        time_zone: Option<TimeZone>,
        token_total: Tokens,
        expires_at: Option<u64>,
        deleted_at: Option<u64>,
        created_at: u64,
        updated_at: u64,
    }

    /// A message of a session.
    MessageRecord "session.message" {
        session_id: SessionId,
        id: MessageId,
        turn: u64,
        position: u64,
        role: Role,
        message: StoredMessage,
    }

    /// The tenant.
    TenantRecord "tenant" {
        id: TenantId,
        name: String,
        tier: Tier,
        status: TenantStatus,
        settings: Members,
        version: u64,
        created_at: u64,
        updated_at: u64,
    }

    /// An API key, without its text.
    KeyRecord "api_key" {
        id: KeyId,
        kind: KeyKind,
        name: String,
        scopes: Scopes,
        allowed_origins: Vec<String>,
        limits: Option<Members>,
        expires_at: Option<u64>,
        revoked_at: Option<u64>,
        successor_id: Option<KeyId>,
        last_used_at: Option<u64>,
        created_at: u64,
    }

    /// A turn of a session.
    TurnRecord "turn" {
        session_id: SessionId,
        turn: u64,
        request_id: RequestId,
        key_id: Option<KeyId>,
        status: String,
        incomplete_reason: Option<String>,
        finish_reason: Option<String>,
        model: String,
        provider: String,
        usage: TurnUsageRecord,
        echo: Option<Members>,
        created_at: u64,
    }

    /// An execution of a server tool.
    ToolExecutionRecord "tool_execution" {
        id: ToolExecutionId,
        session_id: Option<SessionId>,
        request_id: RequestId,
        key_id: Option<KeyId>,
        call_id: String,
        tool: String,
        arguments: String,
        status: ToolOutcome,
        result: String,
        created_at: u64,
        duration_ms: Millis,
    }

    /// A message from one session to another.
    SendRecord "send" {
        id: SendId,
        session_id: SessionId,
        key_id: KeyId,
        origin: Option<SessionId>,
        path: Vec<SessionId>,
        hops: u64,
        content: String,
        state: String,
        reason: Option<String>,
        request_id: Option<RequestId>,
        tries: u64,
        created_at: u64,
        updated_at: u64,
        ended_at: Option<u64>,
    }

    /// A response that is kept for an idempotency key.
    KeptAnswerRecord "kept_answer" {
        key_id: KeyId,
        route: String,
        idempotency_key: String,
        request_id: RequestId,
        state: String,
        answer: Option<String>,
        created_at: u64,
        expires_at: u64,
    }

    /// What one request used and cost.
    ReceiptRecord "receipt" {
        request_id: RequestId,
        key_id: KeyId,
        session_id: Option<SessionId>,
        model: String,
        period: String,
        granted_at: u64,
        closed_at: u64,
        reserved: AmountsRecord,
        charged: AmountsRecord,
        tokens_in: Tokens,
        tokens_out: Tokens,
        provenance: String,
    }

    /// An entry of the audit log.
    AuditRecordObject "audit_entry" {
        id: AuditId,
        at: u64,
        actor: String,
        action: String,
        target: Option<String>,
        before: Option<Json>,
        after: Option<Json>,
        request_id: RequestId,
    }
}

/// The usage of a turn.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs, reason = "as in the records above")]
pub struct TurnUsageRecord {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub cached_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    pub micro_dollars: MicroDollars,
    pub provenance: String,
}

/// Amounts that a request reserved or was charged.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs, reason = "as in the records above")]
pub struct AmountsRecord {
    pub messages: u64,
    pub tokens: Tokens,
    pub micro_dollars: MicroDollars,
}

/// Any record of an export.
#[derive(Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
#[allow(missing_docs, reason = "the variants are documented types")]
pub enum ExportedRecord {
    Tenant(TenantRecord),
    Key(KeyRecord),
    Session(SessionRecord),
    Turn(TurnRecord),
    Message(MessageRecord),
    ToolExecution(ToolExecutionRecord),
    Send(SendRecord),
    KeptAnswer(KeptAnswerRecord),
    Receipt(ReceiptRecord),
    Audit(AuditRecordObject),
}
