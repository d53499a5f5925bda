//! Tool executions: what server tools did, for whom and with what result.

use clawless_core::tool::ToolOutcome;
use clawless_core::{
    Millis, RequestId, SessionId, TenantId, Timestamp, ToolCall, ToolExecution, ToolExecutionId,
};
use serde::Deserialize;

use crate::ports::{Sql, SqlError, Value};
use crate::statement::{Statement, statements};

statements! {
    INSERT = "
        INSERT INTO tool_executions (tenant_id, id, session_id, request_id, call_id, tool,
                                     arguments, outcome, result, started_at, duration_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    /// Newest first; ids sort by the time they were made.
    LIST = "
        SELECT id, tenant_id, session_id, request_id, call_id, tool, arguments, outcome, result,
               started_at, duration_ms
        FROM tool_executions
        WHERE tenant_id = ?1 AND session_id = ?2 AND id < ?3
        ORDER BY id DESC LIMIT ?4";
}

/// Sorts after every id.
const AFTER_ALL: &str = "tex_~";

/// Stores what was done for a request without a session. A session's executions are stored with
/// its turn ([`crate::turns::commit`]).
pub async fn record(
    sql: &impl Sql,
    tenant: &TenantId,
    executions: &[ToolExecution],
) -> Result<(), SqlError> {
    if executions.is_empty() {
        return Ok(());
    }
    let rows = executions.iter().map(|execution| row(tenant, execution));
    sql.batch(rows.collect()).await
}

/// What was done in a session: newest first, at most `limit`, and only what came before `before`.
pub async fn list(
    sql: &impl Sql,
    tenant: &TenantId,
    session: &SessionId,
    before: Option<&ToolExecutionId>,
    limit: u32,
) -> Result<Vec<ToolExecution>, SqlError> {
    let before = before.map_or(AFTER_ALL, ToolExecutionId::as_str);
    let query = LIST.with([tenant.into(), session.into(), before.into(), limit.into()]);
    let rows: Vec<ExecutionRow> = sql.query(query).await?;
    Ok(rows.into_iter().map(ToolExecution::from).collect())
}

/// The statement that stores one execution.
pub(crate) fn row(tenant: &TenantId, execution: &ToolExecution) -> Statement {
    let row: [Value; 11] = [
        tenant.into(),
        (&execution.id).into(),
        execution.session_id.as_ref().into(),
        (&execution.request_id).into(),
        execution.call.id.as_str().into(),
        execution.call.name.as_str().into(),
        execution.call.arguments.as_str().into(),
        execution.outcome.as_str().into(),
        execution.result.as_str().into(),
        execution.started_at.into(),
        execution.duration.into(),
    ];
    INSERT.with(row)
}

/// An execution's row.
#[derive(Deserialize)]
struct ExecutionRow {
    id: ToolExecutionId,
    tenant_id: TenantId,
    session_id: Option<SessionId>,
    request_id: RequestId,
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
            call: ToolCall {
                id: row.call_id,
                name: row.tool,
                arguments: row.arguments,
            },
            outcome: row.outcome,
            result: row.result,
            started_at: row.started_at,
            duration: row.duration_ms,
        }
    }
}
