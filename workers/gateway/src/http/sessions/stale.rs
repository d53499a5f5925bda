//! Changes of a session, and the copies that they make stale: the head in the ledger, the history in
//! the cache.

use clawless_core::ledger::Input;
use clawless_core::session::SessionHead;
use clawless_core::{ApiError, SessionId, TenantId};
use clawless_edge::ledger::Ledger;
use clawless_store::SqlError;

use crate::chat::hot;
use crate::platform::Platform;

/// Runs a change of a session and makes the ledger forget its head before and after: before, so that
/// no turn uses the old head if this request dies in between; after, because a turn may have read the
/// session meanwhile. The change succeeds only when the ledger knows. Then the copy under the old
/// head is removed.
pub(super) async fn change<P: Platform, T>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
    old_head: Option<SessionHead>,
    change: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, ApiError> {
    forget(platform, tenant, id).await?;
    let changed = change.await;
    // Even after an error: the database may have committed although its response was lost.
    forget(platform, tenant, id).await?;
    if let Some(head) = old_head {
        hot::remove(platform, tenant, id, head).await;
    }
    Ok(changed?)
}

/// Makes the ledger forget a session's head: the next turn reads the database.
pub(super) async fn forget<P: Platform>(
    platform: &P,
    tenant: &TenantId,
    id: &SessionId,
) -> Result<(), ApiError> {
    let session_id = id.clone();
    let input = Input::Forget { session_id };
    platform.ledger().ask(tenant, input).await?;
    Ok(())
}
