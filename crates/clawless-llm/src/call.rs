//! Calls a fallback chain: retries a model, then tries the next one, until a response begins.

use std::borrow::Cow;
use std::cell::RefCell;
use std::pin::pin;

use clawless_core::llm::{LlmRequest, LlmResponse};
use clawless_core::model::Model;
use clawless_core::retry::Backoff;
use clawless_core::routing::breaker::Breakers;
use clawless_core::time::{Clock, Timer};
use clawless_core::{Entropy, Timestamp, Tokens};
use futures_util::future::{Either, select};

use crate::client::{Io, LlmClient, Timeouts};
use crate::error::LlmError;
use crate::ports::Http;
use crate::stream::AnswerStream;

/// The default number of retries per model.
pub const DEFAULT_RETRIES: u32 = Backoff::PROVIDER.max_retries;

/// One model of a fallback chain.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The client of the model's provider.
    pub client: &'a LlmClient,
    /// The model.
    pub model: &'a Model,
}

/// The ports and settings of calls.
#[derive(Debug)]
pub struct ChainCall<'a, H, T, E> {
    /// The network and the clock.
    pub io: &'a Io<H, T>,
    /// The source of jitter.
    pub entropy: &'a E,
    /// The circuit breakers of this isolate. Never borrowed across an `await`.
    pub breakers: &'a RefCell<Breakers>,
    /// The tenant of the request. Failures of one tenant alone do not open a breaker for others.
    pub tenant: &'a str,
    /// The configured timeouts. A provider's profile and the model's reasoning effort extend them.
    pub timeouts: Timeouts,
    /// The maximum number of retries per model.
    pub retries: u32,
}

/// A failed try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTry {
    /// The model's position in the chain.
    pub target: usize,
    /// The failure.
    pub error: LlmError,
}

/// A response, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered<A> {
    /// The response.
    pub answer: A,
    /// The position in the chain of the model that responded.
    pub target: usize,
    /// The failed tries before it, in order.
    pub failed: Vec<FailedTry>,
    /// The parameters that were dropped because this model's provider does not support them.
    pub dropped: Vec<Cow<'static, str>>,
}

impl<A> Answered<A> {
    /// The number of requests that were sent.
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
    /// Every try, in order, including the last.
    pub failed: Vec<FailedTry>,
}

/// Why a call returned no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Every model of the chain failed.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// The caller cancelled the call.
    #[error("the call was cancelled")]
    Cancelled {
        /// Whether a request to a provider was aborted. Between two tries no request is in flight,
        /// and nothing is charged.
        in_flight: bool,
    },
}

