//! The machine with its rows on disk, and the requests that wait for a change of it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use clawless_core::ledger::{Event, Input, LoadError, Machine, Output, Write};
use clawless_core::{KeyId, RequestId, Timestamp};
use futures_channel::oneshot;
use tracing::Span;

/// The storage of the machine's rows. Writes are durable before anything that was answered after
/// them leaves the object; the platform's output gate ensures this.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, and on Workers nothing is Send"
)]
pub trait Rows {
    /// Reads every row: table, key, value.
    ///
    /// # Errors
    /// A text for the log.
    fn load(&self) -> Result<Vec<(String, String, String)>, String>;

    /// Applies all changes or none.
    ///
    /// # Errors
    /// A text for the log.
    fn write(&self, writes: Vec<Write>) -> Result<(), String>;

    /// Returns once everything that was written is durable. Does not block responses; inputs that
    /// arrive until then are committed together.
    ///
    /// # Errors
    /// A text for the log.
    async fn durable(&self) -> Result<(), String>;
}

/// The ledger cannot process an input.
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
    /// Too many inputs wait. This one was not processed.
    #[error("too many inputs wait")]
    Overloaded,
}

/// A machine whose changes are on disk.
pub struct DurableMachine<R> {
    machine: RefCell<Machine>,
    rows: R,
    /// Turns that wait for their session.
    waiting: RefCell<HashMap<RequestId, oneshot::Sender<Output>>>,
    /// Requests that wait for the end of another request.
    watching: RefCell<Vec<(RequestId, oneshot::Sender<()>)>>,
    /// Whether the machine differs from its rows: a write failed, and so did the reload.
    is_ahead: Cell<bool>,
}

impl<R: Rows> DurableMachine<R> {
    /// Rebuilds the machine from its rows.
    ///
    /// # Errors
    /// If a row cannot be read; continuing without it would be wrong.
    pub fn open(rows: R) -> Result<Self, RuntimeError> {
        let machine = load(&rows)?;
        Ok(Self {
            machine: RefCell::new(machine),
            rows,
            waiting: RefCell::default(),
            watching: RefCell::default(),
            is_ahead: Cell::new(false),
        })
    }

    /// Reads from the machine.
    pub fn read<T>(&self, read: impl FnOnce(&Machine) -> T) -> T {
        read(&self.machine.borrow())
    }

