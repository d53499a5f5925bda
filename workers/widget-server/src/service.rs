//! The widget server as a [`Service`]: it has no bindings, and no callers to authenticate.

use std::convert::Infallible;
use std::rc::Rc;

use clawless_core::{ApiError, RequestId};
use clawless_edge::http::{Authorized, Call, HttpResponse, Params, RequestHead, Service};
use clawless_edge::tasks::Tasks;
use worker::Env;

/// The widget server.
pub(crate) struct WidgetServer;

impl Service for WidgetServer {
    type Platform = ();
    type Caller = Infallible;
    type Access = Infallible;

    const IS_INTERNAL: bool = true;

    fn open(_: Env, _: Rc<Tasks>, _: &RequestId) -> Result<Rc<()>, ApiError> {
        Ok(Rc::new(()))
    }

    async fn authorize(
        (): &(),
        access: Infallible,
        _: &RequestHead,
        _: &Params,
    ) -> Result<Authorized<Infallible>, ApiError> {
        match access {}
    }
}

/// `GET /health`.
///
/// # Errors
/// None.
#[allow(clippy::unused_async, reason = "handlers are futures")]
pub(crate) async fn health(_: &Call<(), ()>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::json(r#"{"status":"ok"}"#.to_owned()))
}
