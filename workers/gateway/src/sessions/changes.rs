//! Making, changing, emptying and deleting sessions.

use clawless_api::sessions::{Deleted, SessionObject, parse_change, parse_new};
use clawless_core::{ApiError, Clock, ErrorCode, SessionId};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use clawless_store::sessions;

use super::{changing, forget, found, moving, no_such_session, session_id};
use crate::caller::Caller;
use crate::models::require_known;
use crate::platform::Platform;

/// `POST /v1/sessions`.
///
/// # Errors
/// 400 that names the parameter at fault, 404 for a model that is not there, 409 where the tenant
/// has a session of the chosen name, 413 and 415 for the body.
pub async fn create<P: Platform>(
    platform: &P,
    caller: &Caller,
    head: &RequestHead,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    changing(platform, caller, async {
        head.require_json()?;
        let (tenant, now) = (&caller.tenant().id, platform.time().now());
        let (chosen, new) = parse_new(&body.await?, now)?;
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
        // A turn may have used the name meanwhile, and made a session without these settings.
        forget(platform, tenant, &id).await?;
        HttpResponse::of(&SessionObject::from(&session))
    })
    .await
}

/// `PATCH /v1/sessions/{id}`: sets what the body names; `null` takes away.
///
/// # Errors
/// As [`create`], and 404 where there is no such session.
pub async fn update<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &str,
    head: &RequestHead,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
) -> Result<HttpResponse, ApiError> {
    changing(platform, caller, async {
        head.require_json()?;
        let (tenant, now) = (&caller.tenant().id, platform.time().now());
        let id = session_id(id)?;
        let change = parse_change(&body.await?, now)?;
        let model = change.model.as_ref().and_then(Option::as_deref);
        require_known(platform.config(), caller, model)?;
        let before = found(platform, caller, &id).await?;
        let update = sessions::update(platform.sql(), tenant, &id, &change, now);
        let updated = moving(platform, tenant, &id, Some(before.head), update).await?;
        let session = updated.ok_or_else(no_such_session)?;
        HttpResponse::of(&SessionObject::from(&session))
    })
    .await
}

/// `POST /v1/sessions/{id}/reset`: forgets all that was said, and keeps the settings. A turn that is
/// still running will not be stored.
///
/// # Errors
/// 404 where there is no such session, 403 without the scope `sessions:write`.
pub async fn reset<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    changing(platform, caller, async {
        let (tenant, now) = (&caller.tenant().id, platform.time().now());
        let id = session_id(id)?;
        let before = found(platform, caller, &id).await?;
        let reset = sessions::reset(platform.sql(), tenant, &id, now);
        moving(platform, tenant, &id, Some(before.head), reset).await?;
        let session = found(platform, caller, &id).await?;
        HttpResponse::of(&SessionObject::from(&session))
    })
    .await
}

/// `DELETE /v1/sessions/{id}`: with all that was said and done in it. A turn that is still running
/// will not be stored.
///
/// # Errors
/// 404 where there is no such session, 403 without the scope `sessions:write`.
pub async fn delete<P: Platform>(
    platform: &P,
    caller: &Caller,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    changing(platform, caller, async {
        let (tenant, now) = (&caller.tenant().id, platform.time().now());
        let id = session_id(id)?;
        let before = sessions::find(platform.sql(), tenant, &id, now).await?;
        let head = before.map(|session| session.head);
        // Even where there is none: an earlier try may have failed in the middle.
        let delete = sessions::delete(platform.sql(), tenant, &id, now);
        if !moving(platform, tenant, &id, head, delete).await? {
            return Err(no_such_session());
        }
        HttpResponse::of(&Deleted::new(id.as_str(), "session.deleted"))
    })
    .await
}
