//! `/__test/…`: routes of test bundles that fail as a test plans it.

use clawless_core::ApiError;
use clawless_edge::http::{Call, HttpResponse, Load};

use crate::platform::Platform;
use crate::platform::bindings::Bindings;
use crate::platform::faults;

/// Panics.
///
/// # Errors
/// None.
///
/// # Panics
/// Always.
#[allow(clippy::panic, clippy::unused_async, reason = "the test of a panic")]
pub async fn panic(_: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    panic!("a panic on purpose")
}

/// Plans faults, or reports the plan if the body is empty.
///
/// # Errors
/// 400 for a body that is not a plan.
pub async fn plan(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    let limit = call.platform.config().body_limit;
    faults::plan(&call.body.read(limit).await?)
}

/// Reports what the isolate holds.
///
/// # Errors
/// An internal error if the counts cannot be written.
#[allow(clippy::unused_async, reason = "handlers are async")]
pub async fn load(_: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    HttpResponse::of(&Load::of_isolate().counts())
}
