//! The hourly cleanup, for all tenants at once.

use clawless_core::Timestamp;
use clawless_core::time::Millis;
use clawless_edge::queue::Queue;
use clawless_store::{Sql, SqlError, idempotency, sessions, widget_sessions};

use crate::sends::maintenance;

/// How long the empty row of a deleted session is kept: far longer than a turn of it can run or a
/// copy of its history can live.
const SOFT_DELETE_RETENTION: Millis = Millis::from_secs(24 * 60 * 60);

/// Deletes expired answers to idempotency keys, the visitors and the rows of deleted sessions, and
/// sends stalled messages to the queue again. A part that fails skips no other. May be repeated.
///
/// # Errors
/// The first error, if the database fails; the next run repeats the work.
pub async fn clean(sql: &impl Sql, queue: &impl Queue, now: Timestamp) -> Result<(), SqlError> {
    let deleted_before = now.minus(SOFT_DELETE_RETENTION);
    // Stalled messages come first: they matter more than deletions.
    let parts = [
        maintenance::clean(sql, queue, now).await,
        idempotency::sweep_across_tenants(sql, now).await,
        widget_sessions::purge_across_tenants(sql, now).await,
        sessions::purge_across_tenants(sql, deleted_before).await,
    ];
    parts.into_iter().collect()
}
