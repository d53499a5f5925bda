//! `GET /v1/sessions/{id}/messages` and `DELETE /v1/sessions/{id}/messages/{message_id}`.

use clawless_api::sessions::{Deleted, MessageObject};
use clawless_core::cursor::CursorScope;
use clawless_core::{ApiError, Clock, ErrorCode, MessageId, SessionId, Storage, TenantId};
use clawless_edge::http::page::{self, PageRequest, SignedCursors};
use clawless_edge::http::query::{Query, invalid};
use clawless_edge::http::{Call, HttpResponse};
use clawless_store::messages::{self, ListedMessage, MessagePosition, Range, SortOrder};

use super::find::{find, session_id};
use super::message_object::message_object;
use super::stale;
use crate::caller::Caller;
use crate::platform::Platform;

/// Lists the messages of a session, in either order, page by page. `after` and `before` name messages
/// by their place in the conversation, whatever the order. A visitor's session has no messages before its
/// first turn is stored.
///
/// # Errors
/// 404 if there is no such session, 400 for a parameter that is unknown or invalid, and for a
/// cursor of another list.
pub async fn list<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let id = session_id(call.param("id"))?;
    let mut query = call.query();
    let page = PageRequest::take(&mut query)?;
    let (order, after, before) = bounds(query)?;
    let canonical = format!("{id} {order:?} {after:?} {before:?}");
    let cursors = SignedCursors {
        key: platform.config().signing_key()?,
        scope: CursorScope {
            list: "messages",
            owner: tenant.as_str(),
            filter: &canonical,
        },
        now: platform.time().now(),
    };
    let start = page.start(&cursors, parse_position)?;
    match find(platform, &call.caller, &id).await {
        Err(error) if call.caller.visitor().is_some() && error.status() == 404 => {
            return page::respond::<MessageObject>(&cursors, Vec::new(), None);
        }
        found => found?,
    };
    let mut range = Range {
        after: position_of(platform, tenant, &id, "after", after).await?,
        before: position_of(platform, tenant, &id, "before", before).await?,
    };
    // The items of earlier pages are within the range, so the cursor is its nearer end.
    match order {
        SortOrder::Forward => range.after = start.or(range.after),
        SortOrder::Backward => range.before = start.or(range.before),
    }
    let found = messages::page(platform.sql(), tenant, &id, range, order, page.limit).await?;
    let last = found.messages.last().filter(|_| found.has_more);
    let next = last.map(position);
    let items = found.messages.into_iter().map(message_object);
    page::respond(&cursors, items.collect(), next)
}

/// Deletes one message. The turn around it stays, and so does its cost.
///
/// # Errors
/// 404 if there is no such session or message.
pub async fn delete<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let platform = &*call.platform;
    let (tenant, now) = (&call.caller.tenant().id, platform.time().now());
    let id = session_id(call.param("id"))?;
    let message: MessageId = call
        .param("message_id")
        .parse()
        .map_err(|error| invalid("message_id", format!("Invalid message id: {error}.")))?;
    let session = find(platform, &call.caller, &id).await?;
    // Even if there is none: an earlier try may have failed in the middle.
    let remove = messages::remove(platform.sql(), tenant, &id, &message, now);
    let named = (&id, Some(session.head));
    let removed = stale::change(platform, tenant, named, Storage::ZERO, remove, |removed| {
        *removed
    });
    if removed.await?.is_none() {
        let message = "There is no such message in this session.";
        return Err(ApiError::new(ErrorCode::ResourceNotFound, message));
    }
    HttpResponse::of(&Deleted::new(message.as_str(), "session.message.deleted"))
}

/// The order of the list, and the messages after and before which it lies.
type Bounds = (SortOrder, Option<MessageId>, Option<MessageId>);

fn bounds(mut query: Query<'_>) -> Result<Bounds, ApiError> {
    let order = match query.take("order")?.as_deref() {
        None | Some("asc") => SortOrder::Forward,
        Some("desc") => SortOrder::Backward,
        Some(_) => {
            let message = "Invalid `order`: expected `asc` or `desc`.".to_owned();
            return Err(invalid("order", message));
        }
    };
    let expected = "the id of a message";
    let after = query.parse("after", expected)?;
    let before = query.parse("before", expected)?;
    Ok((order, after, before))
}

/// The position of the message that a parameter names.
async fn position_of<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: &SessionId,
    param: &str,
    id: Option<MessageId>,
) -> Result<Option<MessagePosition>, ApiError> {
    let Some(id) = id else { return Ok(None) };
    let position = messages::position(platform.sql(), tenant, session, &id).await?;
    let missing = || {
        let message = format!("`{param}` is not a message of this session.");
        invalid(param, message)
    };
    position.map(Some).ok_or_else(missing)
}

fn position(listed: &ListedMessage) -> String {
    format!("{}:{}", listed.position.seq, listed.position.position)
}

fn parse_position(text: &str) -> Option<MessagePosition> {
    let (seq, position) = text.split_once(':')?;
    Some(MessagePosition {
        seq: seq.parse().ok()?,
        position: position.parse().ok()?,
    })
}
