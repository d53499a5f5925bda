//! Delivers one message: claims it and runs a turn of the receiving session.

use std::rc::Rc;

use clawless_api::chat::ChatRendering;
use clawless_api::surface::Rendering;
use clawless_core::chat::{ChatOptions, CompletionRequest, TurnOptions};
use clawless_core::error::ErrorKind;
use clawless_core::ledger::{Input, LedgerAnswer};
use clawless_core::model::AUTO;
use clawless_core::sending::{SendJob, SendOrigin, SendState};
use clawless_core::time::Millis;
use clawless_core::{
    ApiError, Clock, ErrorCode, Message, RequestId, Role, Scope, SessionId, Timestamp,
};
use clawless_edge::http::{Load, Permit, REQUEST_LEASE};
use clawless_edge::ledger::Ledger;
use clawless_edge::logging;
use clawless_store::sends::{self, ClaimedSend, StoredSend};
use clawless_store::{Backoff, retry, sessions};
use futures_util::FutureExt;

use crate::authenticate::of_key;
use crate::chat::model::continuation::Continuation;
use crate::chat::model::pending_turn::PendingTurn;
use crate::chat::model::session::session_not_found;
use crate::chat::pipeline;
use crate::chat::route::route;
use crate::platform::Platform;

/// How long a try may hold a message before the ledger knows its request.
const CLAIM_GRACE: Millis = Millis::from_secs(30);
/// The counted bytes of a message: three copies of 16,000 characters.
const MESSAGE_BYTES: usize = 3 * 4 * 16_000;
/// When to retry a message that another try holds.
const RETRY_AFTER_HELD: Millis = Millis::from_secs(60);
/// The retries of a message that fails. The retries of a message whose session is only busy have no
/// limit.
const RETRIES: Backoff = Backoff {
    max_retries: 5,
    base: Millis::from_secs(5),
    max_delay: RETRY_AFTER_HELD,
};

/// What the queue does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Acknowledge it.
    Done,
    /// Deliver it again after this time.
    RetryAfter(Millis),
}

/// Delivers a message that has not ended. May be called for one message any number of times, also
/// at once.
pub async fn deliver<P: Platform>(platform: &Rc<P>, job: &SendJob) -> Verdict {
    match try_deliver(platform, job).await {
        Ok(verdict) => verdict,
        Err(error) => {
            let internal = error.internal.as_deref();
            tracing::warn!(send = job.send.as_str(), internal, "deliver message failed");
            Verdict::RetryAfter(RETRY_AFTER_HELD)
        }
    }
}

/// Fails a message from the dead-letter queue.
pub async fn give_up<P: Platform>(platform: &P, job: &SendJob) -> Verdict {
    let SendJob { tenant, send } = job;
    let (sql, now) = (platform.sql(), platform.time().now());
    let reason = ErrorCode::ServiceUnavailable.as_str();
    match sends::give_up(sql, tenant, send, reason, now).await {
        // A message that is running ends by itself, or stalls until the cleanup finds it.
        Ok(given_up) => {
            tracing::error!(send = send.as_str(), given_up, "dead letter received");
            Verdict::Done
        }
        Err(error) => {
            tracing::warn!(internal = error.internal(), "fail message failed");
            Verdict::RetryAfter(RETRY_AFTER_HELD)
        }
    }
}

async fn try_deliver<P: Platform>(platform: &Rc<P>, job: &SendJob) -> Result<Verdict, ApiError> {
    let SendJob { tenant, send } = job;
    let found = sends::find(platform.sql(), tenant, send).await?;
    let Some(found) = found.filter(|found| !found.state.is_end()) else {
        return Ok(Verdict::Done);
    };
    if let Some(wait) = held_for(&**platform, job, &found).await? {
        return Ok(Verdict::RetryAfter(wait));
    }
    let now = platform.time().now();
    // Before the try counts.
    let held = Load::of_isolate().hold(tenant.as_str(), MESSAGE_BYTES, now, REQUEST_LEASE)?;
    let request = RequestId::generate(now, platform.entropy());
    logging::set_request_id(&request);
    let aborted = found.request_id.as_ref();
    let claimed = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || sends::claim(platform.sql(), tenant, send, &request, aborted, now).await,
    );
    let Some(claimed) = claimed.await? else {
        return Ok(Verdict::RetryAfter(RETRY_AFTER_HELD));
    };
    let tries = claimed.tries;
    match run_turn(platform, job, claimed, &request, now, held).await {
        Ok(()) => Ok(Verdict::Done),
        Err(error) => record_failure(&**platform, job, &request, tries, &error).await,
    }
}