    /// Rebuilds the machine from its rows, as a restart would.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub fn reload(&self) -> Result<(), RuntimeError> {
        let machine = load(&self.rows)?;
        *self.machine.borrow_mut() = machine;
        self.is_ahead.set(false);
        Ok(())
    }

    /// Notes that D1 has the times at which these keys were used.
    pub fn mark_key_uses_written(&self, uses: &[(KeyId, Timestamp)]) {
        self.machine.borrow_mut().mark_key_uses_written(uses);
    }

    /// Processes one input and writes its changes. If the write fails, the machine is rebuilt from
    /// disk, as if the input had never arrived.
    ///
    /// # Errors
    /// If the changes could not be written.
    pub fn apply(&self, now: Timestamp, input: Input) -> Result<Output, RuntimeError> {
        let (mut outputs, _) = self.apply_all(now, [(Span::current(), input)])?;
        // One input has one output.
        outputs
            .pop()
            .ok_or_else(|| RuntimeError::Storage("no output".to_owned()))
    }

    /// Processes inputs in their order and writes all their changes at once. Returns whether there
    /// were any. All inputs succeed or all fail. The events of an input are logged in its span.
    ///
    /// # Errors
    /// If the changes could not be written.
    pub fn apply_all(
        &self,
        now: Timestamp,
        inputs: impl IntoIterator<Item = (Span, Input)>,
    ) -> Result<(Vec<Output>, bool), RuntimeError> {
        let mut machine = self.machine.borrow_mut();
        if self.is_ahead.get() {
            *machine = load(&self.rows)?;
            self.is_ahead.set(false);
        }
        let inputs = inputs.into_iter();
        let applied = inputs.map(|(span, input)| (span, machine.apply(now, input)));
        let (spans, mut outputs): (Vec<_>, Vec<_>) = applied.unzip();
        let is_change = match self.write(&mut machine) {
            Ok(is_change) => is_change,
            Err(error) => {
                self.is_ahead.set(true);
                *machine = load(&self.rows)?;
                self.is_ahead.set(false);
                return Err(error);
            }
        };
        // Dropping a sender wakes its watcher.
        let mut watching = self.watching.borrow_mut();
        watching.retain(|(request, watcher)| {
            !watcher.is_canceled() && machine.is_in_progress(request, None)
        });
        drop((machine, watching));
        for (span, output) in spans.iter().zip(&mut outputs) {
            self.wake(output);
            span.in_scope(|| output.events.iter().for_each(log_event));
        }
        Ok((outputs, is_change))
    }

    fn write(&self, machine: &mut Machine) -> Result<bool, RuntimeError> {
        let writes = machine.take_writes()?;
        let is_change = !writes.is_empty();
        if is_change {
            self.rows.write(writes).map_err(RuntimeError::Storage)?;
        }
        Ok(is_change)
    }

    /// Returns once everything that was written is durable.
    pub(super) async fn durable(&self) -> Result<(), String> {
        self.rows.durable().await
    }

    /// Registers a turn that may have to wait for its session. The receiver gets the output that
    /// ends the wait.
    pub(super) fn wait_for_session(&self, request_id: RequestId) -> oneshot::Receiver<Output> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(request_id, sender);
        receiver
    }

    /// Removes a waiting turn.
    pub(super) fn stop_waiting(&self, request_id: &RequestId) {
        self.waiting.borrow_mut().remove(request_id);
    }

    /// Waits for the end of a request.
    pub(super) fn watch(&self, request_id: RequestId) -> oneshot::Receiver<()> {
        let (watcher, ended) = oneshot::channel();
        self.watching.borrow_mut().push((request_id, watcher));
        ended
    }

    /// Answers the turns whose wait for a session this output has ended.
    fn wake(&self, output: &mut Output) {
        for woken in output.woken.drain(..) {
            if let Some(waiter) = self.waiting.borrow_mut().remove(&woken.request_id) {
                let answer = Output {
                    answer: woken.answer,
                    headers: woken.headers,
                    events: Vec::new(),
                    woken: Vec::new(),
                };
                // If the waiter was dropped, its guard releases the lane.
                let _ = waiter.send(answer);
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

/// Logs an event for the operator.
fn log_event(event: &Event) {
    match event {
        Event::QuotaWarning {
            period,
            kind,
            percent,
            used,
            limit,
            key_id,
        } => {
            let (key, kind) = (key_id.as_ref().map(KeyId::as_str), kind.as_str());
            tracing::warn!(%period, kind, percent, used, limit, key, "quota warning");
        }
        Event::StorageWarning {
            kind,
            percent,
            used,
            limit,
            key_id,
        } => {
            let (key, kind) = (key_id.as_ref().map(KeyId::as_str), kind.as_str());
            tracing::warn!(kind, percent, used, limit, key, "storage quota warning");
        }
        Event::QuotaExceeded {
            period,
            kind,
            used,
            limit,
            request_id,
            key_id,
        } => {
            tracing::warn!(
                request_id = request_id.as_str(),
                %period,
                kind = kind.as_str(),
                used,
                limit,
                key = key_id.as_str(),
                "quota exceeded"
            );
        }
        Event::Overrun {
            request_id,
            key_id,
            excess,
        } => {
            tracing::warn!(
                request_id = request_id.as_str(),
                key = key_id.as_str(),
                tokens = excess.tokens.get(),
                micro_dollars = excess.micro_dollars.get(),
                "reservation exceeded"
            );
        }
        Event::TurnLost {
            request_id,
            session_id,
        } => {
            tracing::error!(
                request_id = request_id.as_str(),
                session = session_id.as_str(),
                "parked turn lost"
            );
        }
    }
}
