//! The ledger's runtime: answers inputs, and lets turns wait for their session. Independent of the
//! platform.

use std::pin::pin;

use clawless_core::ledger::{Input, LedgerAnswer, Machine, Output};
use clawless_core::time::{Clock, Millis, Timer};
use clawless_core::{KeyId, RequestId, Timestamp};
use futures_util::future::{Either, select};

use super::group_commit::GroupCommit;
use super::machine::{DurableMachine, Rows, RuntimeError};

/// The longest wait for the end of a request in one call. Short enough that no connection is cut for
/// its silence; callers repeat the call to wait longer.
pub const MAX_WATCH_TIME: Millis = Millis::from_secs(20);

/// The inputs that may wait for a commit before admissions are refused: about a fifth of a second's
/// work. Inputs that end a call are always accepted.
pub const MAX_WAITING_INPUTS: usize = 512;

/// A machine with its rows and the turns that wait.
pub struct LedgerRuntime<R>(GroupCommit<R>);

impl<R: Rows> LedgerRuntime<R> {
    /// Rebuilds the machine from its rows.
    ///
    /// # Errors
    /// If a row cannot be read; continuing without it would be wrong.
    pub fn open(rows: R) -> Result<Self, RuntimeError> {
        let machine = DurableMachine::open(rows)?;
        Ok(Self(GroupCommit::new(machine, MAX_WAITING_INPUTS)))
    }

    /// The same with another limit on waiting inputs.
    #[must_use]
    pub fn with_max_waiting_inputs(self, max: usize) -> Self {
        Self(self.0.with_max_waiting_inputs(max))
    }

    /// Reads from the machine.
    pub fn read<T>(&self, read: impl FnOnce(&Machine) -> T) -> T {
        self.machine().read(read)
    }

    /// Rebuilds the machine from its rows, as a restart would.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn reload(&self) -> Result<(), RuntimeError> {
        self.machine().reload()
    }

    /// Notes that D1 has the times at which these keys were used.
    pub fn mark_key_uses_written(&self, uses: &[(KeyId, Timestamp)]) {
        self.machine().mark_key_uses_written(uses);
    }

    /// Processes one input and writes its changes, without waiting for other inputs.
    ///
    /// # Errors
    /// If the changes could not be written.
    pub fn apply(&self, now: Timestamp, input: Input) -> Result<Output, RuntimeError> {
        self.machine().apply(now, input)
    }

    /// Processes one input. A turn that is queued for its session waits here until it is granted or
    /// its time is over. Inputs that arrive during a commit are committed together.
    ///
    /// # Errors
    /// If a change could not be written, or too many inputs wait already.
    pub async fn process(
        &self,
        time: &(impl Clock + Timer),
        input: Input,
    ) -> Result<Output, RuntimeError> {
        let request_id = match &input {
            // Only a session's turn can be queued.
            Input::Admit(admit) if admit.session_id.is_some() => admit.request_id.clone(),
            Input::Await { request_id, .. } => {
                let request_id = request_id.clone();
                return self.watch(time, request_id, input).await;
            }
            _ => return self.0.submit(time, input).await,
        };
        // Registered first: another input may end the wait before this call learns that it began.
        let receiver = self.machine().wait_for_session(request_id.clone());
        let mut queued = QueuedTurn {
            machine: self.machine(),
            time,
            request_id: Some(request_id.clone()),
        };
        let output = self.0.submit(time, input).await;
        let output = match &output {
            Ok(Output {
                answer: LedgerAnswer::Queued { until },
                ..
            }) => {
                let timeout = pin!(time.sleep(until.since(time.now())));
                if let Either::Left((Ok(woken), _)) = select(receiver, timeout).await {
                    Ok(woken)
                } else {
                    let request_id = request_id.clone();
                    self.apply(time.now(), Input::Cancel { request_id })
                }
            }
            _ => output,
        };
        queued.request_id = None;
        self.machine().stop_waiting(&request_id);
        output
    }

    /// Answers once a request has ended, or after [`MAX_WATCH_TIME`].
    async fn watch(
        &self,
        time: &(impl Clock + Timer),
        request_id: RequestId,
        input: Input,
    ) -> Result<Output, RuntimeError> {
        let output = self.apply(time.now(), input.clone())?;
        if output.answer != LedgerAnswer::UnderWay {
            return Ok(output);
        }
        let ended = self.machine().watch(request_id);
        select(ended, pin!(time.sleep(MAX_WATCH_TIME))).await;
        self.apply(time.now(), input)
    }

    const fn machine(&self) -> &DurableMachine<R> {
        self.0.machine()
    }
}

/// A turn in a session's queue. If it is dropped without an answer, its client has left: the turn
/// leaves the queue, and a grant that it got meanwhile is released.
struct QueuedTurn<'a, R: Rows, T: Clock> {
    machine: &'a DurableMachine<R>,
    time: &'a T,
    request_id: Option<RequestId>,
}

impl<R: Rows, T: Clock> Drop for QueuedTurn<'_, R, T> {
    fn drop(&mut self) {
        let Some(request_id) = self.request_id.take() else {
            return;
        };
        self.machine.stop_waiting(&request_id);
        let now = self.time.now();
        for input in [
            Input::Cancel {
                request_id: request_id.clone(),
            },
            Input::Release {
                request_id: request_id.clone(),
            },
        ] {
            if let Err(error) = self.machine.apply(now, input) {
                tracing::error!(%error, "release queued turn failed");
            }
        }
    }
}
