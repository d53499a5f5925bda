//! `GET /v1/sessions/{id}`.

use clawless_api::sessions::SessionObject;
use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse};

use super::find::{find, session_id};
use crate::caller::Caller;
use crate::platform::Platform;

/// Shows one session.
///
/// # Errors
/// 404 if there is no such session.
pub async fn show<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let id = session_id(call.param("id"))?;
    let session = find(&*call.platform, &call.caller, &id).await?;
    HttpResponse::of(&SessionObject::from(&session))
}
