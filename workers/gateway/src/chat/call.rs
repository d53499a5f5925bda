//! Step 6: the call along the fallback chain, up to the first byte of an answer.

use std::rc::Rc;

use clawless_core::llm::LlmResponse;
use clawless_core::{ApiError, Tokens};
use clawless_edge::http::Permit;
use clawless_llm::call::{Answered, CallError, ChainCall, DEFAULT_RETRIES, FailedTry, Target};
use clawless_llm::{
    Accumulator, AnswerStream, Http, Io, LlmClient, LlmError, Timeouts, make_client,
};
use futures_util::FutureExt;

use super::client::Departure;
use super::counted_http::{CountedBody, CountedHttp};
use super::model::call::{CallFailure, CallTrace, OpenStream};
use super::model::outcome::Outcome;
use super::model::turn::Turn;
use super::output_limit::OutputLimit;
use super::report;
use super::reservation::enforce;
use super::tries::Tries;
use crate::platform::Platform;
use crate::routing::Link;

/// Requests an answer in one piece. If its reservation grows, the provider sends it as a stream, so
/// that the answer ends where the quota does. Tries that broke off after output had arrived are charged
/// with the answer.
///
/// # Errors
/// The last provider's failure, or the client's departure, with what is charged.
pub async fn complete<P: Platform>(
    platform: &P,
    turn: &Turn,
    departure: &mut Departure,
) -> Result<(Outcome, CallTrace), CallFailure> {
    let chain = Chain::new(platform, turn)?;
    let (targets, deadline) = (chain.targets(), turn.reservation.deadline);
    let tries = Tries::default();
    let answered = if turn.reservation.growth.is_extended() {
        let io = io(platform, None);
        let call = chain_call(platform, &io, turn);
        let read = async |target, stream| collect(platform, turn, &tries, target, stream).await;
        let answered = call.collect(&targets, &turn.llm, deadline, departure, read);
        let answered = answered.await;
        answered.map(|it| {
            let read = |link: &Link, answer| Outcome::from_stream(link, &turn.llm, answer, None);
            outcome(&chain, it, read)
        })
    } else {
        let io = io(platform, Some(turn.permit.clone()));
        let call = chain_call(platform, &io, turn);
        let answered = call.complete(&targets, &turn.llm, deadline, departure);
        let answered = answered.await;
        answered.map(|it| {
            let read = |link: &Link, answer| Outcome::from_answer(link, &turn.llm, answer, None);
            outcome(&chain, it, read)
        })
    };
    let (outcome, trace) = match answered {
        Ok(outcome) => outcome?,
        Err(error) => return Err(failure(&chain, turn, error, tries)),
    };
    let outcome = match discarded(&chain, turn, tries) {
        Some(discarded) => outcome.including(&discarded),
        None => outcome,
    };
    Ok((outcome, trace))
}

/// The result of an answered call.
fn outcome<A>(
    chain: &Chain<'_>,
    answered: Answered<A>,
    read: impl FnOnce(&Link, A) -> Outcome,
) -> Result<(Outcome, CallTrace), ApiError> {
    let trace = trace(chain, &answered);
    Ok((read(chain.link(answered.target)?, answered.answer), trace))
}

/// Reads a stream to its end, or to the end of the quota.
async fn collect<P: Platform>(
    platform: &P,
    turn: &Turn,
    tries: &Tries,
    target: usize,
    mut stream: AnswerStream<CountedBody<<P::Http as Http>::Body>, P::Time>,
) -> Result<Accumulator, LlmError> {
    tries.begin(target);
    let mut limit = OutputLimit::new(&turn.reservation);
    while let Some(read) = stream.next().await {
        let mut events = read.inspect_err(|_| tries.fail())?;
        let is_cut = enforce(platform, turn, &mut limit, &mut events).await;
        tries.push(&events);
        if is_cut {
            break;
        }
    }
    if let Some(rest) = stream.rest() {
        platform.spawn(rest.read().boxed_local());
    }
    Ok(tries.succeed())
}

/// Requests a stream and returns once an answer has begun. `departure` completes when the client has
/// left.
///
/// # Errors
/// The last provider's failure, or the client's departure.
pub async fn stream<P: Platform>(
    platform: &P,
    turn: &Turn,
    departure: impl Future<Output = ()> + Unpin,
) -> Result<OpenStream<P>, CallFailure> {
    let (chain, io) = (Chain::new(platform, turn)?, io(platform, None));
    let deadline = turn.reservation.deadline;
    let answered = chain_call(platform, &io, turn)
        .stream(&chain.targets(), &turn.llm, deadline, departure)
        .await
        .map_err(|error| failure(&chain, turn, error, Tries::default()))?;
    Ok(OpenStream {
        trace: trace(&chain, &answered),
        link: chain.link(answered.target)?.clone(),
        events: answered.answer,
    })
}

