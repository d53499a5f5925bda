//! Showing a widget.

use clawless_core::ApiError;
use clawless_edge::http::HttpResponse;

use super::find::{find, object};
use crate::context::AdminCall;

/// Shows the widget of a public key.
///
/// # Errors
/// 404 if there is no such tenant or key, 409 if the key is not public.
pub(crate) async fn show(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let tenant = call.platform.tenant(call.param("id")).await?.id;
    let (key, widget) = find(call, &tenant).await?;
    HttpResponse::of(&object(&key, &widget))
}
