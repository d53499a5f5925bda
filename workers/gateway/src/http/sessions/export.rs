//! `GET /v1/sessions/{id}/export`: all of a session as one JSON document.

use std::rc::Rc;

use clawless_api::sessions::{SessionExport, SessionObject};
use clawless_core::{ApiError, Clock, SessionId, TenantId, Timestamp};
use clawless_edge::http::response::JSON;
use clawless_edge::http::{Body, Call, HttpResponse, Interrupted};
use clawless_store::messages::{self, Page, Range, SortOrder};
use futures_util::StreamExt;
use futures_util::stream::{self, once};
use serde::Serialize;

use super::find::{find, session_id};
use super::message_object::message_object;
use crate::caller::Caller;
use crate::platform::Platform;

/// The largest number of messages read at once. The store reads fewer if they are long.
const PAGE_LIMIT: u32 = 100;

/// Writes a session and all its messages, page by page: one page is in memory, and the next one is read
/// when the client has taken it. If storage fails in the middle, the connection is closed.
///
/// # Errors
/// 404 if there is no such session.
pub async fn export<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let id = session_id(call.param("id"))?;
    let session = find(&*call.platform, &call.caller, &id).await?;
    let now = call.platform.time().now();
    let start = opening(SessionObject::from(&session), now)?;
    let messages = RemainingMessages {
        platform: call.platform.clone(),
        tenant: call.caller.tenant().id.clone(),
        session: id,
        range: Range::default(),
        is_first: true,
    };
    // The first page is read before the response starts: an early failure is an error like any other.
    let (first, remaining) = messages.next_page().await?;
    let rest = stream::unfold(remaining, |remaining| async {
        match remaining?.next_page().await {
            Ok((text, remaining)) => Some((Ok(text.into_bytes()), remaining)),
            Err(error) => {
                tracing::error!(internal = error.internal, "export session failed");
                Some((Err(Interrupted), None))
            }
        }
    });
    let start = once(async move { Ok((start + &first).into_bytes()) });
    let body = Body::Pages(JSON, start.chain(rest).boxed_local());
    Ok(HttpResponse::new(200, body))
}

/// The document up to its first message.
fn opening(session: SessionObject<'_>, now: Timestamp) -> Result<String, ApiError> {
    let mut text = json(&SessionExport::new(session, now))?;
    text.truncate(text.len().saturating_sub(SessionExport::END.len()));
    Ok(text)
}

fn json(value: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(ApiError::internal)
}

/// The messages that are not written yet.
struct RemainingMessages<P> {
    platform: Rc<P>,
    tenant: TenantId,
    session: SessionId,
    range: Range,
    is_first: bool,
}

impl<P: Platform> RemainingMessages<P> {
    /// The next page as text, and the messages after it. The last page contains the document's end.
    async fn next_page(mut self) -> Result<(String, Option<Self>), ApiError> {
        let (sql, order) = (self.platform.sql(), SortOrder::Forward);
        let page = messages::page(
            sql,
            &self.tenant,
            &self.session,
            self.range,
            order,
            PAGE_LIMIT,
        );
        let Page { messages, has_more } = page.await?;
        self.range.after = messages
            .last()
            .map(|last| last.position)
            .or(self.range.after);
        let mut text = String::new();
        for message in messages {
            if !std::mem::take(&mut self.is_first) {
                text.push(',');
            }
            text += &json(&message_object(message))?;
        }
        if has_more {
            return Ok((text, Some(self)));
        }
        text += SessionExport::END;
        Ok((text, None))
    }
}
