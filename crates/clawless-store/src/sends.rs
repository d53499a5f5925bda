//! Messages between sessions: accepted once, claimed by one try at a time, and ended in the
//! transaction that stores the answering turn.

use clawless_core::sending::{SendJob, SendState};
use clawless_core::{ErrorCode, KeyId, RequestId, SendId, SessionId, TenantId, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::idempotency::digest;
use crate::ports::{Sql, SqlError, Statement};
use crate::row;
use crate::statements::statements;

statements! {
    /// Inserts nothing if the sender sent the same before, or has reached a limit.
    ACCEPT = "
        INSERT INTO sends (tenant_id, id, session_id, key_id, origin, digest, path, hops, message,
                           state, created_at, updated_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'queued', ?10, ?10
        WHERE (SELECT count(*) FROM sends WHERE tenant_id = ?1 AND origin = ?5) < ?11
          AND (SELECT count(*) FROM sends WHERE tenant_id = ?1 AND ended_at IS NULL) < ?12
        ON CONFLICT (tenant_id, origin, session_id, digest) DO NOTHING RETURNING id";
    FIND_SAME = "
        SELECT id FROM sends
        WHERE tenant_id = ?1 AND origin = ?2 AND session_id = ?3 AND digest = ?4";
    FIND = "
        SELECT session_id, state, reason, request_id, updated_at FROM sends
        WHERE tenant_id = ?1 AND id = ?2";
    /// Claims a queued message, or one whose last attempt was aborted.
    CLAIM = "
        UPDATE sends SET state = 'running', tries = tries + 1, request_id = ?3, updated_at = ?5
        WHERE tenant_id = ?1 AND id = ?2 AND ended_at IS NULL
          AND (state = 'queued' OR request_id = ?3 OR request_id = ?4)
        RETURNING session_id, key_id, path, hops, message, tries, created_at";
    RELEASE = "
        UPDATE sends SET state = 'queued', reason = ?4, updated_at = ?5
        WHERE tenant_id = ?1 AND id = ?2 AND state = 'running' AND request_id = ?3 RETURNING id";
    FAIL = "
        UPDATE sends SET state = 'failed', reason = ?4, message = NULL, updated_at = ?5, ended_at = ?5
        WHERE tenant_id = ?1 AND id = ?2 AND state = 'running' AND request_id = ?3 RETURNING id";
    /// Keeps the last reason, if there is one.
    GIVE_UP = "
        UPDATE sends SET state = 'failed', reason = coalesce(reason, ?3), message = NULL,
                         updated_at = ?4, ended_at = ?4
        WHERE tenant_id = ?1 AND id = ?2 AND state = 'queued' RETURNING id";
    /// Sets the state to NULL, which the column rejects, if the try no longer has the claim or the
    /// session is another of the same name: the batch fails.
    END = "
        UPDATE sends SET
          state = iif(state = 'running' AND request_id = ?3 AND created_at >= (
                    SELECT created_at FROM sessions WHERE tenant_id = ?1 AND id = ?4), ?5, NULL),
          reason = ?6, message = NULL, updated_at = max(updated_at, ?7), ended_at = max(updated_at, ?7)
        WHERE tenant_id = ?1 AND id = ?2";
    STALE_ACROSS_TENANTS = "
        SELECT tenant_id AS tenant, id AS send FROM sends
        WHERE ended_at IS NULL AND updated_at < ?1 ORDER BY updated_at LIMIT ?2";
    PURGE_ACROSS_TENANTS = "DELETE FROM sends WHERE ended_at < ?1";
}

/// The most messages that one turn may send.
pub const MAX_PER_TURN: u32 = 8;

/// The most pending messages of a tenant.
pub const MAX_PENDING: u32 = 100;

/// A message to send.
#[derive(Debug, Clone, Copy)]
pub struct NewSend<'a> {
    /// Its id.
    pub id: &'a SendId,
    /// The receiving session.
    pub session: &'a SessionId,
    /// The API key of the sender.
    pub key: &'a KeyId,
    /// The request or message that the sending turn answers.
    pub origin: &'a str,
    /// The chain of sessions that led to it, the sender last.
    pub path: &'a [SessionId],
    /// The length of the chain of messages, this one included.
    pub hops: u32,
    /// The text.
    pub message: &'a str,
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredSend {
    /// The receiving session.
    pub session_id: SessionId,
    /// Its state.
    pub state: SendState,
    /// Why it failed, broke off or was released: an error code.
    pub reason: Option<String>,
    /// The current or last try.
    pub request_id: Option<RequestId>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A message that a try has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedSend {
    /// The receiving session.
    pub session: SessionId,
    /// The API key of the sender.
    pub key: KeyId,
    /// The chain of sessions that led to it, the sender last.
    pub path: Vec<SessionId>,
    /// The length of the chain of messages, this one included.
    pub hops: u32,
    /// The text.
    pub message: String,
    /// The number of tries, this one included.
    pub tries: u32,
    /// When it was sent.
    pub created_at: Timestamp,
}

#[derive(Deserialize)]
struct ClaimedRow {
    session_id: SessionId,
    key_id: KeyId,
    path: String,
    hops: u32,
    message: String,
    tries: u32,
    created_at: Timestamp,
}

impl TryFrom<ClaimedRow> for ClaimedSend {
    type Error = SqlError;

    fn try_from(row: ClaimedRow) -> Result<Self, SqlError> {
        Ok(Self {
            session: row.session_id,
            key: row.key_id,
            path: row::json("sends.path", &row.path)?,
            hops: row.hops,
            message: row.message,
            tries: row.tries,
            created_at: row.created_at,
        })
    }
}

/// Stores a message and returns its id, or that of the same message if it was sent before. `None`
/// if a limit is reached. Idempotent.
pub async fn accept(
    sql: &impl Sql,
    tenant: &TenantId,
    new: NewSend<'_>,
    now: Timestamp,
) -> Result<Option<SendId>, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        id: SendId,
    }
    let digest = digest(Some(new.session.as_str()), None, new.message.as_bytes());
    let accept = ACCEPT.with([
        tenant.into(),
        new.id.into(),
        new.session.into(),
        new.key.into(),
        new.origin.into(),
        digest.as_str().into(),
        row::to_json("sends.path", &new.path)?.into(),
        new.hops.into(),
        new.message.into(),
        now.into(),
        MAX_PER_TURN.into(),
        MAX_PENDING.into(),
    ]);
    let mut stored: Vec<Row> = sql.query(accept).await?;
    if stored.is_empty() {
        let same = [
            tenant.into(),
            new.origin.into(),
            new.session.into(),
            digest.into(),
        ];
        stored = sql.query(FIND_SAME.with(same)).await?;
    }
    Ok(stored.into_iter().next().map(|row| row.id))
}

/// The message, unless it was purged.
pub async fn find(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
) -> Result<Option<StoredSend>, SqlError> {
    let rows: Vec<StoredSend> = sql.query(FIND.with([tenant.into(), id.into()])).await?;
    Ok(rows.into_iter().next())
}

/// Claims a queued message, or one whose last attempt, `aborted`, is known to have ended. `None` if
/// another attempt has it or it has ended. Idempotent.
pub async fn claim(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
    request: &RequestId,
    aborted: Option<&RequestId>,
    now: Timestamp,
) -> Result<Option<ClaimedSend>, SqlError> {
    let claim = CLAIM.with([
        tenant.into(),
        id.into(),
        request.into(),
        aborted.into(),
        now.into(),
    ]);
    let rows: Vec<ClaimedRow> = sql.query(claim).await?;
    rows.into_iter()
        .next()
        .map(ClaimedSend::try_from)
        .transpose()
}

/// Queues a message again for another try; `false` if this try no longer has it.
pub async fn release(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
    request: &RequestId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, SqlError> {
    let release = RELEASE.with([
        tenant.into(),
        id.into(),
        request.into(),
        reason.into(),
        now.into(),
    ]);
    has_changed(sql, release).await
}

/// Ends a message as failed; `false` if this try no longer has it.
pub async fn fail(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
    request: &RequestId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, SqlError> {
    let fail = FAIL.with([
        tenant.into(),
        id.into(),
        request.into(),
        reason.into(),
        now.into(),
    ]);
    has_changed(sql, fail).await
}

/// Ends a queued message that has no tries left, with its last reason or this one; `false` if it is
/// not queued.
pub async fn give_up(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, SqlError> {
    let give_up = GIVE_UP.with([tenant.into(), id.into(), reason.into(), now.into()]);
    has_changed(sql, give_up).await
}

/// Whether a statement changed a row.
async fn has_changed(sql: &impl Sql, statement: Statement) -> Result<bool, SqlError> {
    let changed: Vec<IgnoredAny> = sql.query(statement).await?;
    Ok(!changed.is_empty())
}

/// Up to `limit` pending messages that have not changed since `since`, oldest first.
pub async fn stale_across_tenants(
    sql: &impl Sql,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<SendJob>, SqlError> {
    let stale = STALE_ACROSS_TENANTS.with([since.into(), limit.into()]);
    sql.query(stale).await
}

/// Deletes messages that ended before `before`.
pub async fn purge_across_tenants(sql: &impl Sql, before: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![PURGE_ACROSS_TENANTS.with([before.into()])])
        .await
}

/// The statement that ends a message, for the transaction of the turn that answers it.
/// `incomplete_reason` is why the turn broke off, if it did.
pub(crate) fn end_statement(
    tenant: &TenantId,
    id: &SendId,
    (session, request): (&SessionId, &RequestId),
    incomplete_reason: Option<ErrorCode>,
    now: Timestamp,
) -> Statement {
    let state = match incomplete_reason {
        None => "replied",
        Some(_) => "delivered",
    };
    END.with([
        tenant.into(),
        id.into(),
        request.into(),
        session.into(),
        state.into(),
        incomplete_reason.map(ErrorCode::as_str).into(),
        now.into(),
    ])
}

/// Whether this is the constraint that [`end_statement`] violates if the try lost its claim.
pub(crate) fn is_claim_lost(constraint: &str) -> bool {
    constraint.ends_with("sends.state")
}
