//! One request, step by step:
//!
//! 1. authenticate: 401, 429
//! 2. parse: 400, 403, 413, 415
//! 3. route: 400, 404
//! 4. admit: 401, 403, 409, 429, 503
//! 5. prepare: 400, 404, 429, 503
//! 6. call: 400, 429, 502, 503, 504
//! 7. relay: from here on, and after the early head of a slow stream, a failure is an event
//! 8. commit: 400, 409, 503
//! 9. settle
//!
//! Steps 4 to 9 run in a task of their own (`wait_until`), so that a client that leaves loses
//! nothing of a session and every reservation is settled or released.

use std::cell::OnceCell;
use std::rc::Rc;

use clawless_core::ledger::EndpointClass;
use clawless_core::sending::SendOrigin;
use clawless_core::{ApiError, Clock, RequestId, Scope, TenantId};
use clawless_edge::http::{HttpResponse, Permit, RequestHead};
use futures_channel::oneshot;
use futures_util::FutureExt;

use super::admit::admit;
use super::client::Departure;
use super::commit::commit;
use super::continuation;
use super::expired_links;
use super::hot;
use super::idempotency::{self, ClaimOutcome, still_running};
use super::items;
use super::model::pending_turn::PendingTurn;
use super::parse::{BodyParser, parse};
use super::prepare::prepare;
use super::renewal::Lease;
use super::replay::replay;
use super::reply::Reply;
use super::report::{self, RouteReport};
use super::reservation;
use super::response;
use super::rounds;
use super::route::route;
use super::settle::{settle, settle_failure};
use super::visitor_rules;
use crate::access::{AccessError, check_rate};
use crate::authenticate::authenticate;
use crate::platform::Platform;

/// Answers a request of any surface. `parse_body` parses its body, and `body` reads the body for the
/// authenticated tenant, with the permit to hold it. `departure` completes when the client has left.
///
/// # Errors
/// The statuses above, each with a code of the catalogue. A turn that fails before the first byte
/// of an answer is not stored and costs nothing. A whole answer that breaks off after tools have
/// run is stored and charged, and its error asks for no retry.
pub async fn create<P: Platform>(
    platform: &Rc<P>,
    request_id: &RequestId,
    head: &RequestHead,
    parse_body: BodyParser,
    body: impl AsyncFnOnce(&TenantId) -> Result<(Vec<u8>, Permit), ApiError>,
    departure: impl Future<Output = ()> + 'static,
) -> Result<HttpResponse, ApiError> {
    let started = platform.time().now();
    // 1. authenticate
    let caller = authenticate(&**platform, head, visitor_rules::visitors(head)).await?;
    // Counts the request's body, as soon as that is read.
    let permit = OnceCell::new();
    let parsed = async {
        caller.require(Scope::Chat)?;
        // 2. parse
        let read = async {
            let (bytes, body_permit) = body(&caller.tenant().id).await?;
            permit.get_or_init(|| Rc::new(body_permit));
            Ok(bytes)
        };
        let tenant = &caller.tenant().id;
        let items = async |ids| {
            // They may be many, so their request counts before they are read, as a read of its own.
            check_rate(&**platform, &caller, EndpointClass::Read).await?;
            let permit = permit.get_or_init(Rc::default);
            items::find(&**platform, tenant, ids, permit).await
        };
        let settings = &caller.tenant().settings;
        let mut parsed = parse(head, parse_body, settings, read, items).await?;
        let request = &mut parsed.request;
        visitor_rules::check(&**platform, &caller, request).await?;
        platform.config().model_aliases.apply(&mut request.model);
        let continuation = continuation::resolve(&**platform, tenant, request_id, request).await?;
        // 3. route
        let routed = route(platform.config(), caller.tenant(), request)?;
        Ok((parsed, continuation, routed))
    };
    let (parsed, continuation, (features, route)) = match parsed.await {
        Ok(parsed) => parsed,
        // Invalid and forbidden requests count too; otherwise they would have no limit.
        Err(error) => {
            let rates = check_rate(&**platform, &caller, EndpointClass::Chat).await?;
            return Err(ApiError::headers(error, rates.pairs()));
        }
    };
    let pending = Box::new(PendingTurn {
        request_id: request_id.clone(),
        caller,
        route,
        request: parsed.request,
        continuation,
        rendering: parsed.rendering,
        ignored: parsed.ignored,
        features,
        started,
        idempotency_key: parsed.idempotency_key,
        claimed_at: None,
        origin: SendOrigin::default(),
        permit: permit.into_inner().unwrap_or_default(),
    });
    start(platform, pending, departure.boxed_local()).await
}

