//! The hourly cleanup of messages, for all tenants at once.

use clawless_core::Timestamp;
use clawless_core::time::Millis;
use clawless_edge::queue::{Queue, QueueError};
use clawless_store::{Sql, SqlError, sends};

/// A running message without changes for this long is sent to the queue again: longer than a turn
/// can run, or the queue's longest pause.
const STALE_AFTER: Millis = Millis::from_secs(15 * 60);
/// The most messages that one cleanup sends to the queue.
const MAX_STALE: u32 = 100;
/// How long the result of a message is kept: as long as an idempotent answer.
const RETENTION: Millis = Millis::from_secs(24 * 60 * 60);

/// Sends stalled messages to the queue again and deletes messages that ended long ago. The queue
/// may get a message twice.
///
/// # Errors
/// If the database fails; a failed deletion does not stop the messages. The next run repeats the work.
pub async fn clean(sql: &impl Sql, queue: &impl Queue, now: Timestamp) -> Result<(), SqlError> {
    let purged = sends::purge_across_tenants(sql, now.minus(RETENTION)).await;
    for job in sends::stale_across_tenants(sql, now.minus(STALE_AFTER), MAX_STALE).await? {
        if let Err(QueueError(error)) = queue.post(&job).await {
            let (send, tenant) = (job.send.as_str(), job.tenant.as_str());
            tracing::error!(error, send, tenant, "post to queue failed");
            break;
        }
    }
    purged
}
