//! The session that a path names.

use clawless_core::{ApiError, Clock, Session, SessionId};
use clawless_store::sessions;

use crate::caller::Caller;
use crate::chat::model::session::session_not_found;
use crate::platform::Platform;

/// Parses the id in the path.
pub(in crate::http) fn session_id(text: &str) -> Result<SessionId, ApiError> {
    clawless_api::fields::check_session_id(text, "session_id")
}

/// Finds the caller's session.
///
/// # Errors
/// 404 if the tenant has no such session.
pub(in crate::http) async fn find<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &SessionId,
) -> Result<Session, ApiError> {
    let (tenant, now) = (&caller.tenant().id, platform.time().now());
    let session = sessions::find(platform.sql(), tenant, id, now).await?;
    session.ok_or_else(session_not_found)
}
