//! `DELETE /v1/responses/{id}` and `POST /v1/responses/{id}/cancel`.

use clawless_api::responses::{is_auto_session, not_cancellable, response_not_found};
use clawless_api::sessions::Deleted;
use clawless_core::{ApiError, Clock, Storage};
use clawless_edge::http::{Call, HttpResponse};
use clawless_store::{sessions, turns};

use super::find::{find, request_of};
use crate::caller::Caller;
use crate::http::sessions::stale;
use crate::platform::Platform;

/// Deletes a stored response: its turn, and its session if that was created for it and holds nothing
/// else. Copies of the turn in sessions that branched off from it stay.
///
/// # Errors
/// 404 if there is no such response.
pub async fn delete<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let (id, now) = (call.param("id"), platform.time().now());
    let request = request_of(id)?;
    let found = find(platform, tenant, &request).await?;
    let found = found.ok_or_else(response_not_found)?;
    let (session, turn) = (&found.turn.session, found.turn.head);
    let before = sessions::find(platform.sql(), tenant, session, now).await?;
    let named = (session, before.map(|session| session.head));
    let deleted = if is_auto_session(session) && found.is_only {
        let delete = sessions::delete(platform.sql(), tenant, session, now);
        stale::change(platform, tenant, named, Storage::ZERO, delete, |gone| *gone).await
    } else {
        let remove = turns::remove(platform.sql(), tenant, session, turn, &request, now);
        stale::change(platform, tenant, named, Storage::ZERO, remove, |gone| *gone).await
    };
    deleted?.ok_or_else(response_not_found)?;
    HttpResponse::of(&Deleted::new(id, "response"))
}

/// Refuses to cancel a response: only background responses can be cancelled.
///
/// # Errors
/// 404 if there is no such response, otherwise 400.
pub async fn cancel<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let (platform, tenant) = (&*call.platform, &call.caller.tenant().id);
    let request = request_of(call.param("id"))?;
    match find(platform, tenant, &request).await? {
        None => Err(response_not_found()),
        Some(_) => Err(not_cancellable()),
    }
}
