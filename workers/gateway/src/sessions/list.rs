//! `GET /v1/sessions`.

use clawless_api::sessions::SessionObject;
use clawless_core::cursor::CursorScope;
use clawless_core::{ApiError, Clock, Timestamp};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use clawless_store::sessions::{self, Filter, ListStart};

use super::reading;
use crate::caller::Caller;
use crate::page::{Listing, Query, invalid};
use crate::platform::Platform;

/// The longest text that a filter looks for, in bytes: that of the longest label.
const MAX_FILTER_BYTES: usize = 4 * 512;
/// The most labels that a filter names: as many as a session can have.
const MAX_LABELS: usize = 16;

/// Lists the tenant's sessions, newest first, page by page.
///
/// # Errors
/// 400 for a parameter that is unknown or wrong, and for a cursor that is not of this list; 403
/// without the scope `sessions:read`.
pub async fn list<P: Platform>(
    platform: &P,
    caller: &Caller,
    head: &RequestHead,
) -> Result<HttpResponse, ApiError> {
    reading(platform, caller, async {
        let (tenant, now) = (&caller.tenant().id, platform.time().now());
        let mut query = Query::of(head);
        let (limit, cursor) = (query.limit()?, query.take("cursor")?);
        let filter = filter(query)?;
        let spelt = format!("{filter:?}");
        let listing = Listing {
            key: platform.config().signing_key()?,
            scope: CursorScope {
                list: "sessions",
                owner: tenant.as_str(),
                filter: &spelt,
            },
            now,
        };
        let after = listing.open(cursor.as_deref(), place)?;
        let found = sessions::page(
            platform.sql(),
            tenant,
            &filter,
            after.as_ref(),
            limit + 1,
            now,
        )
        .await?;
        let place_of = |session: &&clawless_core::Session| {
            format!("{}:{}", session.created_at.as_millis(), session.id)
        };
        listing.answer(found.iter().collect(), limit, place_of, SessionObject::from)
    })
    .await
}

fn filter(mut query: Query<'_>) -> Result<Filter, ApiError> {
    let mut moment = |name| -> Result<Option<Timestamp>, ApiError> {
        let secs: Option<u64> = query.read(name, "a moment in seconds since 1970 (UTC)")?;
        Ok(secs.map(|secs| Timestamp::from_millis(secs.saturating_mul(1000))))
    };
    let (created_from, created_before) = (moment("created_after")?, moment("created_before")?);
    let title = query.take("title")?;
    let labels = query.take_map("metadata");
    query.end()?;
    let is_fit = |text: &str| text.len() <= MAX_FILTER_BYTES && !text.contains('\0');
    if !title.as_deref().is_none_or(is_fit) {
        return Err(invalid(
            "title",
            "Invalid `title`: too long, or holds NUL.".to_owned(),
        ));
    }
    let fits = labels
        .iter()
        .all(|(key, value)| is_fit(key) && is_fit(value));
    if !fits || labels.len() > MAX_LABELS {
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

fn place(text: &str) -> Option<ListStart> {
    let (created_at, id) = text.split_once(':')?;
    Some(ListStart {
        created_at: Timestamp::from_millis(created_at.parse().ok()?),
        id: id.parse().ok()?,
    })
}
