//! The ledger's background work: receipts on their way to D1, and calls past their deadline.

use clawless_core::ledger::{
    Input, LedgerAnswer, Overdue, ParkedTurn, ReceiptKey, Resolution, Resolve, Spent,
};
use clawless_core::time::{Clock, Millis, Timestamp};
use clawless_core::{TenantId, Tokens};
use clawless_store::turns::{CommitError, NewTurn};
use clawless_store::{Sql, SqlError, SqlErrorKind, api_keys, receipts, sessions, turns};

use super::runtime::{LedgerRuntime, Rows, RuntimeError};

/// How long receipts gather before they are sent, so that a busy tenant's come in batches.
const GATHER: Millis = Millis::from_secs(2);

/// How long the uses of keys gather where nothing else wakes the ledger.
const GATHER_USES: Millis = Millis::from_secs(60);

/// How many receipts one batch takes to D1.
const BATCH: usize = 50;

/// How long a parked turn is kept that the database refuses for a reason that nobody knows.
const UNKNOWN_ERROR_RETENTION: Millis = Millis::from_secs(24 * 60 * 60);

/// How long to wait before a call past its deadline is looked up again.
const LOOK_AGAIN: Millis = Millis::from_secs(5);

/// The work could not be done; it is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The ledger cannot go on.
    #[error(transparent)]
    LedgerRuntime(#[from] RuntimeError),
    /// The database failed.
    #[error("{source}: {}", source.internal())]
    Sql {
        /// Why.
        #[from]
        source: SqlError,
    },
}

/// When there is work to do, if at all.
pub fn next_work<R: Rows>(runtime: &LedgerRuntime<R>, now: Timestamp) -> Option<Timestamp> {
    runtime.read(|machine| {
        let is_waiting =
            machine.receipts().next().is_some() || machine.parked_turns().next().is_some();
        let flush = is_waiting.then(|| now.plus(GATHER));
        let is_used = machine.uses().next().is_some();
        let note = is_used.then(|| now.plus(GATHER_USES));
        // A sweep that lies in the past has found calls that could not be looked up yet.
        let sweep = machine
            .next_sweep()
            .map(|due| if due > now { due } else { now.plus(LOOK_AGAIN) });
        [flush, note, sweep].into_iter().flatten().min()
    })
}

/// Sends the receipts to D1, then finds out what became of the calls past their deadline. May be
/// interrupted anywhere and repeated.
///
/// # Errors
/// Where the database or the ledger's own storage fails; what was done until then stays done.
pub async fn work_off<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    // A database that refuses a turn may still take receipts, and calls must end in any case.
    let parked = store_parked_turns(runtime, time, sql, tenant).await;
    let rest = close_books(runtime, time, sql, tenant).await;
    parked.and(rest)
}

/// Sends the receipts, ends the calls that are overdue, and sends their receipts too.
async fn close_books<R: Rows>(
    runtime: &LedgerRuntime<R>,
    time: &impl Clock,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    flush(runtime, time, sql, tenant).await?;
    if let LedgerAnswer::Overdue(calls) = runtime.apply(time.now(), Input::Sweep)?.answer {
        for call in calls {
            let resolve = Resolve {
                resolution: look_up(sql, tenant, &call).await?,
                request_id: call.request_id,
                again: call.again,
            };
            runtime.apply(time.now(), Input::Resolve(Box::new(resolve)))?;
        }
    }
    flush(runtime, time, sql, tenant).await?;
    record_uses(runtime, sql, tenant).await
}

/// Tells D1 when keys were last used.
async fn record_uses<R: Rows>(
    runtime: &LedgerRuntime<R>,
    sql: &impl Sql,
    tenant: &TenantId,
) -> Result<(), WorkError> {
    let uses: Vec<_> = runtime.read(|machine| {
        let uses = machine.uses().take(BATCH);
        uses.map(|(key, at)| (key.clone(), at)).collect()
    });
    api_keys::record_uses(sql, tenant, &uses).await?;
    runtime.uses_are_written(&uses);
    Ok(())
}

/// Stores the turns that D1 refused at first, in their order. Whatever may pass is waited for; a
/// turn that D1 will never take is given up, and everything behind it goes on.
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
                Err(CommitError::Sql(source)) if may_pass(&source, time.now().since(parked_at)) => {
                    return Err(source.into());
                }
                Err(error) => Err(error.to_string()),
            },
        };
        if let Err(error) = &stored {
            tracing::error!(
                request = request_id.as_str(),
                error,
                "a parked turn is given up"
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

/// Whether a turn that has been parked for so long may still be taken. An error that nobody knows
/// has time until its cause is found and mended, but must not close its session for ever.
fn may_pass(error: &SqlError, parked_for: Millis) -> bool {
    match error.kind {
        SqlErrorKind::Overloaded | SqlErrorKind::Retryable => true,
        SqlErrorKind::Conflict(_) | SqlErrorKind::Constraint(_) => false,
        SqlErrorKind::Other => parked_for < UNKNOWN_ERROR_RETENTION,
    }
}

/// Stores a parked turn, behind whatever was changed of its session meanwhile. No other turn can
/// have come: the session's lane is closed.
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
            runtime.read(|machine| machine.receipts().take(BATCH).cloned().collect());
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

/// What D1 knows of a call: whether it has ended long ago, else what its stored turn says.
async fn look_up(
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
