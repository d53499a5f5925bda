//! The ledger's background work: sends receipts to D1, stores parked turns, and ends calls past
//! their deadline.

use clawless_core::ledger::{
    Input, LedgerAnswer, Machine, Output, Overdue, ParkedTurn, ReceiptKey, Resolution, Resolve,
    Spent, StorageCount,
};
use clawless_core::time::{Clock, Millis, Timer, Timestamp};
use clawless_core::{TenantId, Tokens};
use clawless_edge::logging;
use clawless_store::turns::{CommitError, NewTurn};
use clawless_store::{Sql, SqlError, SqlErrorKind, api_keys, receipts, sessions, storage, turns};
use tracing::Instrument;

use super::machine::{Rows, RuntimeError};
use super::runtime::LedgerRuntime;

/// The delay of receipts, so that a busy tenant's are sent in batches.
const RECEIPT_DELAY: Millis = Millis::from_secs(2);

/// The delay of key uses if nothing else wakes the ledger.
const KEY_USE_DELAY: Millis = Millis::from_secs(60);

/// The receipts of one D1 batch.
const MAX_BATCH: usize = 50;

/// How long a parked turn is kept that the database refuses with an unknown error.
const UNKNOWN_ERROR_RETENTION: Millis = Millis::from_secs(24 * 60 * 60);

/// The pause before a call past its deadline is looked up again.
const RETRY_AFTER_SWEEP: Millis = Millis::from_secs(5);

/// The work failed; it is retried later.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The ledger's own storage failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The database failed.
    #[error("{source}: {}", source.internal())]
    Sql {
        /// The cause.
        #[from]
        source: SqlError,
    },
}

/// When the next work is due, if any.
pub fn next_due<R: Rows>(runtime: &LedgerRuntime<R>, now: Timestamp) -> Option<Timestamp> {
    runtime.read(|machine| {
        let is_waiting =
            machine.receipts().next().is_some() || machine.parked_turns().next().is_some();
        let flush = is_waiting.then(|| now.plus(RECEIPT_DELAY));
        let is_used = machine.key_uses().next().is_some();
        let note = is_used.then(|| now.plus(KEY_USE_DELAY));
        // A sweep in the past has found calls that could not be looked up yet.
        let sweep = machine.next_sweep().map(|due| {
            if due > now {
                due
            } else {
                now.plus(RETRY_AFTER_SWEEP)
            }
        });
        let count = machine.next_count();
        let count = count.map(|due| due.max(now.plus(RECEIPT_DELAY)));
        [flush, note, sweep, count].into_iter().flatten().min()
    })
}

/// Stores parked turns, sends receipts to D1 and ends the calls past their deadline. May be
/// interrupted anywhere and repeated.
///
/// # Errors
/// If the database or the ledger's own storage fails; completed work stays done.
pub async fn run<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    // A database that refuses a turn may accept receipts, and calls must end in any case.
    let parked = store_parked_turns(runtime, time, sql, tenant).await;
    let rest = settle_calls(runtime, time, sql, tenant).await;
    parked.and(rest)?;
    let due = runtime.read(Machine::next_count);
    if due.is_some_and(|due| due <= time.now()) {
        count_storage(runtime, time, sql, tenant).await?;
    }
    Ok(())
}

/// Processes an input. If it needs the amounts of stored content and they are unknown, they are
/// counted first.
///
/// # Errors
/// If the ledger's own storage fails, or too many inputs wait already.
pub async fn answer<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &(impl Clock + Timer),
    sql: &impl Sql,
    tenant: &TenantId,
    input: Input,
) -> Result<Output, RuntimeError> {
    if runtime.read(|machine| machine.needs_count(&input)) {
        // Without the database nothing can be stored, so nothing need be refused either.
        if let Err(error) = count_storage(runtime, time, sql, tenant).await {
            tracing::warn!(tenant = tenant.as_str(), %error, "count stored content failed");
        }
    }
    runtime.process(time, input).await
}

/// Corrects the amounts of stored content by a count of D1.
async fn count_storage<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    let before = runtime.read(Machine::storage).used;
    let (counted, is_complete) = storage::count(sql, tenant).await?;
    let count = StorageCount {
        before,
        counted,
        is_complete,
    };
    runtime.apply(time.now(), Input::SetStorage(count))?;
    Ok(())
}

/// Sends the receipts, ends the overdue calls, and sends their receipts.
async fn settle_calls<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    flush(runtime, time, sql, tenant).await?;
    if let LedgerAnswer::Overdue(calls) = runtime.apply(time.now(), Input::Sweep)?.answer {
        for call in calls {
            let span = logging::work_span(Some(&call.request_id), Some(tenant));
            resolve_call(runtime, time, sql, tenant, call)
                .instrument(span)
                .await?;
        }
    }
    flush(runtime, time, sql, tenant).await?;
    store_key_uses(runtime, sql, tenant).await
}

