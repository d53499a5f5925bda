//! `GET /v1/sessions/{id}/export`: all of a session as one JSON document.

use std::rc::Rc;

use clawless_api::sessions::SessionObject;
use clawless_core::{ApiError, Clock, SessionId, TenantId, Timestamp};
use clawless_edge::response::{Body, HttpResponse};
use clawless_store::messages::{self, Page, Range, SortOrder};
use futures_util::StreamExt;
use futures_util::stream::{self, once};
use serde::Serialize;

use super::messages::message_object;
use super::{found, reading, session_id};
use crate::caller::Caller;
use crate::platform::Platform;

/// How many messages are read at once, where they are short.
const PAGE: u32 = 100;

/// Writes a session and all its messages, page by page, so that a long one needs no memory. Where
/// storage fails in the middle the document breaks off, and is no JSON.
///
/// # Errors
/// 404 where there is no such session, 403 without the scope `sessions:read`.
pub async fn export<P: Platform>(
    platform: &Rc<P>,
    caller: &Caller,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    reading(&**platform, caller, async {
        let id = session_id(id)?;
        let session = found(&**platform, caller, &id).await?;
        let now = platform.time().now();
        let start = opening(&SessionObject::from(&session), now)?;
        let source = Source {
            platform: platform.clone(),
            tenant: caller.tenant().id.clone(),
            session: id,
            range: Range::default(),
            is_first: true,
        };
        // The first page before the answer begins: what fails at once is an error like any other.
        let (first, source) = source.next().await?;
        let rest = stream::unfold(source, |source| async {
            match source?.next().await {
                Ok((text, source)) => Some((text.into_bytes(), source)),
                Err(error) => {
                    tracing::error!(internal = error.internal, "an export broke off");
                    None
                }
            }
        });
        let head = once(async move { (start + &first).into_bytes() });
        Ok(HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: Body::JsonPieces(head.chain(rest).boxed_local()),
        })
    })
    .await
}

/// The document up to its messages.
fn opening(session: &SessionObject<'_>, now: Timestamp) -> Result<String, ApiError> {
    let session = json(session)?;
    let now = now.as_secs();
    Ok(format!(
        r#"{{"object":"session.export","exported_at":{now},"session":{session},"messages":["#
    ))
}

fn json(value: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(ApiError::internal)
}

/// The messages that are still to come.
struct Source<P> {
    platform: Rc<P>,
    tenant: TenantId,
    session: SessionId,
    range: Range,
    is_first: bool,
}

impl<P: Platform> Source<P> {
    /// The next page as text, and what comes after it; after the last page comes the document's end.
    async fn next(mut self) -> Result<(String, Option<Self>), ApiError> {
        let (sql, order) = (self.platform.sql(), SortOrder::Forward);
        let page = messages::page(sql, &self.tenant, &self.session, self.range, order, PAGE);
        let Page { messages, has_more } = page.await?;
        self.range.after = messages.last().map(|last| last.place).or(self.range.after);
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
        text += "]}";
        Ok((text, None))
    }
}