/// The models of a turn's route, each with its client.
struct Chain<'a>(Vec<(LlmClient, &'a Link)>);

impl<'a> Chain<'a> {
    fn new<P: Platform>(platform: &P, turn: &'a Turn) -> Result<Self, ApiError> {
        let config = platform.config();
        let egress = config.egress();
        let clients = turn.route.chain().map(|link| {
            let client = make_client(&link.provider, config.key_of(&link.provider), egress);
            Ok((client.map_err(ApiError::internal)?, link))
        });
        clients.collect::<Result<_, _>>().map(Self)
    }

    fn targets(&self) -> Vec<Target<'_>> {
        self.0
            .iter()
            .map(|(client, link)| Target {
                client,
                model: &link.model,
            })
            .collect()
    }

    fn link(&self, position: usize) -> Result<&'a Link, ApiError> {
        let found = self.0.get(position).map(|(_, link)| *link);
        found.ok_or_else(|| ApiError::internal("the answering model is not in the chain"))
    }
}

/// The ports of a call. `permit` counts the bodies of whole answers.
fn io<P: Platform>(
    platform: &P,
    permit: Option<Rc<Permit>>,
) -> Io<CountedHttp<'_, P::Http>, P::Time> {
    let http = platform.http();
    Io {
        http: CountedHttp { http, permit },
        time: platform.time().clone(),
    }
}

fn chain_call<'a, P: Platform>(
    platform: &'a P,
    io: &'a Io<CountedHttp<'a, P::Http>, P::Time>,
    turn: &'a Turn,
) -> ChainCall<'a, CountedHttp<'a, P::Http>, P::Time, P::Entropy> {
    let config = platform.config();
    ChainCall {
        io,
        entropy: platform.entropy(),
        breakers: &platform.memory().breakers,
        tenant: turn.identity.tenant.as_str(),
        timeouts: Timeouts {
            first_byte: config.first_byte_timeout,
            whole: config.whole_timeout,
            idle: config.idle_timeout,
            total: config.total_timeout,
        },
        retries: DEFAULT_RETRIES,
    }
}

fn trace<A>(chain: &Chain<'_>, answered: &Answered<A>) -> CallTrace {
    log_failed_tries(chain, &answered.failed);
    CallTrace {
        tries: answered.tries(),
        dropped: answered.dropped.clone(),
    }
}

/// The failure of a call that no model answered. It names the model that was tried last.
fn failure(chain: &Chain<'_>, turn: &Turn, error: CallError, tries: Tries) -> CallFailure {
    let failed = match error {
        CallError::Failed(failed) => failed,
        CallError::Cancelled { in_flight } => {
            let is_unread = in_flight && !tries.is_reading();
            let read = discarded(chain, turn, tries);
            // The input that a provider had to read. Whether it produced any output is unknown.
            let unread = is_unread.then(|| {
                let (link, answer) = (turn.route.primary(), LlmResponse::default());
                Outcome::estimated(link, &turn.llm, answer, Tokens::ZERO, None)
            });
            let spent = sum(read.into_iter().chain(unread));
            return CallFailure::ClientLeft {
                spent: spent.map(Box::new),
            };
        }
    };
    log_failed_tries(chain, &failed.failed);
    let last = failed.failed.last();
    let last = last.and_then(|failed_try| chain.link(failed_try.target).ok());
    let model = &last.unwrap_or_else(|| turn.route.primary()).model.id;
    let report = report::headers(model, turn.route.header(), failed.failed.len());
    CallFailure::Failed {
        error: Box::new(ApiError::from(failed.error).headers(report)),
        spent: discarded(chain, turn, tries).map(Box::new),
    }
}

/// What is charged for the tries of a call that produced output and no complete answer.
fn discarded(chain: &Chain<'_>, turn: &Turn, tries: Tries) -> Option<Outcome> {
    let tries = tries.into_rest().into_iter();
    sum(tries.filter_map(|it| {
        let link = chain.link(it.target).ok()?;
        Some(Outcome::from_stream(link, &turn.llm, it.answer, None))
    }))
}

/// The usage and cost of several model calls.
fn sum(outcomes: impl Iterator<Item = Outcome>) -> Option<Outcome> {
    outcomes.reduce(|sum, outcome| outcome.including(&sum))
}

/// Logs each failed try, also of calls that another model answered.
fn log_failed_tries(chain: &Chain<'_>, failed: &[FailedTry]) {
    for failed_try in failed {
        let link = chain.link(failed_try.target).ok();
        tracing::warn!(
            provider = link.map(|link| link.provider.name.as_str()),
            model = link.map(|link| link.model.id.as_str()),
            error = %failed_try.error,
            "model call failed"
        );
    }
}
