//! Messages that sessions send each other: accepted once, run by one try at a time, and ended in the
//! transaction that stores the turn.

use clawless_core::sending::{SendJob, SendState};
use clawless_core::{KeyId, RequestId, SendId, SessionId, TenantId, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::idempotency::digest;
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::{Statement, statements};
use crate::turns::{NewTurn, TurnStatus};

statements! {
    /// Nothing where the sender has said the same before, or too much.
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
    /// For a try: of a message that waits, or whose last try is dead.
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
    /// The last reason stays, where there is one.
    GIVE_UP = "
        UPDATE sends SET state = 'failed', reason = coalesce(reason, ?3), message = NULL,
                         updated_at = ?4, ended_at = ?4
        WHERE tenant_id = ?1 AND id = ?2 AND state = 'queued' RETURNING id";
    /// With the turn of the try that has the message, in the session that it was sent to. Else the
    /// new state is NULL, which the column refuses: the batch fails as a whole.
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
pub const MAX_A_TURN: u32 = 8;

/// The most messages of a tenant that are under way.
pub const MAX_UNDER_WAY: u32 = 100;

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub struct NewSend<'a> {
    /// Its id.
    pub id: &'a SendId,
    /// The session that shall get it.
    pub session: &'a SessionId,
    /// The key on whose behalf.
    pub key: &'a KeyId,
    /// The request or the message that the sending turn answers.
    pub origin: &'a str,
    /// The sessions that may wait for it, the sender last.
    pub path: &'a [SessionId],
    /// How many messages led to it, itself included.
    pub hops: u32,
    /// What is said.
    pub message: &'a str,
}

/// A message as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredSend {
    /// The session that gets it.
    pub session_id: SessionId,
    /// Where it is.
    pub state: SendState,
    /// Why it failed, broke off or still waits: a code of the catalogue of errors.
    pub reason: Option<String>,
    /// The try that runs, or ran last.
    pub request_id: Option<RequestId>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A message that a try has to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The session that gets it.
    pub session: SessionId,
    /// The key on whose behalf.
    pub key: KeyId,
    /// The sessions that may wait for it, the sender last.
    pub path: Vec<SessionId>,
    /// How many messages led to it, itself included.
    pub hops: u32,
    /// What is said.
    pub message: String,
    /// How many tries there were, this one included.
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

impl TryFrom<ClaimedRow> for Claimed {
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

/// Stores a message, and gives the id under which it is stored: that of an earlier one, where the
/// same was sent before. None where too many were sent. May be repeated.
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
    let digest = digest(Some(new.session.as_str()), new.message.as_bytes());
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
        MAX_A_TURN.into(),
        MAX_UNDER_WAY.into(),
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

/// The message, unless it ended long ago.
pub async fn find(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
) -> Result<Option<StoredSend>, SqlError> {
    let rows: Vec<StoredSend> = sql.query(FIND.with([tenant.into(), id.into()])).await?;
    Ok(rows.into_iter().next())
}

/// Takes a message for a try of its own: one that waits, or whose last try, `dead`, is known to be
/// dead. None where somebody else has it, or it has ended. May be repeated.
pub async fn claim(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
    request: &RequestId,
    dead: Option<&RequestId>,
    now: Timestamp,
) -> Result<Option<Claimed>, SqlError> {
    let claim = CLAIM.with([
        tenant.into(),
        id.into(),
        request.into(),
        dead.into(),
        now.into(),
    ]);
    let rows: Vec<ClaimedRow> = sql.query(claim).await?;
    rows.into_iter().next().map(Claimed::try_from).transpose()
}

/// Lets a message wait for another try; `false` where this one does not have it any more.
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
    changes(sql, release).await
}

/// Says why a message will not be delivered; `false` where this try does not have it any more.
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
    changes(sql, fail).await
}

/// Gives up a message that nobody tries to deliver any more, for its last reason or this one;
/// `false` where it does not wait.
pub async fn give_up(
    sql: &impl Sql,
    tenant: &TenantId,
    id: &SendId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, SqlError> {
    let give_up = GIVE_UP.with([tenant.into(), id.into(), reason.into(), now.into()]);
    changes(sql, give_up).await
}

/// Whether a statement changed a message.
async fn changes(sql: &impl Sql, statement: Statement) -> Result<bool, SqlError> {
    let changed: Vec<IgnoredAny> = sql.query(statement).await?;
    Ok(!changed.is_empty())
}

/// Messages under way that nothing has happened to since a moment: at most `limit`, oldest first.
pub async fn stale_across_tenants(
    sql: &impl Sql,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<SendJob>, SqlError> {
    let stale = STALE_ACROSS_TENANTS.with([since.into(), limit.into()]);
    sql.query(stale).await
}

/// Forgets messages that ended before a moment.
pub async fn purge_across_tenants(sql: &impl Sql, before: Timestamp) -> Result<(), SqlError> {
    sql.batch(vec![PURGE_ACROSS_TENANTS.with([before.into()])])
        .await
}

/// What ends a message with the turn that answers it, as part of the turn's transaction.
pub(crate) fn ending(tenant: &TenantId, id: &SendId, turn: &NewTurn) -> Statement {
    let (state, reason) = match turn.status {
        TurnStatus::Complete => ("replied", None),
        TurnStatus::Incomplete(code) => ("delivered", Some(code.as_str())),
    };
    END.with([
        tenant.into(),
        id.into(),
        (&turn.request).into(),
        (&turn.session).into(),
        state.into(),
        reason.into(),
        turn.created_at.into(),
    ])
}

/// Whether this is the constraint that [`ending`] breaks for a try that comes too late.
pub(crate) fn is_taken_over(constraint: &str) -> bool {
    constraint.ends_with("sends.state")
}
