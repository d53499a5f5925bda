//! `POST /v1/chat/completions`.

use clawless_core::{ApiError, TenantId};
use clawless_edge::http::{Call, HttpResponse};

use crate::chat::parse::{BodyParser, CHAT};
use crate::chat::pipeline;
use crate::platform::Platform;
use crate::platform::bindings::Bindings;

/// Answers a chat completion request.
///
/// # Errors
/// Those of [`pipeline::create`].
pub async fn create(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    answer(call, CHAT).await
}

/// Hands a request of any surface to the pipeline, which authenticates for itself: it counts malformed
/// requests too, and those with parameters in the query.
///
/// # Errors
/// Those of [`pipeline::create`].
pub(super) async fn answer(
    call: &Call<Bindings, ()>,
    parse_body: BodyParser,
) -> Result<HttpResponse, ApiError> {
    let departure = call.body.departure();
    let body = async |tenant: &TenantId| {
        // The caller is known by now.
        call.check_query()?;
        call.body.count_for(tenant.as_str());
        let bytes = call.body.read(call.platform.config().body_limit).await?;
        Ok((bytes, call.body.take_permit()))
    };
    pipeline::create(
        &call.platform,
        &call.request_id,
        &call.head,
        parse_body,
        body,
        departure,
    )
    .await
}
