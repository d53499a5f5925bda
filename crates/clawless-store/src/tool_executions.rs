//! Tool executions: calls of server tools and their results.

use std::borrow::Cow;

use clawless_core::tool::ToolOutcome;
use clawless_core::{
    KeyId, Millis, RequestId, SessionId, TenantId, Timestamp, ToolCall, ToolExecution,
    ToolExecutionId,
};
use serde::{Deserialize, Serialize};

use crate::page;
use crate::ports::{Sql, SqlError, Statement};
use crate::row;
use crate::statements::statements;

statements! {
    /// Takes all rows as one JSON array: D1 limits the statements of an invocation and the
    /// parameters of a statement.
    INSERT = "
        INSERT INTO tool_executions (tenant_id, id, session_id, request_id, call_id, tool,
                                     arguments, outcome, result, started_at, duration_ms, key_id)
        SELECT ?1, json_extract(value, '$.id'), json_extract(value, '$.session_id'),
               json_extract(value, '$.request_id'), json_extract(value, '$.call_id'),
               json_extract(value, '$.tool'), json_extract(value, '$.arguments'),
               json_extract(value, '$.outcome'), json_extract(value, '$.result'),
               json_extract(value, '$.started_at'), json_extract(value, '$.duration_ms'),
               json_extract(value, '$.key_id')
        FROM json_each(?2)";
    /// The newest, unsorted; ids sort by time. As many as fit, and the first even if it does not.
    LIST = "
        SELECT e.id, e.tenant_id, e.session_id, e.request_id, e.key_id, e.call_id, e.tool,
               e.arguments, e.outcome, e.result, e.started_at, e.duration_ms
        FROM (
          SELECT id, bytes, sum(bytes) OVER (ORDER BY id DESC) AS total_bytes FROM (
            SELECT id, octet_length(arguments) + octet_length(result) AS bytes
            FROM tool_executions
            WHERE tenant_id = ?1 AND session_id = ?2 AND id < ?3
            ORDER BY id DESC LIMIT ?4
          )
        ) sizes
        JOIN tool_executions e ON e.id = sizes.id
        WHERE e.tenant_id = ?1 AND e.session_id = ?2
          AND (sizes.total_bytes <= ?5 OR sizes.total_bytes = sizes.bytes)";
}

/// The longest JSON array of one statement, in bytes: D1 accepts texts of 2 MB. The tools bound one
/// execution far below that, even if JSON escapes every character.
const MAX_ARRAY_BYTES: usize = 1_900_000;

/// The most bytes of arguments and results that [`list`] reads: twice a page of the API, which is therefore
/// full if not all executions were read.
pub const MAX_LIST_BYTES: u64 = 2 << 20;

/// Stores the executions of a stateless request. Those of a session are stored with its turn
/// ([`crate::turns::commit`]).
pub async fn record(
    sql: &impl Sql,
    tenant: &TenantId,
    executions: &[ToolExecution],
) -> Result<(), SqlError> {
    if executions.is_empty() {
        return Ok(());
    }
    sql.batch(insert(tenant, executions)?).await
}

/// Up to `limit` of a session's executions before `before`, newest first. Fewer if they have more than
/// [`MAX_LIST_BYTES`], but at least one.
pub async fn list(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    before: Option<&ToolExecutionId>,
    limit: u32,
) -> Result<Vec<ToolExecution>, SqlError> {
    let start = page::before(before);
    let bytes = MAX_LIST_BYTES.into();
    let query = LIST.with([tenant.into(), session.into(), start, limit.into(), bytes]);
    let rows: Vec<ExecutionRow> = sql.query(query).await?;
    let mut executions: Vec<ToolExecution> = rows.into_iter().map(ToolExecution::from).collect();
    // The database would sort them in a temporary table.
    executions.sort_by(|a, b| b.id.as_str().cmp(a.id.as_str()));
    Ok(executions)
}

/// The statements that store executions: one for each [`MAX_ARRAY_BYTES`] of them.
pub(crate) fn insert(
    tenant: &TenantId,
    executions: &[ToolExecution],
) -> Result<Vec<Statement>, SqlError> {
    let mut arrays: Vec<String> = Vec::new();
    for execution in executions {
        let row = row::to_json("tool_executions", &NewRow::from(execution))?;
        match arrays.last_mut() {
            Some(array) if array.len() + row.len() < MAX_ARRAY_BYTES => {
                array.push(',');
                array.push_str(&row);
            }
            _ => arrays.push(format!("[{row}")),
        }
    }
    let statement = |array: String| INSERT.with([tenant.into(), (array + "]").into()]);
    Ok(arrays.into_iter().map(statement).collect())
}

/// An execution's row as it is written.
#[derive(Serialize)]
struct NewRow<'a> {
    id: &'a ToolExecutionId,
    session_id: Option<&'a SessionId>,
    request_id: &'a RequestId,
    key_id: Option<&'a KeyId>,
    call_id: Cow<'a, str>,
    tool: Cow<'a, str>,
    arguments: Cow<'a, str>,
    outcome: &'static str,
    result: Cow<'a, str>,
    started_at: Timestamp,
    duration_ms: Millis,
}

impl<'a> From<&'a ToolExecution> for NewRow<'a> {
    fn from(execution: &'a ToolExecution) -> Self {
        let call = &execution.call;
        Self {
            id: &execution.id,
            session_id: execution.session_id.as_ref(),
            request_id: &execution.request_id,
            key_id: execution.key_id.as_ref(),
            call_id: without_nul(&call.id),
            tool: without_nul(&call.name),
            arguments: without_nul(&call.arguments),
            outcome: execution.outcome.as_str(),
            result: without_nul(&execution.result),
            started_at: execution.started_at,
            duration_ms: execution.duration,
        }
    }
}

/// Replaces NULs: `SQLite`'s JSON functions read a text only up to the first one.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// An execution's row as it is read.
#[derive(Deserialize)]
struct ExecutionRow {
    id: ToolExecutionId,
    tenant_id: TenantId,
    session_id: Option<SessionId>,
    request_id: RequestId,
    key_id: Option<KeyId>,
    call_id: String,
    tool: String,
    arguments: String,
    outcome: ToolOutcome,
    result: String,
    started_at: Timestamp,
    duration_ms: Millis,
}

impl From<ExecutionRow> for ToolExecution {
    fn from(row: ExecutionRow) -> Self {
        Self {
            id: row.id,
            tenant_id: row.tenant_id,
            session_id: row.session_id,
            request_id: row.request_id,
            key_id: row.key_id,
            call: ToolCall {
                id: row.call_id,
                name: row.tool,
                arguments: row.arguments,
                ..ToolCall::default()
            },
            outcome: row.outcome,
            result: row.result,
            started_at: row.started_at,
            duration: row.duration_ms,
        }
    }
}
