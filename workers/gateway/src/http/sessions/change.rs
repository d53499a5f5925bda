//! Creating, updating, resetting and deleting sessions.

use clawless_api::sessions::{Deleted, SessionObject, parse_change, parse_new};
use clawless_core::{ApiError, Clock, ErrorCode, SessionId};
use clawless_edge::http::{Call, HttpResponse};
use clawless_store::sessions;

use super::find::{find, session_id};
use super::stale::{self, forget};
use crate::caller::Caller;
use crate::chat::model::session::session_not_found;
use crate::http::models::require_known;
use crate::platform::Platform;

/// The largest body of these routes, in bytes.
const BODY_LIMIT: usize = 256 * 1024;

/// `POST /v1/sessions`.
///
/// # Errors
/// 400 that names the parameter at fault, 404 for an unknown model, 409 if the tenant has a session
/// of the chosen name, 413 and 415 for the body.
pub async fn create<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let (platform, caller) = (&*call.platform, &call.caller);
    let (tenant, now) = (&caller.tenant().id, platform.time().now());
    let (chosen, new) = parse_new(&call.body.read(BODY_LIMIT).await?, now)?;
    require_known(platform.config(), caller, new.model.as_deref())?;
    let id = chosen.unwrap_or_else(|| SessionId::generate(now, platform.entropy()));
    let created = sessions::create(platform.sql(), tenant, &id, &new, now).await?;
    let session = created.ok_or_else(|| {
        ApiError::new(
            ErrorCode::Conflict,
            "There is a session of this name already.",
        )
        .param("id")
    })?;
    // A turn may have used the name meanwhile, and created a session without these settings.
    forget(platform, tenant, &id).await?;
    HttpResponse::of(&SessionObject::from(&session))
}

/// `PATCH /v1/sessions/{id}`: sets the members of the body; `null` removes a setting.
///
/// # Errors
/// As [`create`], and 404 if there is no such session.
pub async fn update<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    call.head.require_json()?;
    let (platform, caller) = (&*call.platform, &call.caller);
    let (tenant, now) = (&caller.tenant().id, platform.time().now());
    let id = session_id(call.param("id"))?;
    let change = parse_change(&call.body.read(BODY_LIMIT).await?, now)?;
    let model = change.model.as_ref().and_then(Option::as_deref);
    require_known(platform.config(), caller, model)?;
    let before = find(platform, caller, &id).await?;
    let update = sessions::update(platform.sql(), tenant, &id, &change, now);
    let updated = stale::change(platform, tenant, &id, Some(before.head), update).await?;
    let session = updated.ok_or_else(session_not_found)?;
    HttpResponse::of(&SessionObject::from(&session))
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
    stale::change(platform, tenant, &id, Some(before.head), reset).await?;
    let session = find(platform, caller, &id).await?;
    HttpResponse::of(&SessionObject::from(&session))
}

/// `DELETE /v1/sessions/{id}`: the session with its messages and tool executions. A turn that is still
/// running is not stored.
///
/// # Errors
/// 404 if there is no such session.
pub async fn delete<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let platform = &*call.platform;
    let (tenant, now) = (&call.caller.tenant().id, platform.time().now());
    let id = session_id(call.param("id"))?;
    let before = sessions::find(platform.sql(), tenant, &id, now).await?;
    let head = before.map(|session| session.head);
    // Even if there is none: an earlier try may have failed in the middle.
    let delete = sessions::delete(platform.sql(), tenant, &id, now);
    if !stale::change(platform, tenant, &id, head, delete).await? {
        return Err(session_not_found());
    }
    HttpResponse::of(&Deleted::new(id.as_str(), "session.deleted"))
}
