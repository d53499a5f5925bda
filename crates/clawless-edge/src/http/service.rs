//! What a Worker provides for `serve`: its platform, and how it authorizes
//! callers.

use std::fmt;
use std::rc::Rc;

use clawless_api::envelope::error_envelope;
use clawless_core::{ApiError, RequestId};
use worker::Env;

use super::call::{Call, Params};
use super::load::Reader;
use super::request::RequestHead;
use super::response::HttpResponse;
use crate::tasks::Tasks;

/// How one Worker opens its platform and authorizes callers.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Service: 'static {
    /// Ports and configuration of a request.
    type Platform: 'static;
    /// The proof that a caller was authenticated.
    type Caller: 'static;
    /// The access rule of a route.
    type Access: Copy + fmt::Debug + 'static;

    /// Whether only the gateway can call the Worker, so that the request's id comes from there. A Worker
    /// with a public address must not accept ids: clients could choose them.
    const IS_INTERNAL: bool = false;

    /// Opens the platform for one request.
    ///
    /// # Errors
    /// An internal error if the Worker's configuration is invalid.
    fn open(
        env: Env,
        tasks: Rc<Tasks>,
        request_id: &RequestId,
    ) -> Result<Rc<Self::Platform>, ApiError>;

    /// Authenticates a caller and checks the access rule, which may depend on the parameters of the path.
    ///
    /// # Errors
    /// 401, 403 and 429; 404 for what the caller must not know; 503 if storage or the ledger does not respond.
    async fn authorize(
        platform: &Self::Platform,
        access: Self::Access,
        head: &RequestHead,
        params: &Params,
    ) -> Result<Authorized<Self::Caller>, ApiError>;

    /// Who reads on a route, for the limits of the isolate; none on routes that change something.
    fn reader(_access: Self::Access, _caller: &Self::Caller) -> Option<Reader> {
        None
    }

    /// Whether a route that reads waits first. Its handler takes the permit to read.
    fn waits(_access: Self::Access) -> bool {
        false
    }

    /// The tenant whose share of the isolate's memory a request counts against, if there is one.
    fn tenant(_caller: &Self::Caller) -> Option<&str> {
        None
    }

    /// Checks a request after its caller and route are known, before the handler runs.
    ///
    /// # Errors
    /// 400, 413 or 415.
    async fn check(
        _access: Self::Access,
        _call: &Call<Self::Platform, Self::Caller>,
    ) -> Result<(), ApiError> {
        Ok(())
    }

    /// The response to a CORS preflight, if the Worker answers those.
    fn preflight(_platform: &Self::Platform, _head: &RequestHead) -> Option<HttpResponse> {
        None
    }

    /// The body of an error response, in the format that the clients of a path read.
    fn error_body(_path: &str, error: &ApiError, _request_id: &RequestId) -> String {
        error_envelope(error)
    }

    /// Adds headers to every response, CORS for example. The platform is `None` if opening
    /// it failed.
    fn decorate(
        _platform: Option<&Self::Platform>,
        _head: &RequestHead,
        _request_id: &RequestId,
        response: HttpResponse,
    ) -> HttpResponse {
        response
    }
}

/// An authenticated caller, and the headers that its response has whatever the handler does.
#[derive(Debug)]
pub struct Authorized<C> {
    /// The caller.
    pub caller: C,
    /// The state of the caller's rate limits.
    pub headers: Vec<(&'static str, String)>,
}
