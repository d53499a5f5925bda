//! The session of a visitor: a new one, or the one that the visitor's secret continues.

use clawless_api::widget::OpenSession;
use clawless_core::keys::KeyDigest;
use clawless_core::time::Millis;
use clawless_core::widget::{UserId, new_visitor_secret};
use clawless_core::{ApiError, Clock, SessionId};
use clawless_store::widget_sessions::{self, NewVisitor};

use crate::caller::Caller;
use crate::platform::Platform;

/// How long after its last opening a conversation can be continued.
const VISITOR_TTL: Millis = Millis::from_secs(30 * 24 * 60 * 60);
/// How much of this time may be over before a continuation extends it: at most one write a day.
const EXTENSION_STEP: Millis = Millis::from_secs(24 * 60 * 60);

/// A visitor's session.
#[derive(Debug)]
pub(super) struct Conversation {
    /// The session.
    pub(super) session: SessionId,
    /// The secret that continues it, if it is new.
    pub(super) secret: Option<String>,
}

/// Continues the session that a request names if its secret and its user are those of the session, and
/// opens a new one otherwise: a conversation that was deleted starts over.
///
/// # Errors
/// 503 if storage does not respond.
pub(super) async fn open<P: Platform>(
    platform: &P,
    caller: &Caller,
    request: &OpenSession,
    user: Option<&UserId>,
) -> Result<Conversation, ApiError> {
    if let Some(session) = find(platform, caller, request, user).await? {
        return Ok(Conversation {
            session,
            secret: None,
        });
    }
    let now = platform.time().now();
    let session = SessionId::generate_for_visitor(now, platform.entropy());
    let secret = new_visitor_secret(platform.entropy());
    let visitor = NewVisitor {
        session: &session,
        key: &caller.key().id,
        hash: KeyDigest::from_secret(&secret),
        user: user.map(UserId::as_str),
        now,
        expires_at: now.plus(VISITOR_TTL),
    };
    widget_sessions::insert(platform.sql(), &caller.tenant().id, &visitor).await?;
    Ok(Conversation {
        session,
        secret: Some(secret),
    })
}

async fn find<P: Platform>(
    platform: &P,
    caller: &Caller,
    request: &OpenSession,
    user: Option<&UserId>,
) -> Result<Option<SessionId>, ApiError> {
    let (sql, tenant) = (platform.sql(), &caller.tenant().id);
    let session = request.conversation.as_deref();
    let session = session.and_then(|id| id.parse::<SessionId>().ok());
    let Some((session, secret)) = session.zip(request.visitor_secret.as_deref()) else {
        return Ok(None);
    };
    let now = platform.time().now();
    let Some(visitor) = widget_sessions::find(sql, tenant, &session, now).await? else {
        return Ok(None);
    };
    let is_theirs = visitor.hash.matches(&KeyDigest::from_secret(secret))
        && visitor.user.as_deref() == user.map(UserId::as_str);
    if !is_theirs {
        return Ok(None);
    }
    let end = now.plus(VISITOR_TTL);
    if end.since(visitor.expires_at) >= EXTENSION_STEP {
        widget_sessions::extend(sql, tenant, &session, end).await?;
    }
    Ok(Some(session))
}
