//! The gateway as a [`Service`]: bindings, API keys, CORS.

use std::rc::Rc;

use clawless_api::surface::Surface;
use clawless_core::ledger::EndpointClass;
use clawless_core::{ApiError, RequestId, Scope};
use clawless_edge::http::{
    Authorized, Call, HttpResponse, Params, ReadKind, Reader, RequestHead, Service,
};
use clawless_edge::tasks::Tasks;
use worker::Env;

use super::cors;
use crate::access::check_rate_and_scope;
use crate::authenticate::{Visitors, authenticate};
use crate::caller::Caller;
use crate::chat::visitor_rules::{count_request, foreign_session};
use crate::platform::Platform;
use crate::platform::bindings::Bindings;

/// The gateway.
#[derive(Debug, Clone, Copy)]
pub struct Gateway;

/// The access rule of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An API key with this scope. The request counts against the rate limit of the class.
    Key(Scope, EndpointClass),
    /// As `Key` with the class of model calls. The handler authenticates for itself: invalid requests count
    /// against the rate limit too.
    Turn(Scope),
    /// A public key, whose visitor's token gets this scope and others. The handler authenticates for itself.
    Open(Scope),
    /// As `Key` with the class of reads, for an export: a stream that takes as long as its reader.
    Export(Scope),
    /// As `Key`, for a route of the session `{id}`. A visitor's token is valid too, for its own session.
    Session(Scope, EndpointClass),
    /// As `Key` with the class of reads, for a route that waits for a turn before it reads it.
    Wait(Scope),
    /// As `Session` with the class of reads, for such a route.
    SessionWait(Scope),
}

impl Access {
    /// The scope that a key needs, and the class whose rate limit applies.
    pub const fn rule(self) -> (Scope, EndpointClass) {
        match self {
            Self::Key(scope, class) | Self::Session(scope, class) => (scope, class),
            Self::Turn(scope) => (scope, EndpointClass::Chat),
            Self::Open(scope) => (scope, EndpointClass::Write),
            Self::Export(scope) | Self::Wait(scope) | Self::SessionWait(scope) => {
                (scope, EndpointClass::Read)
            }
        }
    }

    /// What a request reads, as the limits of the isolate count it.
    const fn reads(self) -> Option<ReadKind> {
        match self {
            Self::Key(_, EndpointClass::Read) | Self::Session(_, EndpointClass::Read) => {
                Some(ReadKind::Page)
            }
            Self::Wait(_) | Self::SessionWait(_) => Some(ReadKind::Page),
            Self::Export(_) => Some(ReadKind::Export),
            Self::Key(..) | Self::Turn(_) | Self::Open(_) | Self::Session(..) => None,
        }
    }

    /// Whether a visitor may call the route, in its own session.
    pub const fn admits_visitors(self) -> bool {
        matches!(self, Self::Session(..) | Self::SessionWait(_))
    }
}

/// Authenticates a caller and checks the access rule of a route.
///
/// 1. 401 and 429 by the key, 429 by the visitor. 2. 401, 403 and 429 by the ledger. 3. 403 without the scope;
///    the request is counted all the same.
///
/// # Errors
/// The statuses above; 503 if storage or the ledger does not respond.
pub async fn authorize<P: Platform>(
    platform: &P,
    access: Access,
    head: &RequestHead,
) -> Result<Authorized<Caller>, ApiError> {
    let (scope, class) = access.rule();
    let visitors = if access.admits_visitors() {
        Visitors::Admitted
    } else {
        Visitors::Refused
    };
    let caller = authenticate(platform, head, visitors).await?;
    // Before the ledger: a visitor must not use up the rate limit of its tenant.
    count_request(platform, &caller).await?;
    let rates = check_rate_and_scope(platform, &caller, class, scope).await?;
    Ok(Authorized {
        caller,
        headers: rates.pairs(),
    })
}

impl Service for Gateway {
    type Platform = Bindings;
    type Caller = Caller;
    type Access = Access;

    fn open(env: Env, tasks: Rc<Tasks>, _: &RequestId) -> Result<Rc<Bindings>, ApiError> {
        Ok(Rc::new(Bindings::open(env, tasks)))
    }

    async fn authorize(
        platform: &Bindings,
        access: Access,
        head: &RequestHead,
        _: &Params,
    ) -> Result<Authorized<Caller>, ApiError> {
        authorize(platform, access, head).await
    }

    /// 403 for a visitor in another session than its own, whether or not that exists.
    async fn check(_: Access, call: &Call<Bindings, Caller>) -> Result<(), ApiError> {
        match call.caller.visitor() {
            Some(visitor) if visitor.session.as_str() != call.param("id") => Err(foreign_session()),
            _ => Ok(()),
        }
    }

    fn reader(access: Access, caller: &Caller) -> Option<Reader> {
        let kind = access.reads()?;
        let (kind, key) = match caller.visitor() {
            None => (kind, caller.key().id.as_str()),
            Some(visitor) => (ReadKind::Visitor, visitor.session.as_str()),
        };
        Some(Reader {
            kind,
            tenant: caller.tenant().id.as_str().into(),
            key: key.into(),
        })
    }

    fn waits(access: Access) -> bool {
        matches!(access, Access::Wait(_) | Access::SessionWait(_))
    }

    fn tenant(caller: &Caller) -> Option<&str> {
        Some(caller.tenant().id.as_str())
    }

    fn preflight(platform: &Bindings, head: &RequestHead) -> Option<HttpResponse> {
        let policy = cors::Policy::new(platform.config());
        cors::applies(&head.path).then(|| cors::preflight(head, policy))
    }

    fn error_body(path: &str, error: &ApiError, request_id: &RequestId) -> String {
        Surface::of_path(path).error_body(error, request_id)
    }

    fn decorate(
        platform: Option<&Bindings>,
        head: &RequestHead,
        request_id: &RequestId,
        response: HttpResponse,
    ) -> HttpResponse {
        let name = Surface::of_path(&head.path).request_id_header();
        let response = match name {
            None => response,
            Some(name) => response.with_header(name, request_id.as_str()),
        };
        let policy = platform.map(|platform| cors::Policy::new(platform.config()));
        cors::expose(response, head, policy.unwrap_or_default())
    }
}