/// How long to wait for the try that holds a message; `None` if that try has ended or there is none.
async fn held_for<P: Platform>(
    platform: &P,
    job: &SendJob,
    found: &StoredSend,
) -> Result<Option<Millis>, ApiError> {
    let (SendState::Running, Some(request_id)) = (found.state, found.request_id.clone()) else {
        return Ok(None);
    };
    let held = platform.time().now().since(found.updated_at);
    if held < CLAIM_GRACE {
        return Ok(Some(CLAIM_GRACE));
    }
    let input = Input::Await {
        request_id,
        session_id: None,
    };
    let output = platform.ledger().call(&job.tenant, input).await?;
    Ok((output.answer == LedgerAnswer::UnderWay).then_some(RETRY_AFTER_HELD))
}

/// Runs a turn of the receiving session.
async fn run_turn<P: Platform>(
    platform: &Rc<P>,
    job: &SendJob,
    claimed: ClaimedSend,
    request_id: &RequestId,
    now: Timestamp,
    permit: Permit,
) -> Result<(), ApiError> {
    let caller = of_key(&**platform, &job.tenant, &claimed.key).await?;
    caller.require(Scope::Chat)?;
    let session = sessions::find(platform.sql(), &job.tenant, &claimed.session, now).await?;
    // A new session may have the name of a deleted one.
    if session.is_none_or(|session| session.created_at > claimed.created_at) {
        return Err(session_not_found());
    }
    let text = with_source(claimed.path.last(), &claimed.message);
    let message = Message::text(Role::User, &text).map_err(ApiError::internal)?;
    let request = CompletionRequest {
        model: AUTO.to_owned(),
        messages: vec![message],
        stream: false,
        session_id: Some(claimed.session),
        options: ChatOptions::default(),
        turn: TurnOptions::default(),
    };
    let (features, route) = route(platform.config(), caller.tenant(), &request)?;
    let pending = Box::new(PendingTurn {
        continuation: Continuation::default(),
        rendering: Rendering::Chat(ChatRendering::default()),
        ignored: Vec::new(),
        request_id: request_id.clone(),
        route,
        caller,
        request,
        features,
        started: now,
        idempotency_key: None,
        claimed_at: Some(now),
        origin: SendOrigin {
            send: Some(job.send.clone()),
            hops: claimed.hops,
            path: claimed.path,
        },
        permit: Rc::new(permit),
    });
    let departure = std::future::pending().boxed_local();
    pipeline::start(platform, pending, departure).await?;
    Ok(())
}

/// The message with its source, so that no model takes it for its own user's words.
fn with_source(from: Option<&SessionId>, text: &str) -> String {
    match from {
        Some(session) => format!("[Message from session `{session}` of this account]\n\n{text}"),
        None => format!("[Message from a conversation of this account that is not kept]\n\n{text}"),
    }
}

/// Records a failed try. Does nothing to a message that has ended: its turn is stored, with an answer
/// that broke off.
async fn record_failure<P: Platform>(
    platform: &P,
    job: &SendJob,
    request: &RequestId,
    tries: u32,
    error: &ApiError,
) -> Result<Verdict, ApiError> {
    let SendJob { tenant, send } = job;
    let (sql, now) = (platform.sql(), platform.time().now());
    let reason = error.code.as_str();
    let is_retried = is_retried(error.code, tries);
    let internal = error.internal.as_deref();
    tracing::info!(
        send = send.as_str(),
        reason,
        internal,
        tries,
        is_retried,
        "deliver message failed"
    );
    if !is_retried {
        sends::fail(sql, tenant, send, request, reason, now).await?;
        return Ok(Verdict::Done);
    }
    if sends::release(sql, tenant, send, request, reason, now).await? {
        let retries = tries.saturating_sub(1);
        return Ok(Verdict::RetryAfter(RETRIES.bound(retries)));
    }
    Ok(Verdict::Done)
}

/// Whether another try can succeed.
fn is_retried(code: ErrorCode, tries: u32) -> bool {
    match code.kind() {
        ErrorKind::Conflict => true,
        ErrorKind::RateLimit => code != ErrorCode::InsufficientQuota,
        ErrorKind::Internal | ErrorKind::Upstream => tries <= RETRIES.max_retries,
        ErrorKind::Validation
        | ErrorKind::Authentication
        | ErrorKind::Permission
        | ErrorKind::NotFound => false,
    }
}
