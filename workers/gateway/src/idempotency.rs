//! Requests with an `Idempotency-Key`: one call, one charge and one turn, however often they are
//! sent; whoever asks again gets the answer of the first.
//!
//! The place is claimed in the database before the ledger is asked, so that a second request waits
//! for the first and not for its session. The answer is kept in the transaction that stores the
//! turn. What a crash leaves behind is told by the ledger: a request that is not under way has
//! either stored its turn, which answers, or is dead, and the next one takes its place.

use std::rc::Rc;

use clawless_core::ledger::{EndpointClass, Input, LedgerAnswer, RESERVATION_SPAN};
use clawless_core::time::{Millis, Timer};
use clawless_core::{ApiError, Clock, ErrorCode, KeyId, RequestId, SessionId, TenantId};
use clawless_edge::request::RequestHead;
use clawless_edge::response::HttpResponse;
use clawless_store::idempotency::{self, Claim, ClaimKey, ClaimRequest, StoredResponse};
use clawless_store::{Backoff, SqlError, retry, turns};
use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::stream::{StreamExt, once};

use crate::admit::check_rate;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::resume;
use crate::turn::{PendingTurn, Turn};

/// The header.
const HEADER: &str = "idempotency-key";
/// Its longest value, in characters.
const MAX_KEY: usize = 255;
/// The only route that takes it.
const ROUTE: &str = "/v1/chat/completions";

/// How long a request may hold its place before the ledger has heard of it. Who holds it longer
/// and is unknown to the ledger is dead.
const CLAIM_GRACE: Millis = Millis::from_secs(30);
/// Whoever took this long to be admitted gives up, before anybody can take it for dead.
const ADMISSION_TIMEOUT: Millis = Millis::from_secs(20);
/// The longest wait for a session, and the call after it.
const MAX_CLAIM_TIME: Millis = Millis::from_secs(30 + 10).plus(RESERVATION_SPAN);
/// The pauses between two looks at a request that has ended, or has not begun.
const FIRST_PAUSE: Millis = Millis::new(50);
const LAST_PAUSE: Millis = Millis::from_secs(2);
/// When to ask again for a request that still runs.
const RETRY_AFTER_RUNNING: Millis = Millis::from_secs(2);

/// A request that may come more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    key: String,
    digest: String,
}

impl IdempotencyKey {
    /// Reads the header; nothing where it is absent.
    ///
    /// # Errors
    /// 400 where its value is empty or too long.
    pub fn of(
        head: &RequestHead,
        session: Option<&SessionId>,
        body: &[u8],
    ) -> Result<Option<Self>, ApiError> {
        let Some(key) = head.header(HEADER) else {
            return Ok(None);
        };
        if key.is_empty() || key.chars().count() > MAX_KEY {
            let message = format!("An `Idempotency-Key` has 1 to {MAX_KEY} characters.");
            return Err(ApiError::new(ErrorCode::InvalidValue, message).param(HEADER));
        }
        Ok(Some(Self {
            key: key.to_owned(),
            digest: idempotency::digest(session.map(SessionId::as_str), body),
        }))
    }

    /// The answer of this request, as it is kept.
    pub fn kept(&self, key: &KeyId, answer: String) -> StoredResponse {
        StoredResponse {
            key: key.clone(),
            route: ROUTE.to_owned(),
            idempotency_key: self.key.clone(),
            response: answer,
        }
    }
}

/// A place that was claimed: whose it is, and where.
#[derive(Debug, Clone)]
pub struct IdempotencyClaim {
    request: RequestId,
    tenant: TenantId,
    key: KeyId,
    idempotency_key: IdempotencyKey,
}

impl IdempotencyClaim {
    /// The place that an pending would have, where it is idempotency_key.
    pub fn by(pending: &PendingTurn) -> Option<Self> {
        Some(Self {
            request: pending.request_id.clone(),
            tenant: pending.caller.tenant().id.clone(),
            key: pending.caller.key().id.clone(),
            idempotency_key: pending.idempotency_key.clone()?,
        })
    }

    /// The place that a turn has, where it is idempotency_key.
    pub fn of(turn: &Turn) -> Option<Self> {
        Some(Self {
            request: turn.request_id.clone(),
            tenant: turn.tenant.clone(),
            key: turn.key.clone(),
            idempotency_key: turn.idempotency_key.clone()?,
        })
    }

    fn place(&self) -> ClaimKey<'_> {
        ClaimKey {
            key: &self.key,
            route: ROUTE,
            idempotency_key: &self.idempotency_key.key,
        }
    }

    /// Gives the place back: nothing was produced, or nothing that could be kept. Where that fails,
    /// whoever asks next finds the request dead.
    pub async fn release<P: Platform>(&self, platform: &P) {
        let released = retry(
            Backoff::DATABASE,
            platform.time(),
            platform.entropy(),
            async || {
                idempotency::release(platform.sql(), &self.tenant, self.place(), &self.request)
                    .await
            },
        );
        if let Err(error) = released.await {
            tracing::warn!(
                internal = error.internal(),
                "an idempotency key is not free yet"
            );
        }
    }

    async fn claim<P: Platform>(
        &self,
        platform: &P,
        dead: Option<&RequestId>,
    ) -> Result<Claim, SqlError> {
        let now = platform.time().now();
        let bid = ClaimRequest {
            body_digest: &self.idempotency_key.digest,
            request: &self.request,
            now,
            deadline: now.plus(MAX_CLAIM_TIME),
            dead,
        };
        let claimed = retry(
            Backoff::DATABASE,
            platform.time(),
            platform.entropy(),
            async || idempotency::claim(platform.sql(), &self.tenant, self.place(), bid).await,
        );
        claimed.await
    }
}

