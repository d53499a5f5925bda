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

use std::future::pending;
use std::rc::Rc;

use clawless_core::ledger::EndpointClass;
use clawless_core::llm::LlmResponse;
use clawless_core::sending::SendOrigin;
use clawless_core::{ApiError, Clock, RequestId, Scope, TenantId, Tokens};
use clawless_edge::http::{HttpResponse, Permit, RequestHead};
use futures_channel::oneshot;
use futures_util::future::select;
use futures_util::{FutureExt, StreamExt};

use super::admit::admit;
use super::call;
use super::client::{ClientStream, Departure, delayed_departure};
use super::commit::commit;
use super::continuation;
use super::early_head::with_early_head;
use super::expired_links;
use super::hot;
use super::idempotency::{self, ClaimOutcome, still_running};
use super::items;
use super::model::call::{CallFailure, CallTrace, OpenStream};
use super::model::commit_failure::CommitFailure;
use super::model::outcome::{CommittedTurn, Outcome};
use super::model::pending_turn::{Admission, PendingTurn};
use super::model::turn::Turn;
use super::parse::{BodyParser, parse};
use super::prepare::prepare;
use super::relay::relay;
use super::renewal::Lease;
use super::replay::replay;
use super::reply::Reply;
use super::report::{self, RouteReport};
use super::reservation;
use super::response;
use super::route::route;
use super::run_tools::{NextStep, ToolLoop, with_keep_alive};
use super::settle::{Parking, park, settle};
use super::visitor_rules;
use crate::access::{AccessError, check_rate};
use crate::authenticate::authenticate;
use crate::platform::Platform;

/// The answer of a turn: its outcome, how it was reached, and the client of a stream.
struct Answer<P: Platform> {
    outcome: Outcome,
    trace: CallTrace,
    client: Option<ClientStream<P::Time>>,
}

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
    let mut permit = Permit::uncounted();
    let parsed = async {
        caller.require(Scope::Chat)?;
        // 2. parse
        let read = async {
            let (bytes, body_permit) = body(&caller.tenant().id).await?;
            permit = body_permit;
            Ok(bytes)
        };
        let tenant = &caller.tenant().id;
        let items = async |ids| {
            // They may be many, so their request counts before they are read, as a read of its own.
            check_rate(&**platform, &caller, EndpointClass::Read).await?;
            items::find(&**platform, tenant, ids).await
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
    });
    start(platform, pending, departure.boxed_local(), permit).await
}

/// Claims the idempotency key, starts the task of the turn, and waits for its response: a whole
/// answer, or the beginning of a stream. `permit` counts the request's body.
///
/// # Errors
/// As [`create`].
pub async fn start<P: Platform>(
    platform: &Rc<P>,
    pending: Box<PendingTurn>,
    departure: Departure,
    permit: Permit,
) -> Result<HttpResponse, ApiError> {
    report::log_unknown_fallbacks(&**platform, pending.caller.tenant());
    let report = RouteReport::new(&pending.route);
    let response = claim_and_run(platform, pending, departure, permit).await;
    response.map_err(|error| report.add_to(error))
}

async fn claim_and_run<P: Platform>(
    platform: &Rc<P>,
    mut pending: Box<PendingTurn>,
    departure: Departure,
    permit: Permit,
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
    let (task_platform, reply) = (platform.clone(), Reply::new(sender, permit));
    let task = async move { run(&*task_platform, pending, departure, reply).await };
    platform.spawn(task.boxed_local());
    response
        .await
        .unwrap_or_else(|_| Err(ApiError::internal("the turn ended without a response")))
}

/// Runs an unadmitted turn. If it fails before an answer, its reservation and its claim are
/// released before the client gets the error.
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
    let (error, is_lost) = match admit(platform, &pending).await {
        Ok(mut admission) => {
            let lease = Lease::of(&admission);
            let answered = run_admitted(platform, pending, &mut admission, departure, &mut reply);
            let answered = answered.boxed_local();
            let Err(error) = lease.hold(platform, answered).await else {
                return;
            };
            reservation::release(platform, &tenant, &request_id).await;
            (error.headers(admission.rates.pairs()), false)
        }
        Err(AccessError::Refused(error)) => (error, false),
        Err(AccessError::AnswerLost(error)) => (error, true),
    };
    if let Some(claim) = claim {
        idempotency::release(platform, &claim).await;
    }
    reply.fail(error).await;
    // The client has its error: the ledger may take its time.
    if is_lost {
        reservation::release(platform, &tenant, &request_id).await;
    }
}

