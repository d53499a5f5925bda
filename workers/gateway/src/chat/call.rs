//! Step 6: the call along the fallback chain, up to the first byte of an answer.

use clawless_core::ApiError;
use clawless_core::llm::LlmResponse;
use clawless_llm::call::{Answered, CallError, ChainCall, DEFAULT_RETRIES, FailedTry, Target};
use clawless_llm::{
    Accumulator, AnswerStream, Http, Io, LlmClient, LlmError, Timeouts, make_client,
};
use futures_util::FutureExt;

use super::client::Departure;
use super::model::call::{CallFailure, CallTrace, OpenStream};
use super::model::outcome::Outcome;
use super::model::turn::Turn;
use super::output_limit::OutputLimit;
use super::report;
use super::reservation::enforce;
use crate::platform::Platform;
use crate::routing::Link;

/// Requests an answer in one piece. If its reservation grows, the provider sends it as a stream, so
/// that the answer ends where the quota does.
///
/// # Errors
/// The last provider's failure, or the client's departure.
pub async fn complete<P: Platform>(
    platform: &P,
    turn: &Turn,
    departure: &mut Departure,
) -> Result<(Outcome, CallTrace), CallFailure> {
    let (chain, io) = (Chain::new(platform, turn)?, io(platform));
    let deadline = turn.reservation.deadline;
    let (call, targets) = (chain_call(platform, &io, turn), chain.targets());
    let answered = if turn.reservation.growth.is_extended() {
        let read = async |stream| collect(platform, turn, stream).await;
        call.collect(&targets, &turn.llm, deadline, departure, read)
            .await
    } else {
        call.complete(&targets, &turn.llm, deadline, departure)
            .await
    };
    let answered = answered.map_err(|error| failure(&chain, turn, error))?;
    let trace = trace(&chain, &answered);
    let link = chain.link(answered.target)?;
    let outcome = Outcome::from_answer(link, &turn.llm, answered.answer, None);
    Ok((outcome, trace))
}

/// Reads a stream to its end, or to the end of the quota.
async fn collect<P: Platform>(
    platform: &P,
    turn: &Turn,
    mut stream: AnswerStream<<P::Http as Http>::Body, P::Time>,
) -> Result<LlmResponse, LlmError> {
    let mut answer = Accumulator::default();
    let mut limit = OutputLimit::new(&turn.reservation);
    while let Some(read) = stream.next().await {
        let mut events = read?;
        let is_cut = enforce(platform, turn, &mut limit, &mut events).await;
        answer.push_all(&events);
        if is_cut {
            break;
        }
    }
    if let Some(rest) = stream.rest() {
        platform.spawn(rest.read().boxed_local());
    }
    Ok(answer.finish())
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
    let (chain, io) = (Chain::new(platform, turn)?, io(platform));
    let deadline = turn.reservation.deadline;
    let answered = chain_call(platform, &io, turn)
        .stream(&chain.targets(), &turn.llm, deadline, departure)
        .await
        .map_err(|error| failure(&chain, turn, error))?;
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

fn io<P: Platform>(platform: &P) -> Io<&P::Http, P::Time> {
    Io {
        http: platform.http(),
        time: platform.time().clone(),
    }
}

fn chain_call<'a, P: Platform>(
    platform: &'a P,
    io: &'a Io<&'a P::Http, P::Time>,
    turn: &'a Turn,
) -> ChainCall<'a, &'a P::Http, P::Time, P::Entropy> {
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

/// The error of a call that no model answered. It names the model that was tried last.
fn failure(chain: &Chain<'_>, turn: &Turn, error: CallError) -> CallFailure {
    let failed = match error {
        CallError::Failed(failed) => failed,
        CallError::Cancelled { in_flight } => return CallFailure::ClientLeft { in_flight },
    };
    log_failed_tries(chain, &failed.failed);
    let last = failed.failed.last();
    let last = last.and_then(|failed_try| chain.link(failed_try.target).ok());
    let model = &last.unwrap_or_else(|| turn.route.primary()).model.id;
    let report = report::headers(model, turn.route.header(), failed.failed.len());
    ApiError::from(failed.error).headers(report).into()
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