/// Claims the place of a idempotency_key pending. Nothing: it is ours, or needs none, and the pending is
/// carried out. Else the answer of the request that came first, once it is there.
///
/// # Errors
/// 422 where the key was used with another body; 409 where the first request still runs when our
/// time is over, and where its answer is too long to be kept; 401, 403 and 429 as for every
/// request; 503 where storage does not answer.
pub async fn claim<P: Platform>(
    platform: &Rc<P>,
    pending: &mut PendingTurn,
) -> Result<Option<HttpResponse>, ApiError> {
    let Some(held) = IdempotencyClaim::by(pending) else {
        return Ok(None);
    };
    let give_up = pending.started.plus(platform.config().total_timeout);
    let mut passed = false;
    // The request that the ledger did not know when it was last asked.
    let mut ended: Option<RequestId> = None;
    let mut dead: Option<RequestId> = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let asked_at = platform.time().now();
        let claim = bid(platform, &held, dead.take()).await?;
        if claim == Claim::Granted {
            pending.claimed_at = Some(asked_at);
            return Ok(None);
        }
        // Nobody is told anything before the ledger has confirmed who asks.
        if !passed {
            check_rate(&**platform, &pending.caller, EndpointClass::Chat).await?;
            passed = true;
        }
        let (request, since) = match claim {
            Claim::Granted => return Ok(None),
            Claim::Answered {
                request,
                response: answer,
            } => {
                return Ok(Some(replayed(pending, &request, answer)));
            }
            Claim::TooLarge => return Err(too_large()),
            Claim::OtherBody => return Err(other_body()),
            Claim::Running { request, since } => (request, since),
        };
        let now = platform.time().now();
        if now >= give_up {
            return Err(still_running());
        }
        if ended.as_ref() == Some(&request) {
            // It ended before this look, and its answer is not kept.
            let found = turns::find_by_request(platform.sql(), &held.tenant, &request).await?;
            if let Some(turn) = found {
                let answer =
                    resume::answer(&**platform, &held.tenant, &request, turn, pending.form());
                return answer.await.map(|answer| Some(marked(answer, &request)));
            }
            if now.since(since) >= CLAIM_GRACE {
                dead = Some(request);
                continue;
            }
            platform.time().sleep(pause).await;
            pause = Millis::new(pause.get().saturating_mul(2)).min(LAST_PAUSE);
        }
        let question = Input::Await {
            request_id: request.clone(),
            session_id: None,
        };
        let output = platform.ledger().ask(&held.tenant, question).await?;
        ended = (output.answer != LedgerAnswer::UnderWay).then_some(request);
    }
}

/// Whether a place was held for so long before the ledger heard of its request that another may
/// take it.
pub fn is_late<P: Platform>(platform: &P, pending: &PendingTurn) -> bool {
    let now = platform.time().now();
    pending
        .claimed_at
        .is_some_and(|claimed| now.since(claimed) >= ADMISSION_TIMEOUT)
}

/// One bid, in a task that outlives the client: a place that was granted to somebody who has left
/// is given back.
async fn bid<P: Platform>(
    platform: &Rc<P>,
    held: &IdempotencyClaim,
    dead: Option<RequestId>,
) -> Result<Claim, ApiError> {
    let (reply, answer) = oneshot::channel();
    let (task_platform, held) = (platform.clone(), held.clone());
    let task = async move {
        let claim = held.claim(&*task_platform, dead.as_ref()).await;
        if let Err(Ok(Claim::Granted)) = reply.send(claim) {
            held.release(&*task_platform).await;
        }
    };
    platform.spawn(task.boxed_local());
    match answer.await {
        Ok(claim) => Ok(claim?),
        Err(_) => Err(ApiError::internal("the claim ended without an answer")),
    }
}

/// The answer that was kept, in the form in which it went out.
fn replayed(pending: &PendingTurn, request: &RequestId, text: String) -> HttpResponse {
    let answer = if pending.request.stream {
        HttpResponse::events(once(async { text.into_bytes() }).boxed_local())
    } else {
        HttpResponse::json(text)
    };
    let answer = match &pending.request.session_id {
        None => answer,
        Some(session) => answer.with_header("x-session-id", session.as_str()),
    };
    marked(answer, request)
}

/// Says that an answer was given before, and to which request.
fn marked(answer: HttpResponse, request: &RequestId) -> HttpResponse {
    answer
        .with_header("idempotent-replayed", "true")
        .with_header("x-original-request-id", request.as_str())
}

/// What is told to whoever has waited for a request as long as we wait.
pub fn still_running() -> ApiError {
    ApiError::new(
        ErrorCode::RequestInProgress,
        "The request is still running. Ask again in a moment.",
    )
    .retry_after(RETRY_AFTER_RUNNING)
}

fn too_large() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "The request with this idempotency key was answered before, with more than is kept (256 KiB). \
         Its answer cannot be given again.",
    )
}

fn other_body() -> ApiError {
    ApiError::new(
        ErrorCode::IdempotencyKeyReused,
        "This idempotency key was used before with another body. Use a fresh key for each request.",
    )
    .param(HEADER)
}
