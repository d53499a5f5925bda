//! Changes of a session, and the copies that they make stale: the head in the ledger, the history in
//! the cache.

use clawless_core::ledger::{Input, LedgerAnswer, StorageChange};
use clawless_core::session::SessionHead;
use clawless_core::{ApiError, SessionId, Storage, TenantId};
use clawless_edge::ledger::Ledger;
use clawless_store::SqlError;

use crate::access::refusal;
use crate::chat::hot;
use crate::platform::Platform;

/// Runs a change of a session and makes the ledger forget its head before and after: before, so that
/// no turn uses the old head if this request is aborted in between; after, because a turn may have read the
/// session meanwhile. The change succeeds only when the ledger knows. Then the copy under the old
/// head is removed. `added` is what the change adds to the stored content, and `removed` is what its
/// result has removed from it.
///
/// # Errors
/// 429 if a storage quota leaves too little, before anything is changed.
pub(in crate::http) async fn change<P: Platform, T>(
    platform: &P,
    tenant: &TenantId,
    (id, old_head): (&SessionId, Option<SessionHead>),
    added: Storage,
    change: impl Future<Output = Result<Option<T>, SqlError>>,
    removed: impl FnOnce(&T) -> Storage,
) -> Result<Option<T>, ApiError> {
    forget(platform, tenant, id, StorageChange::adding(added)).await?;
    let changed = change.await;
    let removed = match &changed {
        Ok(Some(changed)) => removed(changed),
        Ok(None) => added,
        // The next count corrects it.
        Err(_) => Storage::ZERO,
    };
    // Even after an error: the database may have committed although its response was lost.
    forget(platform, tenant, id, StorageChange::removing(removed)).await?;
    if let Some(head) = old_head {
        hot::remove(platform, tenant, id, head).await;
    }
    Ok(changed?)
}

/// Makes the ledger forget a session's head: the next turn reads the database.
async fn forget<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    storage: StorageChange,
) -> Result<(), ApiError> {
    let input = Input::Forget {
        session_id: id.clone(),
        storage,
    };
    let output = platform.ledger().call(tenant, input).await?;
    match output.answer {
        LedgerAnswer::Done => Ok(()),
        answer => Err(refusal(answer, &output.headers)),
    }
}