/// Runs an admitted turn.
///
/// # Errors
/// A failure before the answer began: nothing is to be stored or charged.
async fn run_admitted<P: Platform>(
    platform: &P,
    mut pending: Box<PendingTurn>,
    admission: &mut Admission,
    mut departure: Departure,
    reply: &mut Reply<P::Time>,
) -> Result<(), ApiError> {
    if idempotency::is_late(platform, &pending) {
        return Err(still_running());
    }
    // 5. prepare
    let prepared = prepare(platform, &mut pending, admission).await;
    let conversation = prepared.map_err(|error| RouteReport::new(&pending.route).add_to(error))?;
    let permit = reply.permit();
    permit.grow(conversation.bytes(), platform.time().now())?;
    let mut turn = Turn::new(*pending, admission, conversation);
    departure = if turn.outlives_client() {
        self::pending().boxed_local()
    } else {
        delayed_departure(platform, departure)
    };
    // 6. call, 7. relay
    let answer = if turn.format.is_stream {
        stream(platform, &mut turn, &mut departure, reply).await
    } else {
        complete(platform, &mut turn, &mut departure).await
    };
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(CallFailure::Failed(error)) => {
            return Err(expired_links::explain(platform, &turn, error).await);
        }
        Err(CallFailure::ClientLeft { in_flight }) => {
            return charge_aborted_call(platform, &turn, in_flight).await;
        }
    };
    answer.outcome.completed = Some(platform.time().now());
    // 8. commit
    let committed = commit_turn(platform, &turn, &answer.outcome).await;
    // 9. settle
    let settled = settle_turn(platform, &turn, &answer.outcome, committed).await;
    let stored = finish(&turn, answer, settled, reply).await;
    hot::store(platform, &turn.identity.tenant, turn.session, stored).await;
    Ok(())
}

/// Steps 6 and 7 of a whole answer: calls the model, in as many rounds as its tools need.
async fn complete<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    departure: &mut Departure,
) -> Result<Answer<P>, CallFailure> {
    let mut tools = ToolLoop::new(turn);
    let (mut round, trace) = call::complete(platform, turn, departure).await?;
    let outcome = loop {
        match tools.run(platform, turn, round, None).await {
            NextStep::Finish(outcome) => break *outcome,
            NextStep::CallModel => {}
        }
        round = match call::complete(platform, turn, departure).await {
            Ok((round, _)) => round,
            Err(failure) => break tools.fail(failure)?,
        };
    };
    Ok(Answer {
        outcome,
        trace,
        client: None,
    })
}

/// Steps 6 and 7 of a streamed answer: calls the model and relays its events, in as many rounds as
/// its tools need.
async fn stream<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    departure: &mut Departure,
    reply: &mut Reply<P::Time>,
) -> Result<Answer<P>, CallFailure> {
    let mut tools = ToolLoop::new(turn);
    let (mut events, mut client) = open_stream(platform, turn, departure, reply).await?;
    let trace = events.trace.clone();
    let outcome = loop {
        let round = relay(platform, turn, events, tools.view(), &mut client, departure).await;
        match tools.run(platform, turn, round, Some(&mut client)).await {
            NextStep::Finish(outcome) => break *outcome,
            NextStep::CallModel => {}
        }
        let calling = call::stream(platform, turn, &mut *departure);
        events = match with_keep_alive(platform, Some(&mut client), calling).await {
            Ok(events) => events,
            Err(failure) => break tools.fail(failure)?,
        };
    };
    if let Some(event) = tools.finish_event(&outcome) {
        client.send_events(&[event]).await;
    }
    Ok(Answer {
        outcome,
        trace,
        client: Some(client),
    })
}

/// Opens the stream of the first answer and sends the response: when the answer has begun, or earlier
/// if the provider is slow.
async fn open_stream<P: Platform>(
    platform: &P,
    turn: &Turn,
    departure: &mut Departure,
    reply: &mut Reply<P::Time>,
) -> Result<(OpenStream<P>, ClientStream<P::Time>), CallFailure> {
    let (left, has_left) = oneshot::channel();
    let calling = call::stream(platform, turn, select(departure, has_left).map(drop));
    let (called, client) = with_early_head(platform, turn, reply, calling, left).await;
    let events = match called {
        Ok(events) => events,
        Err(failure) => {
            reply.keep(client);
            return Err(failure);
        }
    };
    let writer = response::writer(turn, &events.link.provider.name, &events.link.model);
    if let Some(mut client) = client {
        let notes = response::answer_notes(turn, &events.link.model, &events.trace);
        client.begin_answer(writer, &notes).await;
        return Ok((events, client));
    }
    let time = platform.time().clone();
    let (client, body) = ClientStream::new(writer, time, reply.permit());
    reply.send(Ok(response::stream(turn, &events, body.boxed_local())));
    Ok((events, client))
}

