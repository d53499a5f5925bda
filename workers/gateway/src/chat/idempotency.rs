//! Requests with an `Idempotency-Key`: one call, one charge and one turn, however often they are
//! sent. A repeated request gets the answer of the first.
//!
//! The key is claimed in the database before the ledger is called, so that a second request waits
//! for the first one and not for its session. The answer is stored in the transaction that stores
//! the turn. After a crash the ledger decides: a request that is not running has either stored its
//! turn, which is the answer, or was aborted, and the next request takes its claim.

use std::rc::Rc;

use clawless_core::ledger::{EndpointClass, Input, LedgerAnswer, RESERVATION_TTL, RateHeaders};
use clawless_core::time::{Millis, Timer};
use clawless_core::{ApiError, Clock, ErrorCode, RequestId, Timestamp};
use clawless_edge::ledger::Ledger;
use clawless_store::idempotency::{self, Claim, ClaimRequest};
use clawless_store::turns::{self, StoredTurn};
use clawless_store::{Backoff, SqlError, retry};
use futures_channel::oneshot;
use futures_util::FutureExt;

use super::model::idempotency::{HEADER, IdempotencyClaim};
use super::model::pending_turn::PendingTurn;
use crate::access::check_rate;
use crate::platform::Platform;

/// How long a request may hold a claim before the ledger knows the request. After that a request
/// that the ledger does not know has ended.
const CLAIM_GRACE: Millis = Millis::from_secs(30);
/// A request that is not admitted within this time gives up, before another one can take its claim.
const ADMISSION_TIMEOUT: Millis = Millis::from_secs(20);
/// The longest wait for a session, and the call after it.
const MAX_CLAIM_TIME: Millis = Millis::from_secs(30 + 10).plus(RESERVATION_TTL);
/// The waits between two checks of a request that has ended or not begun.
const CHECKS: Backoff = Backoff {
    max_retries: u32::MAX,
    base: Millis::new(50),
    max_delay: Millis::from_secs(2),
};
/// When to repeat a request that still runs.
const RETRY_AFTER_RUNNING: Millis = Millis::from_secs(2);

/// The result of a claim.
#[derive(Debug)]
pub enum ClaimOutcome {
    /// The request runs. The time of the claim, if it has an idempotency key.
    Granted(Option<Timestamp>),
    /// The request was answered before. The state of the rate limits after this one.
    Answered(FirstAnswer, RateHeaders),
}

/// The answer of the first request with an idempotency key.
#[derive(Debug)]
pub enum FirstAnswer {
    /// As it was sent.
    Recorded {
        /// The first request.
        request: RequestId,
        /// The body, or all events.
        text: String,
    },
    /// Its turn; the answer itself is not recorded.
    Stored {
        /// The first request.
        request: RequestId,
        /// Its turn.
        turn: Box<StoredTurn>,
    },
}

/// Claims the idempotency key of a request, or waits for the answer of the first request with it. From
/// the moment that a request counts, its answer has the headers of the rate limits, whatever it is.
///
/// # Errors
/// 422 if the key was used with another body; 409 if the first request still runs after the
/// longest wait, or if its answer is too long to be kept; 401, 403 and 429 as for every request;
/// 503 if storage does not answer.
pub async fn claim<P: Platform>(
    platform: &Rc<P>,
    pending: &PendingTurn,
) -> Result<ClaimOutcome, ApiError> {
    let Some(own) = pending.claim() else {
        return Ok(ClaimOutcome::Granted(None));
    };
    let claimed_at = platform.time().now();
    let claim = try_claim(platform, &own, None).await?;
    if claim == Claim::Granted {
        return Ok(ClaimOutcome::Granted(Some(claimed_at)));
    }
    // The ledger confirms the caller before the caller receives any answer.
    let rates = check_rate(&**platform, &pending.caller, EndpointClass::Chat).await?;
    match first_answer(platform, pending, &own, claim).await {
        Ok(Waited::Granted(claimed_at)) => Ok(ClaimOutcome::Granted(Some(claimed_at))),
        Ok(Waited::Answered(first)) => Ok(ClaimOutcome::Answered(first, rates)),
        Err(error) => Err(error.headers(rates.pairs())),
    }
}

/// How a wait for the first request with an idempotency key ended.
enum Waited {
    /// The first request has ended without an answer, and this one has its claim.
    Granted(Timestamp),
    /// The first request is answered.
    Answered(FirstAnswer),
}

