//! Deletes what has expired, in bounded steps: sessions whose own expiry has passed or that have not
//! changed for as long as their tenant keeps messages, and older messages of other sessions.
//!
//! An expired session is invisible from the moment of its expiry ([`crate::sessions`]); a step may
//! be repeated, and an interrupted deletion continues with the next one.

use clawless_core::session::SessionHead;
use clawless_core::{RequestId, SendId, SessionId, TenantId, Timestamp, ToolExecutionId};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::page;
use crate::ports::{Sql, SqlError, SqlText, Statement, Value};
use crate::row;
use crate::statements::{has_expired, of_expired_session, soft_deleted, statements};

statements! {
    /// By their own expiry, earliest first.
    EXPIRED_ACROSS_TENANTS = "
        SELECT tenant_id AS tenant, id, head, updated_at FROM sessions
        WHERE expires_at <= ?1 AND deleted_at IS NULL
          AND tenant_id NOT IN (SELECT value FROM json_each(?2))
        ORDER BY expires_at LIMIT ?3";
    TENANTS_ACROSS_TENANTS = "
        SELECT id, json_extract(settings, '$.retention_days') AS days FROM tenants
        WHERE id > ?1 AND json_extract(settings, '$.retention_days') IS NOT NULL
        ORDER BY id LIMIT ?2";
    /// A session that is as old as its tenant keeps messages may have expired.
    IDLE_SESSIONS = concat!("
        SELECT id, head, updated_at FROM sessions
        WHERE tenant_id = ?1 AND deleted_at IS NULL AND created_at <= ?2 AND ",
        has_expired!("?3"), "
        ORDER BY created_at, id LIMIT ?4");
    EXPIRED_TURNS = concat!("
        SELECT session_id, request_id FROM turns
        WHERE tenant_id = ?1 AND session_id IN (SELECT value FROM json_each(?2)) AND ",
        of_expired_session!("turns.session_id", "?3"), " LIMIT ?4");
    OLD_TURNS = "
        SELECT session_id, request_id FROM turns
        WHERE tenant_id = ?1 AND request_id < ?2 ORDER BY request_id LIMIT ?3";
    DELETE_ANSWERS = "
        DELETE FROM idempotency WHERE tenant_id = ?1 AND state <> 'running'
          AND request_id IN (SELECT value FROM json_each(?2))";
    /// Cascades to their messages.
    DELETE_TURNS = "
        DELETE FROM turns
        WHERE tenant_id = ?1 AND request_id IN (SELECT value FROM json_each(?2))";
    /// The head moves, so that cached copies of the old history are not read.
    RECOUNT = "
        UPDATE sessions SET
          head = head + 1,
          token_total = (
            SELECT coalesce(sum(stored_tokens), 0) FROM turns
            WHERE tenant_id = ?1 AND session_id = sessions.id)
        WHERE tenant_id = ?1 AND id IN (SELECT value FROM json_each(?2)) AND deleted_at IS NULL";
    DELETE_EXECUTIONS = concat!("
        DELETE FROM tool_executions WHERE tenant_id = ?1 AND rowid IN (
          SELECT rowid FROM tool_executions
          WHERE tenant_id = ?1 AND session_id IN (SELECT value FROM json_each(?2)) AND ",
          of_expired_session!("tool_executions.session_id", "?3"), " LIMIT ?4)
        RETURNING 1 AS deleted");
    DELETE_OLD_EXECUTIONS = "
        DELETE FROM tool_executions WHERE tenant_id = ?1 AND rowid IN (
          SELECT rowid FROM tool_executions WHERE tenant_id = ?1 AND id < ?2 ORDER BY id LIMIT ?3)
        RETURNING 1 AS deleted";
    DELETE_OLD_SENDS = "
        DELETE FROM sends WHERE tenant_id = ?1 AND rowid IN (
          SELECT rowid FROM sends WHERE tenant_id = ?1 AND id < ?2 ORDER BY id LIMIT ?3)
        RETURNING 1 AS deleted";
    DELETE_SENDS = concat!("
        DELETE FROM sends
        WHERE tenant_id = ?1 AND session_id IN (SELECT value FROM json_each(?2)) AND ",
        of_expired_session!("sends.session_id", "?3"));
    /// A session that still has turns waits for the next step.
    SOFT_DELETE = concat!("
        UPDATE sessions SET ", soft_deleted!("?3"), "
        WHERE tenant_id = ?1 AND id IN (SELECT value FROM json_each(?2)) AND deleted_at IS NULL
          AND ", has_expired!("?3"), "
          AND NOT EXISTS (
            SELECT 1 FROM turns WHERE tenant_id = ?1 AND session_id = sessions.id)
        RETURNING id");
}

/// A session that has expired and is not deleted yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExpiredSession {
    /// Its id.
    pub id: SessionId,
    /// Its head, which a cached copy may have.
    pub head: SessionHead,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An expired session and its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExpiredOfTenant {
    /// The tenant.
    pub tenant: TenantId,
    /// The session.
    #[serde(flatten)]
    pub session: ExpiredSession,
}

/// A tenant that keeps messages for a limited time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RetainingTenant {
    /// The tenant.
    pub id: TenantId,
    /// Its `retention_days`.
    pub days: u32,
}

/// The number of deleted records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeletedRecords {
    /// Tool executions.
    pub executions: usize,
    /// Messages between sessions.
    pub sends: usize,
}

#[derive(Deserialize)]
struct TurnRow {
    session_id: SessionId,
    request_id: RequestId,
}

/// Up to `limit` sessions whose own expiry has passed, earliest first, of all tenants except some.
pub async fn sessions_across_tenants(
    sql: &impl Sql,
    now: Timestamp,
    except: &[TenantId],
    limit: u32,
) -> Result<Vec<ExpiredOfTenant>, SqlError> {
    let find = EXPIRED_ACROSS_TENANTS.with([now.into(), list(&except)?, limit.into()]);
    sql.query(find).await
}

/// Up to `limit` tenants after `after` that keep messages for a limited time.
pub async fn tenants_across_tenants(
    sql: &impl Sql,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<RetainingTenant>, SqlError> {
    let find = TENANTS_ACROSS_TENANTS.with([page::after(after), limit.into()]);
    sql.query(find).await
}

/// Up to `limit` expired sessions that were created before `cutoff`, oldest first.
pub async fn idle_sessions(
    sql: &impl Sql,
    tenant: &TenantId,
    cutoff: Timestamp,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<ExpiredSession>, SqlError> {
    let find = IDLE_SESSIONS.with([tenant.into(), cutoff.into(), now.into(), limit.into()]);
    sql.query(find).await
}

/// Deletes up to `limit` turns of expired sessions, with their messages and the answers stored for
/// their idempotency keys. Returns the number of turns.
pub async fn delete_turns(
    sql: &impl Sql,
    tenant: &TenantId,
    sessions: &[SessionId],
    now: Timestamp,
    limit: u32,
) -> Result<usize, SqlError> {
    let [tenant_param, ids] = [tenant.into(), list(&sessions)?];
    let find = EXPIRED_TURNS.with([tenant_param, ids, now.into(), limit.into()]);
    let turns: Vec<TurnRow> = sql.query(find).await?;
    if !turns.is_empty() {
        let (_, batch) = deletion(tenant, &turns)?;
        sql.batch(batch).await?;
    }
    Ok(turns.len())
}

/// Deletes up to `limit` tool executions of expired sessions. Returns their number.
pub async fn delete_executions(
    sql: &impl Sql,
    tenant: &TenantId,
    sessions: &[SessionId],
    now: Timestamp,
    limit: u32,
) -> Result<usize, SqlError> {
    let params = [tenant.into(), list(&sessions)?, now.into(), limit.into()];
    delete(sql, DELETE_EXECUTIONS, params.into()).await
}

/// Deletes expired sessions without turns, and the messages on their way to them. The names and
/// their heads remain for a day, as after [`crate::sessions::delete`]. Returns the deleted ones.
pub async fn delete_sessions(
    sql: &impl Sql,
    tenant: &TenantId,
    sessions: &[SessionId],
    now: Timestamp,
) -> Result<Vec<SessionId>, SqlError> {
    #[derive(Deserialize)]
    struct Row {
        id: SessionId,
    }
    let params = || -> Result<_, SqlError> { Ok([tenant.into(), list(&sessions)?, now.into()]) };
    sql.batch(vec![DELETE_SENDS.with(params()?)]).await?;
    let rows: Vec<Row> = sql.query(SOFT_DELETE.with(params()?)).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Finds up to `limit` turns of a tenant that began before `cutoff`, deletes them as
/// [`delete_turns`] does, and moves the heads of their sessions. `forget` is called with these
/// sessions before and after the deletion. Returns the number of turns.
pub async fn delete_old_turns<E: From<SqlError>>(
    sql: &impl Sql,
    tenant: &TenantId,
    cutoff: Timestamp,
    limit: u32,
    forget: impl AsyncFn(&[SessionId]) -> Result<(), E>,
) -> Result<usize, E> {
    // Ids sort by time.
    let bound = RequestId::first_at(cutoff);
    let find = OLD_TURNS.with([tenant.into(), (&bound).into(), limit.into()]);
    let turns: Vec<TurnRow> = sql.query(find).await?;
    if turns.is_empty() {
        return Ok(0);
    }
    let (sessions, mut batch) = deletion(tenant, &turns)?;
    batch.push(RECOUNT.with([tenant.into(), list(&sessions.as_slice())?]));
    forget(&sessions).await?;
    let deleted = sql.batch(batch).await;
    // Even after an error: the database may have committed although its response was lost.
    forget(&sessions).await?;
    deleted?;
    Ok(turns.len())
}

/// Deletes up to `limit` tool executions, and as many messages between sessions, that began before
/// `cutoff`.
pub async fn delete_old_records(
    sql: &impl Sql,
    tenant: &TenantId,
    cutoff: Timestamp,
    limit: u32,
) -> Result<DeletedRecords, SqlError> {
    let execution = ToolExecutionId::first_at(cutoff);
    let send = SendId::first_at(cutoff);
    let params = vec![tenant.into(), (&execution).into(), limit.into()];
    let executions = delete(sql, DELETE_OLD_EXECUTIONS, params).await?;
    let params = vec![tenant.into(), (&send).into(), limit.into()];
    let sends = delete(sql, DELETE_OLD_SENDS, params).await?;
    Ok(DeletedRecords { executions, sends })
}

/// The sessions of turns, and the statements that delete the turns and their answers.
fn deletion(
    tenant: &TenantId,
    turns: &[TurnRow],
) -> Result<(Vec<SessionId>, Vec<Statement>), SqlError> {
    let requests: Vec<&RequestId> = turns.iter().map(|turn| &turn.request_id).collect();
    let mut sessions: Vec<SessionId> = turns.iter().map(|turn| turn.session_id.clone()).collect();
    sessions.sort_unstable();
    sessions.dedup();
    let requests = list(&requests)?;
    let batch = vec![
        DELETE_ANSWERS.with([tenant.into(), requests.clone()]),
        DELETE_TURNS.with([tenant.into(), requests]),
    ];
    Ok((sessions, batch))
}

async fn delete(sql: &impl Sql, text: SqlText, params: Vec<Value>) -> Result<usize, SqlError> {
    let deleted: Vec<IgnoredAny> = sql.query(text.with_all(params)).await?;
    Ok(deleted.len())
}

/// A list of ids as one parameter.
fn list(ids: &impl serde::Serialize) -> Result<Value, SqlError> {
    Ok(row::to_json("a list of ids", ids)?.into())
}
