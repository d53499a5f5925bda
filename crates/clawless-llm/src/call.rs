//! A call along its chain of models: retries, then the next model, until an answer begins.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::model::Model;
use clawless_core::retry::Backoff;
use clawless_core::routing::breaker::Breakers;
use clawless_core::time::{Clock, Timer};
use clawless_core::{Entropy, Timestamp, Tokens};

use crate::client::{Io, LlmClient, Timeouts};
use crate::error::LlmError;
use crate::ports::Http;
use crate::stream::AnswerStream;

/// How often one model is asked again by default.
pub const DEFAULT_RETRIES: u32 = Backoff::PROVIDER.max_retries;

/// One model of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Whoever serves it.
    pub client: &'a LlmClient,
    /// The model.
    pub model: &'a Model,
}

/// What calls need of the outside, and what they share.
#[derive(Debug)]
pub struct ChainCall<'a, H, T, E> {
    /// The network and the time.
    pub io: &'a Io<H, T>,
    /// For the jitter.
    pub entropy: &'a E,
    /// The breakers of this isolate. Never borrowed across an `await`.
    pub breakers: &'a RefCell<Breakers>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How often one model is asked again.
    pub retries: u32,
    /// Whether a request is on its way, for whoever drops a call: what is dropped between two tries
    /// costs nothing.
    pub in_flight: &'a Cell<bool>,
}

/// A try that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTry {
    /// The position in the chain.
    pub target: usize,
    /// Why.
    pub error: LlmError,
}

/// An answer, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<A> {
    /// The answer.
    pub answer: A,
    /// The position in the chain of the model that gave it.
    pub target: usize,
    /// What failed before, in order. The number of tries is one more.
    pub failed: Vec<FailedTry>,
    /// The parameters that this model's provider has no word for and that were left out.
    pub dropped: Vec<&'static str>,
}

impl<A> Answered<A> {
    /// How many requests went out.
    pub fn tries(&self) -> usize {
        self.failed.len() + 1
    }
}

/// No model of the chain answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Failed {
    /// The error of the last try.
    #[source]
    pub error: LlmError,
    /// Every try, in order, the last included.
    pub failed: Vec<FailedTry>,
}

