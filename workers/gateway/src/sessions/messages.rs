//! `GET /v1/sessions/{id}/messages` and `DELETE /v1/sessions/{id}/messages/{id}`.

use clawless_api::sessions::{Deleted, MessageObject};
use clawless_core::cursor::CursorScope;
use clawless_core::{ApiError, Clock, ErrorCode, MessageId, SessionId, TenantId};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use clawless_store::messages::{self, ListedMessage, MessagePosition, Range, SortOrder};

use super::{changing, found, moving, reading, session_id};
use crate::caller::Caller;
use crate::page::{Listing, Query, invalid};
use crate::platform::Platform;

/// Lists what was said in a session, in either order, page by page. `after` and `before` name
/// messages, and speak of the conversation whatever the order.
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
        let order = match query.take("order")?.as_deref() {
            None | Some("asc") => SortOrder::Forward,
            Some("desc") => SortOrder::Backward,
            Some(_) => {
                return Err(invalid(
                    "order",
                    "Invalid `order`: expected `asc` or `desc`.".into(),
                ));
            }
        };
        let expected = "the id of a message";
        let after: Option<MessageId> = query.read("after", expected)?;
        let before: Option<MessageId> = query.read("before", expected)?;
        query.end()?;
        let spelt = format!("{id} {order:?} {after:?} {before:?}");
        let listing = Listing {
            key: platform.config().signing_key()?,
            scope: CursorScope {
                list: "messages",
                owner: tenant.as_str(),
                filter: &spelt,
            },
            now: platform.time().now(),
        };
        let start = listing.open(cursor.as_deref(), place)?;
        found(platform, caller, &id).await?;
        let mut range = Range {
            after: known(platform, tenant, &id, "after", after).await?,
            before: known(platform, tenant, &id, "before", before).await?,
        };
        // What came on the pages before lies within the range, so the cursor is its nearer end.
        match order {
            SortOrder::Forward => range.after = start.or(range.after),
            SortOrder::Backward => range.before = start.or(range.before),
        }
        let found = messages::page(platform.sql(), tenant, &id, range, order, limit).await?;
        let (messages, has_more) = (found.messages, found.has_more);
        listing.page(messages, has_more, place_of, message_object)
    })
    .await
}

/// Deletes one message. The turn around it stays, and so does what it cost.
///
/// # Errors
/// 404 where there is no such session or message, 403 without the scope `sessions:write`.
pub async fn remove<P: Platform>(
    platform: &P,
    caller: &Caller,
    session: &str,
    message: &str,
) -> Result<HttpResponse, ApiError> {
    changing(platform, caller, async {
        let (tenant, now) = (&caller.tenant().id, platform.time().now());
        let id = session_id(session)?;
        let message: MessageId = message
            .parse()
            .map_err(|error| invalid("message_id", format!("Invalid message id: {error}.")))?;
        let session = found(platform, caller, &id).await?;
        // Even where there is none: an earlier try may have failed in the middle.
        let remove = messages::remove(platform.sql(), tenant, &id, &message, now);
        if !moving(platform, tenant, &id, Some(session.head), remove).await? {
            let message = "There is no such message in this session.";
            return Err(ApiError::new(ErrorCode::ResourceNotFound, message));
        }
        HttpResponse::of(&Deleted::new(message.as_str(), "session.message.deleted"))
    })
    .await
}

/// Where a message stands that a parameter names.
async fn known<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: &SessionId,
    param: &str,
    id: Option<MessageId>,
) -> Result<Option<MessagePosition>, ApiError> {
    let Some(id) = id else { return Ok(None) };
    let place = messages::place(platform.sql(), tenant, session, &id).await?;
    let missing = || {
        invalid(
            param,
            format!("`{param}` names no message of this session."),
        )
    };
    place.map(Some).ok_or_else(missing)
}

/// A stored message as the API shows it.
pub(super) fn message_object(listed: ListedMessage) -> MessageObject {
    MessageObject::new(
        listed.id,
        listed.message,
        listed.request,
        listed.model,
        listed.incomplete_reason,
        listed.created_at,
    )
}

fn place_of(listed: &ListedMessage) -> String {
    format!("{}:{}", listed.place.seq, listed.place.position)
}

fn place(text: &str) -> Option<MessagePosition> {
    let (seq, position) = text.split_once(':')?;
    Some(MessagePosition {
        seq: seq.parse().ok()?,
        position: position.parse().ok()?,
    })
}
