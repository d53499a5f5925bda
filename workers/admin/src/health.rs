//! `GET /health`, for the gateway's own report.

use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse};

use crate::context::AdminContext;

/// Responds without checking anything.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn show(_: &Call<AdminContext, ()>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::json(r#"{"status":"ok"}"#.to_owned()))
}
