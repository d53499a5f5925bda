//! Messages from session to session, on the side of whoever gets them.
//!
//! The queue brings a message's name, at least once. A try claims the message in the database, runs
//! the session's own turn as any request would – its lane, its model, the limits and scopes of the key
//! on whose behalf it was sent – and the transaction that stores the turn ends the message. So it is
//! delivered once, however often it comes and wherever a try dies: a message that nobody ends is
//! claimed again, once the ledger knows its last try to be dead.

mod inbox;

pub use inbox::receive;

use std::rc::Rc;

use clawless_core::chat::{ChatOptions, CompletionRequest};
use clawless_core::error::ErrorKind;
use clawless_core::ledger::{Input, LedgerAnswer};
use clawless_core::model::AUTO;
use clawless_core::sending::{SendJob, SendOrigin, SendState};
use clawless_core::time::Millis;
use clawless_core::{
    ApiError, Clock, ErrorCode, Message, RequestId, Role, Scope, SessionId, Timestamp,
};
use clawless_edge::queue::{Queue, QueueError};
use clawless_store::sends::{self, ClaimedSend, StoredSend};
use clawless_store::{Backoff, Sql, SqlError, retry, sessions};
use futures_util::FutureExt;

use crate::authenticate::of_key;
use crate::http::sessions::find::no_such_session;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::route::{RequestFeatures, SessionContext, route};
use crate::turn::{self, PendingTurn};

/// How long a try may have a message before the ledger has heard of it.
const CLAIM_GRACE: Millis = Millis::from_secs(30);
/// When to look again at a message that somebody else has.
const RETRY_AFTER_HELD: Millis = Millis::from_secs(60);
/// The pauses before a message is tried again double from the first to the last.
const FIRST_PAUSE: Millis = Millis::from_secs(5);
/// How often what is broken is tried. What is only busy is tried as often as the queue brings it.
const MAX_TRIES: u32 = 6;
/// How long nothing may happen to a message under way before the queue is told of it again: longer
/// than a turn can run, or the queue's longest pause.
const STALE: Millis = Millis::from_secs(15 * 60);
/// The most messages that one housekeeping tells the queue of.
const MAX_STALE: u32 = 100;
/// How long it is known what became of a message: as long as an idempotent answer.
const RETENTION: Millis = Millis::from_secs(24 * 60 * 60);

/// What the queue is told of an job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing more to do.
    Done,
    /// Bring it again after this time.
    Again(Millis),
}

/// Delivers a message, if it is still to be delivered. May be called for one message any number of
/// times, at once too.
pub async fn deliver<P: Platform>(platform: &Rc<P>, job: &SendJob) -> Verdict {
    match attempt(platform, job).await {
        Ok(verdict) => verdict,
        Err(error) => {
            let internal = error.internal.as_deref();
            tracing::warn!(send = job.send.as_str(), internal, "a message waits");
            Verdict::Again(RETRY_AFTER_HELD)
        }
    }
}

/// Gives up a message that the queue has brought too often.
pub async fn give_up<P: Platform>(platform: &P, job: &SendJob) -> Verdict {
    let SendJob { tenant, send } = job;
    let (sql, now) = (platform.sql(), platform.time().now());
    let reason = ErrorCode::ServiceUnavailable.as_str();
    let given_up = sends::give_up(sql, tenant, send, reason, now).await;
    match given_up {
        // One that runs just now ends by itself, or stands still until the housekeeping finds it.
        Ok(given_up) => {
            tracing::error!(
                send = send.as_str(),
                given_up,
                "a message was brought too often"
            );
            Verdict::Done
        }
        Err(error) => {
            tracing::warn!(internal = error.internal(), "a message is not given up yet");
            Verdict::Again(RETRY_AFTER_HELD)
        }
    }
}

/// Tells the queue again of messages that nothing has happened to for too long, and forgets those
/// that ended long ago. What the queue has already it may have twice.
///
/// # Errors
/// Where the database fails; the next hour does it.
pub async fn clean(sql: &impl Sql, queue: &impl Queue, now: Timestamp) -> Result<(), SqlError> {
    let before = |span: Millis| Timestamp::from_millis(now.as_millis().saturating_sub(span.get()));
    sends::purge_across_tenants(sql, before(RETENTION)).await?;
    for job in sends::stale_across_tenants(sql, before(STALE), MAX_STALE).await? {
        if let Err(QueueError(error)) = queue.post(&job).await {
            tracing::error!(error, "the queue takes no messages");
            break;
        }
    }
    Ok(())
}

