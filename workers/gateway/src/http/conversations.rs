//! `/v1/conversations`: sessions under `OpenAI`'s name. The rows and scopes are the same.

use clawless_api::responses::{
    ConversationObject, ItemReference, ListedItem, item_list, items_of, parse_conversation,
};
use clawless_api::sessions::Deleted;
use clawless_core::session::{Change, NewSession};
use clawless_core::{ApiError, Clock, MessageId, SessionId, Storage};
use clawless_edge::http::query::invalid;
use clawless_edge::http::{Call, HttpResponse};
use clawless_store::messages::{self, MessagePosition, Range, SortOrder};
use clawless_store::sessions;

use super::items::{ItemPage, Order};
use super::sessions::{change_settings, find, stale};
use crate::caller::Caller;
use crate::platform::Platform;

/// The largest body of these routes, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// `POST /v1/conversations`.
///
/// # Errors
/// 400 that names the invalid parameter, 413 and 415 for the body, 429 for a storage quota.
pub async fn create<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let now = platform.time().now();
    // Without settings no body is needed.
    if call.body.load(BODY_LIMIT).await? > 0 {
        call.head.require_json()?;
    }
    let metadata = parse_conversation(&call.body.read(BODY_LIMIT).await?)?;
    let new = NewSession {
        metadata: metadata.unwrap_or_default(),
        ..NewSession::default()
    };
    let id = SessionId::generate(now, platform.entropy());
    let added = Storage {
        sessions: 1,
        messages: 0,
        bytes: new.settings_bytes(),
    };
    let create = sessions::create(platform.sql(), tenant, &id, &new, now);
    let none = |_: &_| Storage::ZERO;
    let created = stale::change(platform, tenant, (&id, None), added, create, none).await?;
    let session = created.ok_or_else(|| ApiError::internal("a generated id exists already"))?;
    HttpResponse::of(&ConversationObject::from(&session))
}

/// `GET /v1/conversations/{id}`.
///
/// # Errors
/// 404 if there is no such session.
pub async fn show<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let id = find::session_id(call.param("id"))?;
    let session = find::find(&*call.platform, &call.caller, &id).await?;
    HttpResponse::of(&ConversationObject::from(&session))
}

/// `POST /v1/conversations/{id}`: replaces the labels, if the body has them.
///
/// # Errors
/// As [`create`], and 404 if there is no such session.
pub async fn update<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let platform = &*call.platform;
    let now = platform.time().now();
    let id = find::session_id(call.param("id"))?;
    let metadata = parse_conversation(&call.body.read(BODY_LIMIT).await?)?;
    let change = Change {
        metadata,
        ..Change::default()
    };
    let session = change_settings(platform, &call.caller, &id, &change, now).await?;
    HttpResponse::of(&ConversationObject::from(&session))
}

/// `DELETE /v1/conversations/{id}`: the session with its responses.
///
/// # Errors
/// 404 if there is no such session.
pub async fn delete<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let id = super::sessions::remove(call).await?;
    HttpResponse::of(&Deleted::new(id.as_str(), "conversation.deleted"))
}

/// `GET /v1/conversations/{id}/items`: the items of a session's messages, newest first by default.
///
/// # Errors
/// 404 if there is no such session; 400 for an invalid parameter.
pub async fn list_items<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let id = find::session_id(call.param("id"))?;
    let mut page = ItemPage::take(&mut call.query())?;
    find::find(platform, &call.caller, &id).await?;
    let mut range = Range::default();
    if let Some(after) = &page.after {
        // The page begins within the items of this message.
        let position = position_of(platform, tenant, &id, after).await?;
        match page.order {
            Order::OldestFirst => range.after = before(position),
            Order::NewestFirst => range.before = Some(next(position)),
        }
    }
    let order = match page.order {
        Order::OldestFirst => SortOrder::Forward,
        Order::NewestFirst => SortOrder::Backward,
    };
    // One more than needed, for the message that the page begins with.
    let limit = u32::try_from(page.limit)
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    loop {
        let found = messages::page(platform.sql(), tenant, &id, range, order, limit).await?;
        let mut items: Vec<ListedItem> = Vec::new();
        for listed in &found.messages {
            let found = items_of(&listed.message, listed.id.as_str());
            let mut found = found.map_err(ApiError::internal)?;
            if page.order == Order::NewestFirst {
                found.reverse();
            }
            items.extend(found);
        }
        let (items, has_more) = page.cut(items)?;
        match found.messages.last() {
            // A long message may fill the page up to the item that it begins after.
            Some(last) if items.is_empty() && found.has_more => {
                page.after = None;
                match page.order {
                    Order::OldestFirst => range.after = Some(last.position),
                    Order::NewestFirst => range.before = Some(last.position),
                }
            }
            _ => {
                let has_more = has_more || found.has_more;
                return Ok(HttpResponse::json(item_list(&items, has_more)));
            }
        }
    }
}

/// The position of the message that an item belongs to.
async fn position_of<P: Platform>(
    platform: &P,
    tenant: &clawless_core::TenantId,
    session: &SessionId,
    item: &str,
) -> Result<MessagePosition, ApiError> {
    let unknown = || invalid("after", "`after` is not an item of this conversation.");
    let reference = ItemReference::parse(item).ok_or_else(unknown)?;
    let message = format!("{}{}", MessageId::PREFIX, reference.owner);
    let message: MessageId = message.parse().map_err(|_| unknown())?;
    let position = messages::position(platform.sql(), tenant, session, &message).await?;
    position.ok_or_else(unknown)
}

/// The position before another one; `None` for the first of all.
fn before(position: MessagePosition) -> Option<MessagePosition> {
    let MessagePosition { seq, position } = position;
    match position.checked_sub(1) {
        Some(position) => Some(MessagePosition { seq, position }),
        None => seq.checked_sub(1).map(|seq| MessagePosition {
            seq,
            position: u32::MAX,
        }),
    }
}

/// The position after another one.
const fn next(position: MessagePosition) -> MessagePosition {
    MessagePosition {
        position: position.position.saturating_add(1),
        ..position
    }
}
