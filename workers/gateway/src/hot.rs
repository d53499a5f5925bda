//! Copies of hot sessions in the cache: read in place of the database where the ledger knows the
//! session's head, and written after a turn. Everything works without them.

use std::pin::pin;

use clawless_core::ledger::SessionState;
use clawless_core::session::SessionHead;
use clawless_core::time::{Millis, Timer};
use clawless_core::{Clock, SessionId, TenantId};
use clawless_store::KvError;
use clawless_store::hot::{self, HotSession};
use futures_util::future::{Either, select};

use crate::commit::Stored;
use crate::platform::Platform;
use crate::prepare::OpenSession;

/// How long the cache may take for one thing. KV itself knows no limit, and the database answers
/// sooner than this.
const CACHE_TIMEOUT: Millis = Millis::from_secs(1);

/// The copy of a session under the head that the ledger knows. None where it knows none, where there
/// is no copy, where the cache does not answer, and where the session has ended meanwhile.
pub async fn recall<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    known: Option<SessionState>,
) -> Option<HotSession> {
    let head = known?.head;
    match in_time(platform, hot::find(platform.kv(), tenant, id, head)).await {
        Ok(copy) => copy.filter(|copy| !copy.session.is_expired(platform.time().now())),
        Err(error) => {
            tracing::warn!(
                internal = error.internal,
                "a session is read without the cache"
            );
            None
        }
    }
}

/// Copies a session as it stands after a turn. Nothing is copied of a turn that broke, that waits in
/// the ledger, or that was overtaken: the next one reads the database.
pub async fn remember<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    session: Option<OpenSession>,
    stored: Option<Stored>,
) {
    let before = session.and_then(|session| session.hot);
    let (Some(before), Some(Stored { state, next })) = (before, stored) else {
        return;
    };
    let Some(said) = next else {
        return;
    };
    let copy = before.with_turn(state, said);
    if let Err(error) = in_time(platform, hot::store(platform.kv(), tenant, &copy)).await {
        tracing::warn!(
            internal = error.internal,
            "a session is not copied into the cache"
        );
    }
}

/// Takes a copy away that nobody should ask for any more; it only should not lie about.
pub async fn remove<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    head: SessionHead,
) {
    if let Err(error) = in_time(platform, hot::remove(platform.kv(), tenant, id, head)).await {
        tracing::info!(
            internal = error.internal,
            "a copy stays until it ends by itself"
        );
    }
}

/// What the cache says, if it does so in time.
async fn in_time<P: Platform, T>(
    platform: &P,
    call: impl Future<Output = Result<T, KvError>>,
) -> Result<T, KvError> {
    match select(pin!(call), pin!(platform.time().sleep(CACHE_TIMEOUT))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(KvError {
            internal: format!("no answer within {} ms", CACHE_TIMEOUT.get()),
        }),
    }
}
