//! What the gateway does every hour, for all tenants at once: what is kept no longer goes.

use clawless_core::Timestamp;
use clawless_core::time::Millis;
use clawless_edge::queue::Queue;
use clawless_store::{Sql, SqlError, idempotency, sessions};

use crate::sends;

/// How long the empty row of a deleted session stays: far longer than a turn of it can run, or a
/// copy of its history live.
const BURIED: Millis = Millis::from_secs(24 * 60 * 60);

/// Forgets answers to idempotency keys after their day, and what deleted sessions left; tells the
/// queue of messages that it may have lost. May be repeated.
///
/// # Errors
/// Where the database fails; the next hour does it.
pub async fn clean(sql: &impl Sql, queue: &impl Queue, now: Timestamp) -> Result<(), SqlError> {
    // What waits goes before what is to be forgotten.
    sends::clean(sql, queue, now).await?;
    idempotency::sweep_across_tenants(sql, now).await?;
    let long_ago = Timestamp::from_millis(now.as_millis().saturating_sub(BURIED.get()));
    sessions::purge_across_tenants(sql, long_ago).await
}
