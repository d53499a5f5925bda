//! `GET /v1/sessions`.

use clawless_api::sessions::SessionObject;
use clawless_core::cursor::CursorScope;
use clawless_core::{ApiError, Clock, Session, SessionId, Timestamp};
use clawless_edge::http::page::{PageRequest, SignedCursors};
use clawless_edge::http::query::{Query, invalid};
use clawless_edge::http::{Call, HttpResponse};
use clawless_store::sessions::{self, Filter, ListStart};

use crate::caller::Caller;
use crate::platform::Platform;

/// The longest text in a filter, in bytes: the length of the longest label.
const MAX_FILTER_BYTES: usize = 4 * 512;
/// The largest number of labels in a filter: as many as a session can have.
const MAX_LABELS: usize = 16;

/// Lists the tenant's sessions, newest first, page by page.
///
/// # Errors
/// 400 for a parameter that is unknown or invalid, and for a cursor of another list.
pub async fn list<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let now = platform.time().now();
    let mut query = call.query();
    let page = PageRequest::take(&mut query)?;
    let filter = filter(query)?;
    let canonical = format!("{filter:?}");
    let cursors = SignedCursors {
        key: platform.config().signing_key()?,
        scope: CursorScope {
            list: "sessions",
            owner: tenant.as_str(),
            filter: &canonical,
        },
        now,
    };
    let after = page.start(&cursors, parse_position)?;
    let (sql, after, limit) = (platform.sql(), after.as_ref(), page.read_limit());
    let bytes = usize::try_from(sessions::MAX_PAGE_BYTES).unwrap_or(usize::MAX);
    let _held = call.permit.hold_more(bytes, now)?;
    let found = sessions::page(sql, tenant, &filter, after, limit, now).await?;
    page.respond(
        &cursors,
        found.iter().collect(),
        |session| position(session),
        SessionObject::from,
    )
}

fn filter(mut query: Query<'_>) -> Result<Filter, ApiError> {
    let mut moment = |name| -> Result<Option<Timestamp>, ApiError> {
        let secs: Option<u64> = query.parse(name, "a moment in seconds since 1970 (UTC)")?;
        Ok(secs.map(|secs| Timestamp::from_millis(secs.saturating_mul(1000))))
    };
    let (created_from, created_before) = (moment("created_after")?, moment("created_before")?);
    let title = query.take("title")?;
    let labels = query.take_map("metadata");
    let is_valid = |text: &str| text.len() <= MAX_FILTER_BYTES && !text.contains('\0');
    if !title.as_deref().is_none_or(is_valid) {
        return Err(invalid(
            "title",
            "Invalid `title`: too long, or contains NUL.".to_owned(),
        ));
    }
    let are_valid = labels
        .iter()
        .all(|(key, value)| is_valid(key) && is_valid(value));
    if !are_valid || labels.len() > MAX_LABELS {
        let message = format!("Invalid `metadata`: at most {MAX_LABELS} labels, without NUL.");
        return Err(invalid("metadata", message));
    }
    Ok(Filter {
        created_from,
        created_before,
        title,
        metadata: labels.into_iter().collect(),
    })
}

fn position(session: &Session) -> String {
    format!("{}:{}", session.created_at.as_millis(), session.id)
}

fn parse_position(text: &str) -> Option<ListStart> {
    let (created_at, id) = text.split_once(':')?;
    Some(ListStart {
        created_at: Timestamp::from_millis(created_at.parse().ok()?),
        id: SessionId::from_stored(id).ok()?,
    })
}