impl<H, T, E> ChainCall<'_, H, T, E>
where
    H: Http,
    T: Clock + Timer + Clone + 'static,
    E: Entropy,
{
    /// Requests a streamed response along the chain and returns once one has begun. From then on
    /// nothing is retried because the client may have received output. When `cancel` completes
    /// first, the request in flight is aborted.
    ///
    /// # Errors
    /// Every model of the chain failed, or the call was cancelled.
    pub async fn stream(
        &self,
        chain: &[Target<'_>],
        request: &LlmRequest,
        deadline: Timestamp,
        cancel: impl Future<Output = ()> + Unpin,
    ) -> Result<Answered<AnswerStream<H::Body, T>>, CallError> {
        let deadline = self.bounded(deadline);
        let send = async |_, client: &LlmClient, request: &LlmRequest, timeouts: &Timeouts| {
            client.stream(self.io, request, timeouts, deadline).await
        };
        self.try_chain(chain, request, deadline, cancel, send).await
    }

    /// Requests a whole response along the chain. When `cancel` completes first, the request in
    /// flight is aborted.
    ///
    /// # Errors
    /// Every model of the chain failed, or the call was cancelled.
    pub async fn complete(
        &self,
        chain: &[Target<'_>],
        request: &LlmRequest,
        deadline: Timestamp,
        cancel: impl Future<Output = ()> + Unpin,
    ) -> Result<Answered<LlmResponse>, CallError> {
        let deadline = self.bounded(deadline);
        let send = async |_, client: &LlmClient, request: &LlmRequest, timeouts: &Timeouts| {
            client.complete(self.io, request, timeouts, deadline).await
        };
        self.try_chain(chain, request, deadline, cancel, send).await
    }

    /// Requests a streamed response along the chain and reads it with `read`, which gets the position of
    /// the model in the chain, and may be called again after it has failed. The caller gets no output before
    /// it is complete, so a failure at any time is retried. The timeouts are those of a
    /// whole response. When `cancel` completes first, the request in flight is aborted.
    ///
    /// # Errors
    /// Every model of the chain failed, or the call was cancelled.
    pub async fn collect<A>(
        &self,
        chain: &[Target<'_>],
        request: &LlmRequest,
        deadline: Timestamp,
        cancel: impl Future<Output = ()> + Unpin,
        read: impl AsyncFn(usize, AnswerStream<H::Body, T>) -> Result<A, LlmError>,
    ) -> Result<Answered<A>, CallError> {
        let deadline = self.bounded(deadline);
        let send = async |target, client: &LlmClient, request: &LlmRequest, timeouts: &Timeouts| {
            let timeouts = Timeouts {
                first_byte: timeouts.whole,
                ..*timeouts
            };
            let stream = client.stream(self.io, request, &timeouts, deadline);
            read(target, stream.await?).await
        };
        self.try_chain(chain, request, deadline, cancel, send).await
    }

    /// The deadline of a call that starts now.
    fn bounded(&self, deadline: Timestamp) -> Timestamp {
        let longest = self.io.time.now().plus(self.timeouts.total);
        longest.min(deadline)
    }

    async fn try_chain<A>(
        &self,
        chain: &[Target<'_>],
        request: &LlmRequest,
        deadline: Timestamp,
        mut cancel: impl Future<Output = ()> + Unpin,
        send: impl AsyncFn(usize, &LlmClient, &LlmRequest, &Timeouts) -> Result<A, LlmError>,
    ) -> Result<Answered<A>, CallError> {
        let mut failed: Vec<FailedTry> = Vec::new();
        for (position, target) in chain.iter().enumerate() {
            let is_last = position + 1 == chain.len();
            let nothing_tried = failed.is_empty();
            // Check the breaker last: its permit may make this call the half-open probe.
            if !may_succeed(&failed, chain, *target)
                || !self.breaker_permits(*target, is_last && nothing_tried)
            {
                continue;
            }
            let request = for_model(request, target.model);
            let effort = request.options.reasoning_effort;
            let timeout_factors = target
                .client
                .profile()
                .timeout_factors(target.model, effort);
            let timeouts = self.timeouts.extended(timeout_factors);
            for retry in 0..=self.retries {
                let sending = pin!(send(position, target.client, &request, &timeouts));
                let error = match select(sending, &mut cancel).await {
                    Either::Right(_) => return Err(CallError::Cancelled { in_flight: true }),
                    Either::Left((Ok(answer), _)) => {
                        self.succeed(*target);
                        return Ok(Answered {
                            answer,
                            target: position,
                            failed,
                            dropped: target.client.dropped(&request),
                        });
                    }
                    Either::Left((Err(error), _)) => error,
                };
                self.fail(*target, &error);
                failed.push(FailedTry {
                    target: position,
                    error: error.clone(),
                });
                if !error.may_fall_over() {
                    return Err(Failed { error, failed }.into());
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
                let sleep = pin!(self.io.time.sleep(wait));
                if let Either::Right(_) = select(sleep, &mut cancel).await {
                    return Err(CallError::Cancelled { in_flight: false });
                }
            }
        }
        let error = failed.last().map(|it| it.error.clone());
        Err(Failed {
            error: error.unwrap_or_else(|| LlmError::Unreachable("the chain is empty".to_owned())),
            failed,
        }
        .into())
    }

    /// Whether the breaker permits a call. The only remaining model of a chain is always
    /// called: a call that may fail is better than a certain error.
    fn breaker_permits(&self, target: Target<'_>, is_only_choice: bool) -> bool {
        let (provider, model) = breaker_key(target);
        let now = self.io.time.now();
        let mut breakers = self.breakers.borrow_mut();
        breakers.admit(provider, model, self.tenant, now) || is_only_choice
    }

    fn succeed(&self, target: Target<'_>) {
        let (provider, model) = breaker_key(target);
        let mut breakers = self.breakers.borrow_mut();
        breakers.succeed(provider, model, self.tenant);
    }

    fn fail(&self, target: Target<'_>, error: &LlmError) {
        if error.is_providers_fault() {
            let (provider, model) = breaker_key(target);
            let now = self.io.time.now();
            let mut breakers = self.breakers.borrow_mut();
            breakers.fail(provider, model, self.tenant, now);
        } else if error.is_unsent() {
            let (provider, model) = breaker_key(target);
            let now = self.io.time.now();
            let mut breakers = self.breakers.borrow_mut();
            breakers.release(provider, model, self.tenant, now);
        } else if error.is_rejection() {
            // A rejected request shows that the provider is up.
            self.succeed(target);
        }
    }
}

fn breaker_key(target: Target<'_>) -> (&str, &str) {
    (target.client.provider(), &target.model.id)
}

/// Whether to retry the same model. An overloaded provider is not retried if the chain has another
/// model.
fn is_retried(error: &LlmError, is_last: bool) -> bool {
    let is_busy = matches!(
        error,
        LlmError::RateLimited { .. } | LlmError::Overloaded { .. }
    );
    error.is_retryable() && (is_last || !is_busy)
}

/// Whether a model may succeed after the previous ones failed: messages that exceeded one context
/// window are not sent to a model whose window is known to be no larger.
fn may_succeed(failed: &[FailedTry], chain: &[Target<'_>], target: Target<'_>) -> bool {
    let too_small = failed
        .iter()
        .filter(|it| it.error == LlmError::ContextLength)
        .filter_map(|it| chain.get(it.target)?.model.context)
        .max();
    let window = target.model.context;
    too_small
        .zip(window)
        .is_none_or(|(too_small, window)| window > too_small)
}

/// The request for one model: with the model's default effort unless the request sets one, and with
/// an output limit within the model's.
fn for_model<'a>(request: &'a LlmRequest, model: &Model) -> Cow<'a, LlmRequest> {
    let mut request = Cow::Borrowed(request);
    if request.model != model.id {
        request.to_mut().model.clone_from(&model.id);
    }
    let default = model.effort.filter(|_| model.supports_thinking());
    if request.options.reasoning_effort.is_none() && default.is_some() {
        request.to_mut().options.reasoning_effort = default;
    }
    let wanted = request
        .options
        .max_output()
        .map(|it| Tokens::new(it.into()));
    if let (Some(wanted), Some(max)) = (wanted, model.output_limit())
        && wanted > max
    {
        request.to_mut().options.limit_output(max);
    }
    request
}