/// Claims the idempotency key, starts the task of the turn, and waits for its response: a whole
/// answer, or the beginning of a stream.
///
/// # Errors
/// As [`create`].
pub async fn start<P: Platform>(
    platform: &Rc<P>,
    pending: Box<PendingTurn>,
    departure: Departure,
) -> Result<HttpResponse, ApiError> {
    report::log_unknown_fallbacks(&**platform, pending.caller.tenant());
    let report = RouteReport::new(&pending.route);
    let response = claim_and_run(platform, pending, departure).await;
    response.map_err(|error| report.add_to(error))
}

async fn claim_and_run<P: Platform>(
    platform: &Rc<P>,
    mut pending: Box<PendingTurn>,
    departure: Departure,
) -> Result<HttpResponse, ApiError> {
    match idempotency::claim(platform, &pending).await? {
        ClaimOutcome::Granted(Some(claimed_at)) => pending.claimed_at = Some(claimed_at),
        ClaimOutcome::Granted(None) => {}
        ClaimOutcome::Answered(first, rates) => {
            let replayed = replay(&**platform, &pending, first).await;
            return match replayed {
                Ok(response) => Ok(response.with_headers(rates.pairs())),
                Err(error) => Err(error.headers(rates.pairs())),
            };
        }
    }
    let (sender, response) = oneshot::channel();
    let (task_platform, reply) = (platform.clone(), Reply::new(sender));
    let task = async move { run(&*task_platform, pending, departure, reply).await };
    platform.spawn(task.boxed_local());
    response
        .await
        .unwrap_or_else(|_| Err(ApiError::internal("the turn ended without a response")))
}

/// Runs a turn from its admission to its end, and sends its response. If it fails before an answer,
/// its reservation and its claim are released before the client gets the error.
async fn run<P: Platform>(
    platform: &P,
    pending: Box<PendingTurn>,
    departure: Departure,
    mut reply: Reply<P::Time>,
) {
    let claim = pending.claim();
    let request_id = pending.request_id.clone();
    let tenant = pending.caller.tenant().id.clone();
    // 4. admit
    let admission = match admit(platform, &pending).await {
        Ok(admission) => admission,
        Err(refused) => {
            let is_lost = matches!(refused, AccessError::AnswerLost(_));
            idempotency::release(platform, claim.as_ref()).await;
            reply.fail(refused.into_error()).await;
            // The client has its error: the ledger may take its time.
            if is_lost {
                reservation::release(platform, &tenant, &request_id).await;
            }
            return;
        }
    };
    let rates = admission.rates;
    let lease = Lease::of(&admission);
    let steps = async {
        if idempotency::is_late(platform, &pending) {
            return Err(still_running());
        }
        // 5. prepare
        let mut turn = prepare(platform, pending, admission).await?;
        // 6. call, 7. relay
        let answered = match rounds::answer(platform, &mut turn, departure, &mut reply).await {
            Ok(answered) => answered,
            Err(failure) => {
                let failure = expired_links::explain(platform, &turn, failure).await;
                return settle_failure(platform, &turn, failure).await;
            }
        };
        // 8. commit
        let record = response::replay_record(&turn, &answered.outcome);
        let committed = commit(platform, &turn, &answered.outcome, record).await;
        // 9. settle
        let settled = settle(platform, &turn, &answered.outcome, committed).await;
        let (committed, stored) = match settled {
            Ok(committed) => (committed, Ok(())),
            Err(error) => (None, Err(error)),
        };
        reply.finish(&turn, answered, stored).await;
        hot::store(platform, &turn.identity.tenant, turn.session, committed).await;
        Ok(())
    };
    if let Err(error) = lease.hold(platform, steps.boxed_local()).await {
        reservation::release(platform, &tenant, &request_id).await;
        idempotency::release(platform, claim.as_ref()).await;
        reply.fail(error.headers(rates.pairs())).await;
    }
}
