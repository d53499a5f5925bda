//! Creating, updating, resetting and deleting sessions.

use clawless_api::sessions::{Deleted, SessionObject, parse_change, parse_new};
use clawless_core::session::{Change, Session};
use clawless_core::time::Millis;
use clawless_core::{ApiError, Clock, ErrorCode, SessionId, Storage, Timestamp};
use clawless_edge::http::{Call, HttpResponse};
use clawless_store::sessions;

use super::find::{find, session_id};
use super::stale;
use crate::caller::Caller;
use crate::chat::model::session::session_not_found;
use crate::http::models::require_known;
use crate::http::widget::running_turn;
use crate::platform::Platform;

/// The largest body of these routes, in bytes.
const BODY_LIMIT: usize = 256 * 1024;
/// When to try again to delete a session whose first turn runs.
const RETRY_AFTER_FIRST_TURN: Millis = Millis::from_secs(2);

/// `POST /v1/sessions`.
///
/// # Errors
/// 400 that names the parameter at fault, 404 for an unknown model, 409 if the tenant has a session
/// of the chosen name, 413 and 415 for the body, 429 for a storage quota.
pub async fn create<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let (platform, caller) = (&*call.platform, &call.caller);
    let (tenant, now) = (&caller.tenant().id, platform.time().now());
    let (chosen, new) = parse_new(&call.body.read(BODY_LIMIT).await?, now)?;
    require_known(platform.config(), caller, new.model.as_deref())?;
    let id = chosen.unwrap_or_else(|| SessionId::generate(now, platform.entropy()));
    let added = Storage {
        sessions: 1,
        messages: 0,
        bytes: new.settings_bytes(),
    };
    let create = sessions::create(platform.sql(), tenant, &id, &new, now);
    // A turn may have used the name meanwhile, and created a session without these settings.
    let created = stale::change(platform, tenant, (&id, None), added, create, |_| {
        Storage::ZERO
    });
    let session = created.await?.ok_or_else(|| {
        ApiError::new(
            ErrorCode::Conflict,
            "There is a session of this name already.",
        )
        .param("id")
    })?;
    HttpResponse::of(&SessionObject::from(&session))
}

/// `PATCH /v1/sessions/{id}`: sets the members of the body; `null` removes a setting.
///
/// # Errors
/// As [`create`], and 404 if there is no such session.
pub async fn update<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let (platform, caller) = (&*call.platform, &call.caller);
    let now = platform.time().now();
    let id = session_id(call.param("id"))?;
    let change = parse_change(&call.body.read(BODY_LIMIT).await?, now)?;
    let model = change.model.as_ref().and_then(Option::as_deref);
    require_known(platform.config(), caller, model)?;
    let session = change_settings(platform, caller, &id, &change, now).await?;
    HttpResponse::of(&SessionObject::from(&session))
}

/// Changes the settings of a session.
///
/// # Errors
/// 404 if there is no such session, 429 for a storage quota.
pub(in crate::http) async fn change_settings<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &SessionId,
    change: &Change,
    now: Timestamp,
) -> Result<Session, ApiError> {
    let tenant = &caller.tenant().id;
    let before = find(platform, caller, id).await?;
    let (old, new) = (before.settings_bytes(), before.settings_bytes_after(change));
    let (added, removed) = (
        bytes(new.saturating_sub(old)),
        bytes(old.saturating_sub(new)),
    );
    let update = sessions::update(platform.sql(), tenant, id, change, now);
    let named = (id, Some(before.head));
    let updated = stale::change(platform, tenant, named, added, update, |_| removed).await?;
    updated.ok_or_else(session_not_found)
}

/// `POST /v1/sessions/{id}/reset`: deletes all messages and keeps the settings. A turn that is still
/// running is not stored.
///
/// # Errors
/// 404 if there is no such session.
pub async fn reset<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, caller) = (&*call.platform, &call.caller);
    let (tenant, now) = (&caller.tenant().id, platform.time().now());
    let id = session_id(call.param("id"))?;
    let before = find(platform, caller, &id).await?;
    let reset = sessions::reset(platform.sql(), tenant, &id, now);
    let named = (&id, Some(before.head));
    stale::change(platform, tenant, named, Storage::ZERO, reset, |removed| {
        *removed
    })
    .await?;
    let session = find(platform, caller, &id).await?;
    HttpResponse::of(&SessionObject::from(&session))
}

/// `DELETE /v1/sessions/{id}`: the session with its messages and tool executions. A turn that is still
/// running is not stored.
///
/// # Errors
/// 404 if there is no such session; for a visitor's, 409 while its first turn runs.
pub async fn delete<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let id = remove(call).await?;
    HttpResponse::of(&Deleted::new(id.as_str(), "session.deleted"))
}

/// Deletes the session that the path names, and returns its id.
///
/// # Errors
/// 404 if there is no such session; for a visitor's, 409 while its first turn runs.
pub(in crate::http) async fn remove<P: Platform>(
    call: &Call<P, Caller>,
) -> Result<SessionId, ApiError> {
    let platform = &*call.platform;
    let (tenant, now) = (&call.caller.tenant().id, platform.time().now());
    let id = session_id(call.param("id"))?;
    let before = sessions::find(platform.sql(), tenant, &id, now).await?;
    let head = before.map(|session| session.head);
    let is_visitor = call.caller.visitor().is_some();
    if is_visitor && head.is_none() {
        check_idle(platform, &call.caller, &id).await?;
    }
    // Even if there is none: an earlier try may have failed in the middle.
    let delete = sessions::delete(platform.sql(), tenant, &id, now);
    let named = (&id, head);
    let deleted = stale::change(platform, tenant, named, Storage::ZERO, delete, |removed| {
        *removed
    });
    // A visitor's session does not exist before its first turn is stored.
    if deleted.await?.is_none() && !is_visitor {
        return Err(session_not_found());
    }
    Ok(id)
}

/// Checks that no turn of a session runs.
///
/// # Errors
/// 409 if one does.
async fn check_idle<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &SessionId,
) -> Result<(), ApiError> {
    if running_turn(platform, caller, id).await?.is_none() {
        return Ok(());
    }
    let message = "The first answer is not stored yet. Try again when it is.";
    let busy = ApiError::new(ErrorCode::SessionBusy, message);
    Err(busy.retry_after(RETRY_AFTER_FIRST_TURN))
}

/// Content of this many bytes.
const fn bytes(bytes: u64) -> Storage {
    Storage {
        sessions: 0,
        messages: 0,
        bytes,
    }
}
