//! `GET /v1/sessions/{id}/tool_executions`.

use clawless_api::sessions::ToolExecutionObject;
use clawless_core::cursor::CursorScope;
use clawless_core::tool::ToolExecution;
use clawless_core::{ApiError, Clock};
use clawless_edge::http::page::{PageRequest, SignedCursors};
use clawless_edge::http::{Call, HttpResponse};
use clawless_store::tool_executions;

use super::find::{find, session_id};
use crate::caller::Caller;
use crate::platform::Platform;

/// Lists the executions of server tools in a session, newest first, page by page.
///
/// # Errors
/// 404 if there is no such session, 400 for a parameter that is unknown or invalid, and for a
/// cursor of another list.
pub async fn list<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let id = session_id(call.param("id"))?;
    let page = PageRequest::take(&mut call.query())?;
    let cursors = SignedCursors {
        key: platform.config().signing_key()?,
        scope: CursorScope {
            list: "tool_executions",
            owner: tenant.as_str(),
            filter: id.as_str(),
        },
        now: platform.time().now(),
    };
    let start = page.start(&cursors, |position| position.parse().ok())?;
    find(platform, &call.caller, &id).await?;
    let (sql, start, limit) = (platform.sql(), start.as_ref(), page.read_limit());
    let bytes = usize::try_from(tool_executions::MAX_LIST_BYTES).unwrap_or(usize::MAX);
    let _held = call.permit.hold_more(bytes, platform.time().now())?;
    let found = tool_executions::list(sql, tenant, &id, start, limit).await?;
    let position = |execution: &ToolExecution| execution.id.as_str().to_owned();
    page.respond(&cursors, found, position, ToolExecutionObject::from)
}