/// Waits for the answer of the first request with an idempotency key.
async fn first_answer<P: Platform>(
    platform: &Rc<P>,
    pending: &PendingTurn,
    own: &IdempotencyClaim,
    mut claim: Claim,
) -> Result<Waited, ApiError> {
    let give_up = pending.started.plus(platform.config().total_timeout);
    let mut claimed_at = platform.time().now();
    // The request that the ledger did not know at the last call.
    let mut ended: Option<RequestId> = None;
    let mut checks = 0;
    loop {
        let (request, since) = match claim {
            Claim::Granted => return Ok(Waited::Granted(claimed_at)),
            Claim::Answered { request, response } => {
                let text = response;
                return Ok(Waited::Answered(FirstAnswer::Recorded { request, text }));
            }
            Claim::TooLarge => return Err(too_large()),
            Claim::OtherBody => return Err(other_body()),
            Claim::Running { request, since } => (request, since),
        };
        let now = platform.time().now();
        if now >= give_up {
            return Err(still_running());
        }
        let mut abandoned = None;
        if ended.as_ref() == Some(&request) {
            // It ended before this check, and its answer is not recorded.
            let found = turns::find_by_request(platform.sql(), &own.tenant, &request).await?;
            if let Some(turn) = found {
                let turn = Box::new(turn);
                return Ok(Waited::Answered(FirstAnswer::Stored { request, turn }));
            }
            if now.since(since) >= CLAIM_GRACE {
                abandoned = Some(request.clone());
            } else {
                platform.time().sleep(CHECKS.bound(checks)).await;
                checks += 1;
            }
        }
        if abandoned.is_none() {
            let input = Input::Await {
                request_id: request.clone(),
                session_id: None,
            };
            let output = platform.ledger().call(&own.tenant, input).await?;
            ended = (output.answer != LedgerAnswer::UnderWay).then_some(request);
        }
        claimed_at = platform.time().now();
        claim = try_claim(platform, own, abandoned).await?;
    }
}

/// Whether a claim was held for so long before the ledger knew its request that another request
/// may take it.
pub fn is_late<P: Platform>(platform: &P, pending: &PendingTurn) -> bool {
    let now = platform.time().now();
    pending
        .claimed_at
        .is_some_and(|claimed| now.since(claimed) >= ADMISSION_TIMEOUT)
}

/// Releases a claim, if there is one: the request produced nothing that could be kept. If this fails, the next
/// request takes the claim over.
pub async fn release<P: Platform>(platform: &P, claim: Option<&IdempotencyClaim>) {
    let Some(claim) = claim else {
        return;
    };
    let released = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || {
            let key = claim.claim_key();
            idempotency::release(platform.sql(), &claim.tenant, key, &claim.request).await
        },
    );
    if let Err(error) = released.await {
        tracing::warn!(
            internal = error.internal(),
            "release idempotency key failed"
        );
    }
}

/// Tries a claim once, in a task that outlives the client: a claim that was granted to a request
/// whose client has left is released.
async fn try_claim<P: Platform>(
    platform: &Rc<P>,
    own: &IdempotencyClaim,
    abandoned: Option<RequestId>,
) -> Result<Claim, ApiError> {
    let (sender, receiver) = oneshot::channel();
    let (task_platform, own) = (platform.clone(), own.clone());
    let task = async move {
        let claim = store_claim(&*task_platform, &own, abandoned.as_ref()).await;
        if let Err(Ok(Claim::Granted)) = sender.send(claim) {
            release(&*task_platform, Some(&own)).await;
        }
    };
    platform.spawn(task.boxed_local());
    match receiver.await {
        Ok(claim) => Ok(claim?),
        Err(_) => Err(ApiError::internal("the claim ended without an answer")),
    }
}

async fn store_claim<P: Platform>(
    platform: &P,
    own: &IdempotencyClaim,
    abandoned: Option<&RequestId>,
) -> Result<Claim, SqlError> {
    let now = platform.time().now();
    let request = ClaimRequest {
        body_digest: own.digest(),
        request: &own.request,
        now,
        deadline: now.plus(MAX_CLAIM_TIME),
        abandoned,
    };
    let claimed = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || idempotency::claim(platform.sql(), &own.tenant, own.claim_key(), request).await,
    );
    claimed.await
}

/// The error of a request that is still running after the longest wait.
pub fn still_running() -> ApiError {
    ApiError::new(
        ErrorCode::RequestInProgress,
        "The request is still running. Repeat it in a moment.",
    )
    .retry_after(RETRY_AFTER_RUNNING)
}

fn too_large() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "The request with this idempotency key was answered before, but its answer is longer than \
         256 KiB and was not stored. It cannot be sent again.",
    )
}

fn other_body() -> ApiError {
    ApiError::new(
        ErrorCode::IdempotencyKeyReused,
        "This idempotency key was used before with another body. Use a new key for each request.",
    )
    .param(HEADER)
}
