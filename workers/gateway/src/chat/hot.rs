//! Copies of recent sessions in the cache, read in place of the database if the ledger knows the
//! session's head. Everything works without them.

use std::rc::Rc;

use clawless_core::ledger::SessionState;
use clawless_core::session::SessionHead;
use clawless_core::time::{Elapsed, Millis, timeout};
use clawless_core::{Clock, SessionId, TenantId};
use clawless_edge::http::Permit;
use clawless_store::KvError;
use clawless_store::hot::{self, HotSession, MAX_BYTES};

use super::model::outcome::CommittedTurn;
use super::model::session::OpenSession;
use crate::platform::Platform;

/// The timeout of a cache operation. KV itself has none, and the database answers sooner.
const CACHE_TIMEOUT: Millis = Millis::from_secs(1);

/// The counted copies of a history: the cached text, and its messages.
const COPIES: usize = 2;

/// The bytes of a token of stored text, at most as a rule.
const MAX_TOKEN_BYTES: u64 = 8;

/// Reads the copy of a session under the head that the ledger knows. `None` if the ledger knows no
/// head, there is no copy, the cache does not answer, the session has expired, or `permit` has no room for a
/// copy. A copy counts before it is read, by the tokens of the session, and then by its bytes.
pub async fn load<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    known: Option<SessionState>,
    permit: &Rc<Permit>,
) -> Option<HotSession> {
    let SessionState { head, token_total } = known?;
    let expected = token_total.get().saturating_mul(MAX_TOKEN_BYTES);
    let expected = copies(expected.min(MAX_BYTES));
    let loading = permit.hold_more(expected, platform.time().now()).ok()?;
    let copy = find(platform, tenant, id, head).await;
    drop(loading);
    permit.add(copy.as_ref().map_or(0, counted_bytes));
    copy
}

/// The counted bytes of a copy that was loaded.
pub fn counted_bytes(copy: &HotSession) -> usize {
    copies(copy.history.bytes())
}

fn copies(bytes: u64) -> usize {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    bytes.saturating_mul(COPIES)
}

async fn find<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    head: SessionHead,
) -> Option<HotSession> {
    match in_time(platform, hot::find(platform.kv(), tenant, id, head)).await {
        Ok(copy) => copy.filter(|copy| !copy.session.is_expired(platform.time().now())),
        Err(error) => {
            tracing::warn!(internal = error.internal, "read cached session failed");
            None
        }
    }
}

/// Writes a session's copy after a turn. Does nothing if the turn broke off, is parked in the
/// ledger, or was overtaken: the next turn reads the database.
pub async fn store<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: Option<OpenSession>,
    committed: Option<CommittedTurn>,
) {
    let before = session.and_then(|session| session.hot);
    let (Some(before), Some(CommittedTurn { state, next, .. })) = (before, committed) else {
        return;
    };
    let Some(messages) = next else {
        return;
    };
    let copy = before.with_turn(state, messages);
    if let Err(error) = in_time(platform, hot::store(platform.kv(), tenant, &copy)).await {
        tracing::warn!(internal = error.internal, "write cached session failed");
    }
}

/// Removes the copy under a head that is no longer current. Best effort: no turn reads it.
pub async fn remove<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    head: SessionHead,
) {
    if let Err(error) = in_time(platform, hot::remove(platform.kv(), tenant, id, head)).await {
        tracing::info!(internal = error.internal, "remove cached session failed");
    }
}

async fn in_time<P: Platform, T>(
    platform: &P,
    call: impl Future<Output = Result<T, KvError>>,
) -> Result<T, KvError> {
    match timeout(platform.time(), CACHE_TIMEOUT, call).await {
        Ok(result) => result,
        Err(Elapsed) => Err(KvError {
            internal: format!("no answer within {} ms", CACHE_TIMEOUT.get()),
        }),
    }
}