/// Step 8: stores the turn. A claim of an idempotency key that has nothing to replay is released.
///
/// # Errors
/// Whether the turn can be stored later, and why it is not stored now.
async fn commit_turn<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
) -> Result<Option<CommittedTurn>, CommitFailure> {
    let replay = response::replay_record(turn, outcome).map_err(CommitFailure::Permanent)?;
    let is_kept = turn.session.is_some() || replay.is_some();
    let committed = commit(platform, turn, outcome, replay).await?;
    if let Some(claim) = turn.claim.as_ref().filter(|_| !is_kept) {
        idempotency::release(platform, claim).await;
    }
    Ok(committed)
}

/// Step 9: settles the reservation. A turn that the database rejects for now is parked in the ledger
/// together with its settlement, and stored later. Returns the turn if D1 has it.
///
/// # Errors
/// Why the turn is not stored and never will be. It is settled all the same.
async fn settle_turn<P: Platform>(
    platform: &P,
    turn: &Turn,
    outcome: &Outcome,
    committed: Result<Option<CommittedTurn>, CommitFailure>,
) -> Result<Option<CommittedTurn>, ApiError> {
    let (error, parking) = match committed {
        Ok(committed) => {
            let session = committed
                .as_ref()
                .map(|committed| (committed.state, committed.stored));
            settle(platform, turn, outcome, session).await;
            return Ok(committed);
        }
        Err(CommitFailure::Permanent(error)) => (error, Parking::Refused),
        Err(CommitFailure::Retryable(new, error)) => {
            let parking = park(platform, turn, outcome, &new).await?;
            (error, parking)
        }
    };
    if parking == Parking::Parked {
        tracing::warn!(internal = error.internal, "store turn failed, turn parked");
        return Ok(None);
    }
    settle(platform, turn, outcome, None).await;
    // A turn that may be parked keeps its claim: the ledger may still store it.
    if let Some(claim) = turn.claim.as_ref().filter(|_| parking == Parking::Refused) {
        idempotency::release(platform, claim).await;
    }
    Err(error)
}

/// Ends the response: sends a whole answer, or the last event of a stream. Returns the committed
/// turn.
async fn finish<P: Platform>(
    turn: &Turn,
    answer: Answer<P>,
    committed: Result<Option<CommittedTurn>, ApiError>,
    reply: &mut Reply<P::Time>,
) -> Option<CommittedTurn> {
    let Answer {
        mut outcome,
        trace,
        client,
    } = answer;
    let (committed, stored) = match committed {
        Ok(committed) => (committed, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let failure = outcome.failure.take();
    let Some(client) = client else {
        // A whole answer that broke off is charged, and stored in its session: a retry would do all
        // of it again.
        let ended = failure.map_or(stored, |failure| Err(failure.without_retry()));
        let report = report::headers(&outcome.model.id, turn.route.header(), trace.tries);
        let response = ended.and_then(|()| response::whole(turn, outcome, &trace));
        let rates = turn.notes.rates.pairs();
        reply.send(response.map_err(|error| error.headers(rates).headers(report)));
        return committed;
    };
    let ended = failure.map_or(stored, Err);
    if let Err(error) = &ended {
        tracing::error!(
            code = error.code.as_str(),
            internal = error.internal.as_deref(),
            model = outcome.model.id,
            route = turn.route.reason.as_str(),
            tries = trace.tries,
            "answer failed"
        );
    }
    let ended = ended.as_ref().map(|()| outcome.usage);
    client.finish(ended, outcome.completed).await;
    committed
}

/// Charges a call whose client left before the answer began: the input that a provider had to
/// read. Whether the provider produced any output is unknown.
///
/// # Errors
/// If no provider was being called: the turn costs nothing.
async fn charge_aborted_call<P: Platform>(
    platform: &P,
    turn: &Turn,
    in_flight: bool,
) -> Result<(), ApiError> {
    tracing::info!("client left before the answer");
    if !in_flight {
        return Err(ApiError::internal("the client left between two tries"));
    }
    let answer = LlmResponse::default();
    let outcome = Outcome::estimated(turn.route.primary(), &turn.llm, answer, Tokens::ZERO, None);
    settle(platform, turn, &outcome, None).await;
    Ok(())
}
