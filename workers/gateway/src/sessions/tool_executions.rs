//! `GET /v1/sessions/{id}/tool_executions`.

use clawless_api::sessions::ToolExecutionObject;
use clawless_core::cursor::CursorScope;
use clawless_core::tool::ToolExecution;
use clawless_core::{ApiError, Clock};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use clawless_store::tool_executions;

use super::{found, reading, session_id};
use crate::caller::Caller;
use crate::page::{Listing, Query};
use crate::platform::Platform;

/// Lists what server tools did in a session, newest first, page by page.
///
/// # Errors
/// 404 where there is no such session, 400 for a parameter that is unknown or wrong, and for a
/// cursor that is not of this list; 403 without the scope `sessions:read`.
pub async fn list<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &str,
    head: &RequestHead,
) -> Result<HttpResponse, ApiError> {
    reading(platform, caller, async {
        let tenant = &caller.tenant().id;
        let id = session_id(id)?;
        let mut query = Query::of(head);
        let (limit, cursor) = (query.limit()?, query.take("cursor")?);
        query.end()?;
        let listing = Listing {
            key: platform.config().signing_key()?,
            scope: CursorScope {
                list: "tool_executions",
                owner: tenant.as_str(),
                filter: id.as_str(),
            },
            now: platform.time().now(),
        };
        let start = listing.open(cursor.as_deref(), |place| place.parse().ok())?;
        found(platform, caller, &id).await?;
        let sql = platform.sql();
        let found = tool_executions::list(sql, tenant, &id, start.as_ref(), limit + 1).await?;
        let place = |execution: &ToolExecution| execution.id.as_str().to_owned();
        listing.answer(found, limit, place, ToolExecutionObject::from)
    })
    .await
}
