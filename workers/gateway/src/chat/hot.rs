//! Copies of recent sessions in the cache, read in place of the database if the ledger knows the
//! session's head. Everything works without them.

use clawless_core::ledger::SessionState;
use clawless_core::session::SessionHead;
use clawless_core::time::{Elapsed, Millis, timeout};
use clawless_core::{Clock, SessionId, TenantId};
use clawless_store::KvError;
use clawless_store::hot::{self, HotSession};

use super::model::outcome::CommittedTurn;
use super::model::session::OpenSession;
use crate::platform::Platform;

/// The timeout of a cache operation. KV itself has none, and the database answers sooner.
const CACHE_TIMEOUT: Millis = Millis::from_secs(1);

/// Reads the copy of a session under the head that the ledger knows. `None` if the ledger knows no
/// head, there is no copy, the cache does not answer, or the session has expired.
pub async fn load<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    known: Option<SessionState>,
) -> Option<HotSession> {
    let head = known?.head;
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
