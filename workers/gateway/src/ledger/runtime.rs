//! The ledger's runtime: keeps the machine's rows on disk, lets those who queue wait, and does what
//! has to be done in the background. Knows no runtime.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use clawless_core::ledger::{Event, Input, LedgerAnswer, LoadError, Machine, Output, Write};
use clawless_core::time::{Clock, Millis, Timer};
use clawless_core::{KeyId, RequestId, Timestamp};
use futures_channel::oneshot;
use futures_util::future::{Either, select};

use super::group_commit::GroupCommit;

/// How long a question for a request's end is held. Short enough that no connection is cut for its
/// silence; whoever wants to wait longer asks again.
pub const MAX_WATCH_TIME: Millis = Millis::from_secs(20);

/// How many inputs may wait for a commit before no new call is admitted: about a fifth of a second's
/// work. What ends a call is always taken.
pub const MAX_WAITING_INPUTS: usize = 512;

/// Where the machine's rows are kept. Writes are durable before anything that was answered after
/// them leaves the object; the runtime's output gate sees to that.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Rows {
    /// Every row: table, key, value.
    ///
    /// # Errors
    /// A text for the log.
    fn load(&self) -> Result<Vec<(String, String, String)>, String>;

    /// Carries out the changes, all or none.
    ///
    /// # Errors
    /// A text for the log.
    fn write(&self, writes: Vec<Write>) -> Result<(), String>;

    /// Returns once everything that was written is durable. Nobody's answer hangs on it; inputs
    /// that come until then are committed together.
    ///
    /// # Errors
    /// A text for the log.
    async fn durable(&self) -> Result<(), String>;
}

/// The ledger cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Its storage failed.
    #[error("ledger storage: {0}")]
    Storage(String),
    /// A row cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A row cannot be written as JSON: a defect.
    #[error("ledger row: {0}")]
    Row(#[from] serde_json::Error),
    /// Too many inputs wait. This one was not looked at.
    #[error("too many inputs wait")]
    Overloaded,
}

/// A machine, its rows, and those who wait.
pub struct LedgerRuntime<R> {
    machine: RefCell<Machine>,
    pub(super) rows: R,
    waiting: RefCell<HashMap<RequestId, oneshot::Sender<Output>>>,
    /// Those who wait for the end of a request, which is another's.
    watching: RefCell<Vec<(RequestId, oneshot::Sender<()>)>>,
    /// Inputs that are committed together, as soon as what was written before is durable.
    pub(super) group_commit: GroupCommit,
    /// How many may gather before no new call is admitted.
    pub(super) max_waiting_inputs: usize,
    /// Whether the machine knows more than its rows: a write failed, and so did going back.
    is_ahead: Cell<bool>,
}

impl<R: Rows> LedgerRuntime<R> {
    /// Rebuilds the machine from its rows.
    ///
    /// # Errors
    /// Where a row cannot be read; going on without it would be wrong.
    pub fn open(rows: R) -> Result<Self, RuntimeError> {
        let machine = load(&rows)?;
        Ok(Self {
            machine: RefCell::new(machine),
            rows,
            waiting: RefCell::default(),
            watching: RefCell::default(),
            group_commit: GroupCommit::default(),
            max_waiting_inputs: MAX_WAITING_INPUTS,
            is_ahead: Cell::new(false),
        })
    }

    /// The same with another limit on the inputs that gather.
    #[must_use]
    pub fn with_max_waiting_inputs(mut self, most: usize) -> Self {
        self.max_waiting_inputs = most;
        self
    }