async fn attempt<P: Platform>(platform: &Rc<P>, job: &SendJob) -> Result<Verdict, ApiError> {
    let SendJob { tenant, send } = job;
    let found = sends::find(platform.sql(), tenant, send).await?;
    let Some(found) = found.filter(|found| !found.state.is_end()) else {
        return Ok(Verdict::Done);
    };
    if let Some(wait) = held_for(&**platform, job, &found).await? {
        return Ok(Verdict::Again(wait));
    }
    let now = platform.time().now();
    let request = RequestId::generate(now, platform.entropy());
    let dead = found.request_id.as_ref();
    let claimed = retry(
        Backoff::DATABASE,
        platform.time(),
        platform.entropy(),
        async || sends::claim(platform.sql(), tenant, send, &request, dead, now).await,
    );
    let Some(claimed) = claimed.await? else {
        return Ok(Verdict::Again(RETRY_AFTER_HELD));
    };
    let tries = claimed.tries;
    match carry_out(platform, job, claimed, &request, now).await {
        Ok(()) => Ok(Verdict::Done),
        Err(error) => after(&**platform, job, &request, tries, &error).await,
    }
}

/// How long to leave a message to the try that has it; nothing where that is dead, or there is none.
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
    let question = Input::Await {
        request_id,
        session_id: None,
    };
    let output = platform.ledger().ask(&job.tenant, question).await?;
    Ok((output.answer == LedgerAnswer::UnderWay).then_some(RETRY_AFTER_HELD))
}

/// Runs the turn of the session that gets the message.
async fn carry_out<P: Platform>(
    platform: &Rc<P>,
    job: &SendJob,
    claimed: ClaimedSend,
    request_id: &RequestId,
    now: Timestamp,
) -> Result<(), ApiError> {
    let caller = of_key(&**platform, &job.tenant, &claimed.key).await?;
    caller.require(Scope::Chat)?;
    let session = sessions::find(platform.sql(), &job.tenant, &claimed.session, now).await?;
    // Another session may have taken the name of one that was deleted.
    if session.is_none_or(|session| session.created_at > claimed.created_at) {
        return Err(no_such_session());
    }
    let text = introduced(claimed.path.last(), &claimed.message);
    let message = Message::text(Role::User, &text).map_err(ApiError::internal)?;
    let request = CompletionRequest {
        model: AUTO.to_owned(),
        messages: vec![message],
        stream: false,
        include_usage: false,
        include_obfuscation: false,
        session_id: Some(claimed.session),
        options: ChatOptions::default(),
    };
    let (config, session_context) = (platform.config(), SessionContext::default());
    let features = RequestFeatures::of(&request);
    let pending = PendingTurn {
        request_id: request_id.clone(),
        route: route(config, caller.tenant(), &request, features, session_context)?,
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
    };
    turn::start(platform, pending, std::future::pending().boxed_local()).await?;
    Ok(())
}

/// A message with where it comes from, so that no model takes it for its own user's word.
fn introduced(from: Option<&SessionId>, text: &str) -> String {
    match from {
        Some(session) => format!("[Message from session `{session}` of this account]\n\n{text}"),
        None => format!("[Message from a conversation of this account that is not kept]\n\n{text}"),
    }
}

/// What comes after a try that did not get through. Does nothing to a message that has ended all the
/// same: its turn is stored, with an answer that broke.
async fn after<P: Platform>(
    platform: &P,
    job: &SendJob,
    request: &RequestId,
    tries: u32,
    error: &ApiError,
) -> Result<Verdict, ApiError> {
    let SendJob { tenant, send } = job;
    let (sql, now) = (platform.sql(), platform.time().now());
    let reason = error.code.as_str();
    let may_pass = may_pass(error.code, tries);
    let internal = error.internal.as_deref();
    tracing::info!(
        send = send.as_str(),
        reason,
        internal,
        tries,
        may_pass,
        "a message did not get through"
    );
    if !may_pass {
        sends::fail(sql, tenant, send, request, reason, now).await?;
        return Ok(Verdict::Done);
    }
    if sends::release(sql, tenant, send, request, reason, now).await? {
        return Ok(Verdict::Again(pause(tries)));
    }
    Ok(Verdict::Done)
}

/// Whether another try may get through.
fn may_pass(code: ErrorCode, tries: u32) -> bool {
    match code.kind() {
        ErrorKind::Conflict => true,
        ErrorKind::RateLimit => code != ErrorCode::InsufficientQuota,
        ErrorKind::Internal | ErrorKind::Upstream => tries < MAX_TRIES,
        ErrorKind::Validation
        | ErrorKind::Authentication
        | ErrorKind::Permission
        | ErrorKind::NotFound => false,
    }
}

/// How long to wait after so many tries.
fn pause(tries: u32) -> Millis {
    let doubled = 1_u64
        .checked_shl(tries.saturating_sub(1))
        .unwrap_or(u64::MAX);
    Millis::new(FIRST_PAUSE.get().saturating_mul(doubled)).min(RETRY_AFTER_HELD)
}