/// Ends a call past its deadline by its records in D1.
async fn resolve_call<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
    call: Overdue,
) -> Result<(), WorkError> {
    let resolve = Resolve {
        resolution: look_up_call(sql, tenant, &call).await?,
        request_id: call.request_id,
        again: call.again,
        ticket: call.ticket,
    };
    runtime.apply(time.now(), Input::Resolve(Box::new(resolve)))?;
    Ok(())
}

/// Stores in D1 when keys were last used.
async fn store_key_uses<R: Rows>(
    runtime: &LedgerRuntime<R>,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    let uses: Vec<_> = runtime.read(|machine| {
        let uses = machine.key_uses().take(MAX_BATCH);
        uses.map(|(key, at)| (key.clone(), at)).collect()
    });
    api_keys::record_uses(sql, tenant, &uses).await?;
    runtime.mark_key_uses_written(&uses);
    Ok(())
}

/// Stores the parked turns in their order. A temporary failure stops the work; a turn that D1 will
/// never accept is given up, and the turns behind it continue.
async fn store_parked_turns<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    let parked: Vec<ParkedTurn> = runtime.read(|machine| machine.parked_turns().cloned().collect());
    for ParkedTurn {
        request_id,
        turn,
        parked_at,
        ..
    } in parked
    {
        let stored = match turn.read::<NewTurn>() {
            Err(error) => Err(error.to_string()),
            Ok(turn) => match store(sql, time, tenant, turn).await {
                Ok(()) => Ok(()),
                Err(CommitError::Sql(source))
                    if is_temporary(&source, time.now().since(parked_at)) =>
                {
                    return Err(source.into());
                }
                Err(error) => Err(error.to_string()),
            },
        };
        if let Err(error) = &stored {
            tracing::error!(
                request_id = request_id.as_str(),
                error,
                "store parked turn failed"
            );
        }
        let ack = Input::AckTurn {
            request_id,
            stored: stored.is_ok(),
        };
        runtime.apply(time.now(), ack)?;
    }
    Ok(())
}

/// Whether a turn that has been parked for this long may still be accepted. An unknown error has
/// time until its cause is fixed, but must not block its session for ever.
fn is_temporary(error: &SqlError, parked_for: Millis) -> bool {
    match error.kind {
        SqlErrorKind::Overloaded | SqlErrorKind::Retryable => true,
        SqlErrorKind::Conflict(_) | SqlErrorKind::Constraint(_) => false,
        SqlErrorKind::Other => parked_for < UNKNOWN_ERROR_RETENTION,
    }
}

/// Stores a parked turn after the changes of its session meanwhile. No other turn can have run: the
/// session's lane is closed.
async fn store(
    sql: &impl Sql,
    time: &impl Clock,
    tenant: &TenantId,
    mut turn: NewTurn,
) -> Result<(), CommitError> {
    loop {
        match turns::commit(sql, tenant, &turn).await {
            Err(CommitError::Fenced) => {}
            other => return other.map(drop),
        }
        let session = sessions::find(sql, tenant, &turn.session, time.now()).await?;
        let head = session.ok_or(CommitError::SessionGone)?.head;
        if head == turn.expected {
            return Err(CommitError::Fenced);
        }
        turn.expected = head;
    }
}

/// Sends all receipts, a batch at a time.
async fn flush<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    loop {
        let batch: Vec<_> =
            runtime.read(|machine| machine.receipts().take(MAX_BATCH).cloned().collect());
        if batch.is_empty() {
            return Ok(());
        }
        receipts::store(sql, tenant, &batch).await?;
        let keys = batch.into_iter().map(|receipt| ReceiptKey {
            request_id: receipt.request_id,
            revision: receipt.revision,
        });
        runtime.apply(time.now(), Input::AckReceipts(keys.collect()))?;
    }
}

/// Looks up a call in D1: its receipt, or its stored turn.
async fn look_up_call(
    sql: &impl Sql,
    tenant: &TenantId,
    call: &Overdue,
) -> Result<Resolution, SqlError> {
    let request = &call.request_id;
    if !call.again && receipts::is_stored(sql, tenant, request).await? {
        return Ok(Resolution::Receipted);
    }
    let turn = turns::find_by_request(sql, tenant, request).await?;
    Ok(turn.map_or(Resolution::NotFound, |turn| Resolution::Turn {
        spent: Spent {
            tokens_in: Tokens::new(turn.usage.prompt_tokens),
            tokens_out: Tokens::new(turn.usage.completion_tokens),
            cost: turn.cost,
        },
        provenance: turn.provenance,
        model: Some(turn.model),
    }))
}