    /// Looks at the machine.
    pub fn read<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(&self.machine.borrow())
    }

    /// Goes back to what is on disk, as a restart would.
    ///
    /// # Errors
    /// Where a row cannot be read.
    pub fn reload(&self) -> Result<(), RuntimeError> {
        let machine = load(&self.rows)?;
        *self.machine.borrow_mut() = machine;
        self.is_ahead.set(false);
        Ok(())
    }

    /// Notes that D1 knows when these keys were used.
    pub fn uses_are_written(&self, uses: &[(KeyId, Timestamp)]) {
        self.machine.borrow_mut().uses_are_written(uses);
    }

    /// Takes one input and writes what it changed. Where that fails the machine goes back to what
    /// is on disk, as if the input had never come.
    ///
    /// # Errors
    /// Where the change could not be written.
    pub fn apply(&self, now: Timestamp, input: Input) -> Result<Output, RuntimeError> {
        let (mut outputs, _) = self.apply_all(now, [input])?;
        // One input has one output.
        outputs
            .pop()
            .ok_or_else(|| RuntimeError::Storage("no output".to_owned()))
    }

    /// Takes inputs that came together, in their order, and writes all that they changed at once;
    /// says whether that was anything. All succeed or all fail.
    pub(super) fn apply_all(
        &self,
        now: Timestamp,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<(Vec<Output>, bool), RuntimeError> {
        let mut machine = self.machine.borrow_mut();
        if self.is_ahead.get() {
            *machine = load(&self.rows)?;
            self.is_ahead.set(false);
        }
        let inputs = inputs.into_iter();
        let mut outputs: Vec<_> = inputs.map(|input| machine.apply(now, input)).collect();
        let written = machine
            .take_writes()
            .map_err(RuntimeError::from)
            .and_then(|writes| {
                let is_change = !writes.is_empty();
                if is_change {
                    self.rows.write(writes).map_err(RuntimeError::Storage)?;
                }
                Ok(is_change)
            });
        let is_change = match written {
            Ok(is_change) => is_change,
            Err(error) => {
                self.is_ahead.set(true);
                *machine = load(&self.rows)?;
                self.is_ahead.set(false);
                return Err(error);
            }
        };
        // Whoever is dropped from here is woken.
        let mut watching = self.watching.borrow_mut();
        watching.retain(|(request, watcher)| {
            !watcher.is_canceled() && machine.is_under_way(request, None)
        });
        drop((machine, watching));
        for output in &mut outputs {
            self.tell_woken(output);
            output.events.iter().for_each(report);
        }
        Ok((outputs, is_change))
    }

    /// Answers those whose wait for a session this output has ended.
    fn tell_woken(&self, output: &mut Output) {
        for woken in output.woken.drain(..) {
            if let Some(waiter) = self.waiting.borrow_mut().remove(&woken.request_id) {
                let answer = Output {
                    answer: woken.answer,
                    headers: woken.headers,
                    events: Vec::new(),
                    woken: Vec::new(),
                };
                // Where the waiter is gone, its guard gives the lane back.
                let _ = waiter.send(answer);
            }
        }
    }

    /// Takes one input; whoever is queued for a session waits here until it is their turn or their
    /// time is over.
    ///
    /// Inputs that come while others are being committed are committed together.
    ///
    /// # Errors
    /// Where a change could not be written, and where too many inputs wait already.
    pub async fn ask(
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
            _ => return self.take(time, input).await,
        };
        // Others may end the wait before we hear that it began.
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(request_id.clone(), sender);
        let mut place = QueuedTurn {
            runtime: self,
            time,
            request_id: Some(request_id.clone()),
        };
        let output = self.take(time, input).await;
        let woken = match &output {
            Ok(Output {
                answer: LedgerAnswer::Queued { until },
                ..
            }) => {
                let span = until.since(time.now());
                let over = std::pin::pin!(time.sleep(span));
                if let Either::Left((Ok(woken), _)) = select(receiver, over).await {
                    Ok(woken)
                } else {
                    let request_id = request_id.clone();
                    self.apply(time.now(), Input::Cancel { request_id })
                }
            }
            _ => output,
        };
        place.request_id = None;
        self.waiting.borrow_mut().remove(&request_id);
        woken
    }
}

impl<R: Rows> LedgerRuntime<R> {
    /// Answers once a request is no longer under way, or after [`MAX_WATCH_TIME`].
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
        let (watcher, ended) = oneshot::channel();
        self.watching.borrow_mut().push((request_id, watcher));
        select(ended, std::pin::pin!(time.sleep(MAX_WATCH_TIME))).await;
        self.apply(time.now(), input)
    }
}

/// A place in a queue. Whoever drops it without having been answered has left: the place is given
/// up, and if the turn had been granted meanwhile it is given back.
struct QueuedTurn<'a, R: Rows, T: Clock> {
    runtime: &'a LedgerRuntime<R>,
    time: &'a T,
    request_id: Option<RequestId>,
}

impl<R: Rows, T: Clock> Drop for QueuedTurn<'_, R, T> {
    fn drop(&mut self) {
        let Some(request_id) = self.request_id.take() else {
            return;
        };
        self.runtime.waiting.borrow_mut().remove(&request_id);
        let now = self.time.now();
        for input in [
            Input::Cancel {
                request_id: request_id.clone(),
            },
            Input::Release {
                request_id: request_id.clone(),
            },
        ] {
            if let Err(error) = self.runtime.apply(now, input) {
                tracing::error!(%error, "a place in a session's queue could not be given up");
            }
        }
    }
}

fn load(rows: &impl Rows) -> Result<Machine, RuntimeError> {
    let rows = rows.load().map_err(RuntimeError::Storage)?;
    let rows = rows
        .iter()
        .map(|(table, key, value)| (table.as_str(), key.as_str(), value.as_str()));
    Ok(Machine::load(rows)?)
}

/// Tells the operator what happened, in one line of the log.
fn report(event: &Event) {
    match event {
        Event::QuotaWarning {
            period,
            kind,
            percent,
            used,
            limit,
        } => {
            tracing::warn!(%period, ?kind, percent, used, limit, "a quota is nearly or wholly used up");
        }
        Event::Overrun { request_id, excess } => {
            tracing::warn!(
                request = request_id.as_str(),
                ?excess,
                "a call used more than was reserved"
            );
        }
        Event::TurnLost {
            request_id,
            session_id,
        } => {
            tracing::error!(
                request = request_id.as_str(),
                session = session_id.as_str(),
                "a turn could not be stored and was given up"
            );
        }
    }
}
