//! `POST /v1/chat/completions`: the way of one request.

use std::rc::Rc;

use clawless_api::chat as surface;
use clawless_api::fields::check_session_id;
use clawless_core::chat::CompletionRequest;
use clawless_core::ledger::EndpointClass;
use clawless_core::sending::SendOrigin;
use clawless_core::{ApiError, Clock, ErrorCode, RequestId, Scope};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use futures_util::FutureExt;

use crate::admit::check_rate;
use crate::authenticate::authenticate;
use crate::idempotency::IdempotencyKey;
use crate::platform::Platform;
use crate::route::{RequestFeatures, SessionContext, route};
use crate::turn::{self, PendingTurn};

/// The header that names a session, for SDKs that cannot add members to the body.
const SESSION_HEADER: &str = "x-session-id";

/// Answers a chat request. `departure` ends when the client has left.
///
/// 1. authenticate: 401, 429
/// 2. the key's scope, then parse: 403; 400, 413, 415
/// 3. route: 404 for the model, 400 for what it lacks
/// 4. the turn itself ([`turn::start`]), from the ledger's leave to the receipt
///
/// # Errors
/// The statuses above and those of the turn, each with a code of the catalogue.
pub async fn create<P: Platform>(
    platform: &Rc<P>,
    request_id: &RequestId,
    head: &RequestHead,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
    departure: impl Future<Output = ()> + 'static,
) -> Result<HttpResponse, ApiError> {
    let started = platform.time().now();
    let caller = authenticate(&**platform, head).await?;
    let understood = async {
        caller.require(Scope::Chat)?;
        let (request, idempotency_key) = parse(head, body).await?;
        // The session is read after the ledger's leave; `prepare` routes again where it matters.
        let (config, session_context) = (platform.config(), SessionContext::default());
        let features = RequestFeatures::of(&request);
        let route = route(config, caller.tenant(), &request, features, session_context)?;
        Ok((request, idempotency_key, features, route))
    };
    let (request, idempotency_key, features, route) = match understood.await {
        Ok(understood) => understood,
        // A request that may not be or makes no sense is counted too, or there would be no limit on such.
        Err(error) => {
            let rates = check_rate(&**platform, &caller, EndpointClass::Chat).await?;
            return Err(ApiError::headers(error, rates.pairs()));
        }
    };
    let request_id = request_id.clone();
    turn::start(
        platform,
        PendingTurn {
            request_id,
            caller,
            route,
            request,
            features,
            started,
            idempotency_key,
            claimed_at: None,
            origin: SendOrigin::default(),
        },
        departure.boxed_local(),
    )
    .await
}

/// Stage 2: from head and body to a checked request.
async fn parse(
    head: &RequestHead,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
) -> Result<(CompletionRequest, Option<IdempotencyKey>), ApiError> {
    head.require_json()?;
    let named = head
        .header(SESSION_HEADER)
        .map(|id| check_session_id(id, SESSION_HEADER));
    let body = body.await?;
    let mut request = surface::parse(&body)?;
    match (named.transpose()?, &request.session_id) {
        (Some(named), Some(other)) if named != *other => {
            return Err(ApiError::new(
                ErrorCode::InvalidValue,
                "The header `x-session-id` and the parameter `session_id` name different sessions.",
            )
            .param("session_id"));
        }
        (Some(named), _) => request.session_id = Some(named),
        (None, _) => {}
    }
    let idempotency_key = IdempotencyKey::of(head, request.session_id.as_ref(), &body)?;
    Ok((request, idempotency_key))
}