impl<H, T, E> ChainCall<'_, H, T, E>
where
    H: Http,
    T: Clock + Timer + Clone + 'static,
    E: Entropy,
{
    /// Asks along the chain for a streamed answer and returns once one has begun. From then on
    /// nothing is tried again: the client may have seen it.
    pub async fn stream(
        &self,
        chain: &[Target<'_>],
        request: &LlmRequest,
        deadline: Timestamp,
    ) -> Result<Answered<AnswerStream<H::Body, T>>, Failed> {
        let deadline = self.end_of_time(deadline);
        let ask = async |client: &LlmClient, request: &LlmRequest| {
            client
                .stream(self.io, request, &self.timeouts, deadline)
                .await
        };
        self.walk(chain, request, deadline, ask).await
    }

    /// Asks along the chain for an answer in one piece.
    pub async fn complete(
        &self,
        chain: &[Target<'_>],
        request: &LlmRequest,
        deadline: Timestamp,
    ) -> Result<Answered<LlmResponse>, Failed> {
        let deadline = self.end_of_time(deadline);
        let ask = async |client: &LlmClient, request: &LlmRequest| {
            client
                .complete(self.io, request, &self.timeouts, deadline)
                .await
        };
        self.walk(chain, request, deadline, ask).await
    }

    /// When a call that begins now must be over.
    fn end_of_time(&self, deadline: Timestamp) -> Timestamp {
        let longest = self.io.time.now().plus(self.timeouts.total);
        longest.min(deadline)
    }

    async fn walk<A>(
        &self,
        chain: &[Target<'_>],
        request: &LlmRequest,
        deadline: Timestamp,
        ask: impl AsyncFn(&LlmClient, &LlmRequest) -> Result<A, LlmError>,
    ) -> Result<Answered<A>, Failed> {
        let mut failed: Vec<FailedTry> = Vec::new();
        for (position, target) in chain.iter().enumerate() {
            let is_last = position + 1 == chain.len();
            let nothing_tried = failed.is_empty();
            // Asked last, because a yes may make this call the breaker's probe.
            if !is_worth_it(&failed, chain, *target)
                || !self.may_try(*target, is_last && nothing_tried)
            {
                continue;
            }
            let request = for_model(request, target.model);
            for retry in 0..=self.retries {
                self.in_flight.set(true);
                let asked = ask(target.client, &request).await;
                self.in_flight.set(asked.is_ok());
                let error = match asked {
                    Ok(answer) => {
                        self.succeed(*target);
                        return Ok(Answered {
                            answer,
                            target: position,
                            failed,
                            dropped: target.client.dropped(&request),
                        });
                    }
                    Err(error) => error,
                };
                self.fail(*target, &error);
                failed.push(FailedTry {
                    target: position,
                    error: error.clone(),
                });
                if !error.may_fall_over() {
                    return Err(Failed { error, failed });
                }
                let now = self.io.time.now();
                if retry == self.retries || !is_retried(&error, is_last) {
                    break;
                }
                let random = u32::from_le_bytes(self.entropy.bytes());
                let retry_after = error.retry_after();
                let remaining = deadline.since(now);
                let wait = Backoff::PROVIDER.delay_within(retry, random, retry_after, remaining);
                let Some(wait) = wait else {
                    break;
                };
                self.io.time.sleep(wait).await;
            }
        }
        let error = failed.last().map(|it| it.error.clone());
        Err(Failed {
            error: error.unwrap_or_else(|| LlmError::Unreachable("the chain is empty".to_owned())),
            failed,
        })
    }

    /// Whether the breaker lets a call through. Breakers choose among models; where there is
    /// nothing left to choose, asking a provider that may be dead is better than refusing a
    /// client for sure.
    fn may_try(&self, target: Target<'_>, is_only_choice: bool) -> bool {
        let (provider, model) = name(target);
        let now = self.io.time.now();
        let admitted = self.breakers.borrow_mut().admit(provider, model, now);
        admitted || is_only_choice
    }

    fn succeed(&self, target: Target<'_>) {
        let (provider, model) = name(target);
        self.breakers.borrow_mut().succeed(provider, model);
    }

    fn fail(&self, target: Target<'_>, error: &LlmError) {
        if error.is_providers_fault() {
            let (provider, model) = name(target);
            let now = self.io.time.now();
            self.breakers.borrow_mut().fail(provider, model, now);
        } else {
            // It answered, if only to refuse: it is alive.
            self.succeed(target);
        }
    }
}

fn name(target: Target<'_>) -> (&str, &str) {
    (target.client.provider(), &target.model.id)
}

/// Whether the same model is asked again. A provider that says it has too much to do is left
/// alone where there is another.
fn is_retried(error: &LlmError, is_last: bool) -> bool {
    let is_busy = matches!(
        error,
        LlmError::RateLimited { .. } | LlmError::Overloaded { .. }
    );
    error.is_retryable() && (is_last || !is_busy)
}

/// Messages that did not fit one window are not sent to one that is no larger.
fn is_worth_it(failed: &[FailedTry], chain: &[Target<'_>], target: Target<'_>) -> bool {
    let too_small = failed
        .iter()
        .filter(|it| it.error == LlmError::ContextLength)
        .filter_map(|it| Some(chain.get(it.target)?.model.context))
        .max();
    too_small.is_none_or(|window| target.model.context > window)
}

/// The request, addressed to a model: at the effort that it thinks at unless the request says
/// another, and for no longer an answer than it can give.
fn for_model<'a>(request: &'a LlmRequest, model: &Model) -> Cow<'a, LlmRequest> {
    let mut request = Cow::Borrowed(request);
    if request.model != model.id {
        request.to_mut().model.clone_from(&model.id);
    }
    let default = model.effort.filter(|_| model.thinks());
    if request.options.reasoning_effort.is_none() && default.is_some() {
        request.to_mut().options.reasoning_effort = default;
    }
    let wanted = request
        .options
        .max_output()
        .map(|it| Tokens::new(it.into()));
    if let (Some(wanted), Some(most)) = (wanted, model.longest_answer())
        && wanted > most
    {
        request.to_mut().options.limit_output(most);
    }
    request
}
