//! A stored turn.

use clawless_core::chat::{CompletionDetails, FinishReason, PromptDetails, Usage};
use clawless_core::session::SessionHead;
use clawless_core::{MicroDollars, Provenance, RequestId, SessionId, TenantId, Timestamp, Tokens};
use serde::Deserialize;

use super::statements::{FIND_BY_REQUEST, FIND_IN_SESSION, FIND_RESPONSE, TOKENS_UNTIL};
use crate::ports::{Sql, SqlError};

/// A stored turn, without its content: its messages and its echo ([`crate::messages::of_turn`]).
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTurn {
    /// The session.
    pub session: SessionId,
    /// The session's head under this turn, which is its number.
    pub head: SessionHead,
    /// Why it broke off, if it did: an error code.
    pub incomplete_reason: Option<String>,
    /// Why the model stopped, if it did.
    pub finish_reason: Option<FinishReason>,
    /// The model that answered.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// The usage of the call.
    pub usage: Usage,
    /// The cost of the call.
    pub cost: MicroDollars,
    /// The source of the usage.
    pub provenance: Provenance,
    /// When the request arrived.
    pub created_at: Timestamp,
    /// The bytes of its content.
    pub stored_bytes: u64,
    /// Whether its surface has members that repeat the request.
    pub has_echo: bool,
}

/// A stored response.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundResponse {
    /// Its turn.
    pub turn: StoredTurn,
    /// Whether its session ends with it.
    pub is_last: bool,
    /// Whether its session has no other turn.
    pub is_only: bool,
}

#[derive(Deserialize)]
struct TurnRow {
    session_id: SessionId,
    seq: SessionHead,
    incomplete_reason: Option<String>,
    finish_reason: Option<FinishReason>,
    model: String,
    provider: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
    cost_micro_dollars: MicroDollars,
    provenance: Provenance,
    created_at: Timestamp,
    stored_bytes: u64,
    has_echo: u8,
    /// Only of [`FIND_RESPONSE`].
    #[serde(default)]
    is_last: u8,
    #[serde(default)]
    is_only: u8,
}

impl TryFrom<TurnRow> for StoredTurn {
    type Error = SqlError;

    fn try_from(row: TurnRow) -> Result<Self, SqlError> {
        let nonzero = |count: u64| Some(count).filter(|count| *count > 0);
        let mut usage = Usage::new(row.prompt_tokens, row.completion_tokens);
        usage.prompt_tokens_details = nonzero(row.cached_tokens).map(|cached| PromptDetails {
            cached_tokens: Some(cached),
            ..PromptDetails::default()
        });
        usage.completion_tokens_details =
            nonzero(row.reasoning_tokens).map(|reasoning| CompletionDetails {
                reasoning_tokens: Some(reasoning),
                ..CompletionDetails::default()
            });
        Ok(Self {
            session: row.session_id,
            head: row.seq,
            incomplete_reason: row.incomplete_reason,
            finish_reason: row.finish_reason,
            model: row.model,
            provider: row.provider,
            usage,
            cost: row.cost_micro_dollars,
            provenance: row.provenance,
            created_at: row.created_at,
            stored_bytes: row.stored_bytes,
            has_echo: row.has_echo != 0,
        })
    }
}

/// The turn of a request, if it is stored in this session and the session has not expired.
pub async fn find_in_session(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    request: &RequestId,
    now: Timestamp,
) -> Result<Option<StoredTurn>, SqlError> {
    let find = FIND_IN_SESSION.with([tenant.into(), request.into(), session.into(), now.into()]);
    let rows: Vec<TurnRow> = sql.query(find).await?;
    rows.into_iter()
        .next()
        .map(StoredTurn::try_from)
        .transpose()
}

/// The turn of a request, if it is stored, even if its session has expired.
pub async fn find_by_request(
    sql: &impl Sql,
    tenant: &TenantId,
    request: &RequestId,
) -> Result<Option<StoredTurn>, SqlError> {
    let find = FIND_BY_REQUEST.with([tenant.into(), request.into()]);
    let rows: Vec<TurnRow> = sql.query(find).await?;
    rows.into_iter()
        .next()
        .map(StoredTurn::try_from)
        .transpose()
}

/// The tokens of a session's history up to a turn.
pub async fn tokens_until(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    turn: SessionHead,
) -> Result<Tokens, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        tokens: u64,
    }
    let sum = TOKENS_UNTIL.with([tenant.into(), session.into(), turn.into()]);
    let rows: Vec<Row> = sql.query(sum).await?;
    let tokens = rows.first().map_or(0, |row| row.tokens);
    Ok(Tokens::new(tokens))
}

/// The stored response to a request. `None` for a turn of another surface, and for one whose session
/// is deleted or has expired.
pub async fn find_response(
    sql: &impl Sql,
    tenant: &TenantId,
    request: &RequestId,
    now: Timestamp,
) -> Result<Option<FoundResponse>, SqlError> {
    let find = FIND_RESPONSE.with([tenant.into(), request.into(), now.into()]);
    let rows: Vec<TurnRow> = sql.query(find).await?;
    let found = rows.into_iter().next().map(|row| {
        let (is_last, is_only) = (row.is_last != 0, row.is_only != 0);
        let turn = StoredTurn::try_from(row)?;
        Ok(FoundResponse {
            turn,
            is_last,
            is_only,
        })
    });
    found.transpose()
}
