//! The widget server as a [`Service`]: it has no callers to authenticate.

use std::convert::Infallible;
use std::rc::Rc;

use clawless_core::{ApiError, RequestId};
use clawless_edge::d1::D1;
use clawless_edge::http::{Authorized, Call, HttpResponse, Params, RequestHead, Service};
use clawless_edge::tasks::Tasks;
use worker::Env;

/// The binding of the database.
const DB: &str = "DB";

/// The widget server.
pub(crate) struct WidgetServer;

/// The bindings of one request.
pub(crate) struct Bindings {
    /// The database, for logos.
    pub(crate) sql: D1,
}

/// A request.
pub(crate) type WidgetCall = Call<Bindings, ()>;

impl Service for WidgetServer {
    type Platform = Bindings;
    type Caller = Infallible;
    type Access = Infallible;

    const IS_INTERNAL: bool = true;

    fn open(env: Env, _: Rc<Tasks>, _: &RequestId) -> Result<Rc<Bindings>, ApiError> {
        let sql = D1::new(env.d1(DB).ok());
        Ok(Rc::new(Bindings { sql }))
    }

    async fn authorize(
        _: &Bindings,
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
pub(crate) async fn health(_: &WidgetCall) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::json(r#"{"status":"ok"}"#.to_owned()))
}
