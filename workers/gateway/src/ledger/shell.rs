//! The ledger's shell: keeps the machine's rows on disk, lets those who queue wait, and does what
//! has to be done in the background. Knows no runtime.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use clawless_core::ledger::{Answer, Event, Input, LoadError, Machine, Output, Write};
use clawless_core::time::{Clock, Millis, Timer};
use clawless_core::{KeyId, RequestId, Timestamp};
use futures_channel::oneshot;
use futures_util::future::{Either, select};

/// How long a question for a request's end is held. Short enough that no connection is cut for its
/// silence; whoever wants to wait longer asks again.
pub const WATCH: Millis = Millis::from_secs(20);

/// Where the machine's rows are kept. Writes are durable before anything that was answered after
/// them leaves the object; the runtime's output gate sees to that.
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
}

/// The ledger cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ShellError {
    /// Its storage failed.
    #[error("ledger storage: {0}")]
    Storage(String),
    /// A row cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A row cannot be written as JSON: a defect.
    #[error("ledger row: {0}")]
    Row(#[from] serde_json::Error),
}

/// A machine, its rows, and those who wait.
pub struct Shell<R> {
    machine: RefCell<Machine>,
    rows: R,
    waiting: RefCell<HashMap<RequestId, oneshot::Sender<Output>>>,
    /// Those who wait for the end of a request, which is another's.
    watching: RefCell<Vec<(RequestId, oneshot::Sender<()>)>>,
    /// Whether the machine knows more than its rows: a write failed, and so did going back.
    is_ahead: Cell<bool>,
}

impl<R: Rows> Shell<R> {
    /// Rebuilds the machine from its rows.
    ///
    /// # Errors
    /// Where a row cannot be read; going on without it would be wrong.
    pub fn open(rows: R) -> Result<Self, ShellError> {
        let machine = load(&rows)?;
        Ok(Self {
            machine: RefCell::new(machine),
            rows,
            waiting: RefCell::default(),
            watching: RefCell::default(),
            is_ahead: Cell::new(false),
        })
    }

    /// Looks at the machine.
    pub fn read<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(&self.machine.borrow())
    }

    /// Goes back to what is on disk, as a restart would.
    ///
    /// # Errors
    /// Where a row cannot be read.
    pub fn reload(&self) -> Result<(), ShellError> {
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
    pub fn apply(&self, now: Timestamp, input: Input) -> Result<Output, ShellError> {
        let mut machine = self.machine.borrow_mut();
        if self.is_ahead.get() {
            *machine = load(&self.rows)?;
            self.is_ahead.set(false);
        }
        let mut output = machine.apply(now, input);
        let written = machine
            .take_writes()
            .map_err(ShellError::from)
            .and_then(|writes| {
                if writes.is_empty() {
                    Ok(())
                } else {
                    self.rows.write(writes).map_err(ShellError::Storage)
                }
            });
        if let Err(error) = written {
            self.is_ahead.set(true);
            *machine = load(&self.rows)?;
            self.is_ahead.set(false);
            return Err(error);
        }
        // Whoever is dropped from here is woken.
        let mut watching = self.watching.borrow_mut();
        watching.retain(|(request, watcher)| {
            !watcher.is_canceled() && machine.is_under_way(request, None)
        });
        drop((machine, watching));
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
        output.events.iter().for_each(report);
        Ok(output)
    }

    /// Takes one input; whoever is queued for a session waits here until it is their turn or their
    /// time is over.
    ///
    /// # Errors
    /// Where a change could not be written.
    pub async fn ask(
        &self,
        time: &(impl Clock + Timer),
        input: Input,
    ) -> Result<Output, ShellError> {
        let request_id = match &input {
            Input::Admit(admit) => Some(admit.request_id.clone()),
            Input::Await { request_id, .. } => {
                let request_id = request_id.clone();
                return self.watch(time, request_id, input).await;
            }
            _ => None,
        };
        let output = self.apply(time.now(), input)?;
        let (Answer::Queued { until }, Some(request_id)) = (&output.answer, request_id) else {
            return Ok(output);
        };
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(request_id.clone(), sender);
        let mut place = Place {
            shell: self,
            time,
            request_id: Some(request_id.clone()),
        };
        let span = until.since(time.now());
        let woken = match select(receiver, std::pin::pin!(time.sleep(span))).await {
            Either::Left((Ok(output), _)) => Some(output),
            _ => None,
        };
        place.request_id = None;
        self.waiting.borrow_mut().remove(&request_id);
        match woken {
            Some(output) => Ok(output),
            None => self.apply(time.now(), Input::Cancel { request_id }),
        }
    }
}

impl<R: Rows> Shell<R> {
    /// Answers once a request is no longer under way, or after [`WATCH`].
    async fn watch(
        &self,
        time: &(impl Clock + Timer),
        request_id: RequestId,
        input: Input,
    ) -> Result<Output, ShellError> {
        let output = self.apply(time.now(), input.clone())?;
        if output.answer != Answer::UnderWay {
            return Ok(output);
        }
        let (watcher, ended) = oneshot::channel();
        self.watching.borrow_mut().push((request_id, watcher));
        select(ended, std::pin::pin!(time.sleep(WATCH))).await;
        self.apply(time.now(), input)
    }
}

/// A place in a queue. Whoever drops it without having been answered has left: the place is given
/// up, and if the turn had been granted meanwhile it is given back.
struct Place<'a, R: Rows, T: Clock> {
    shell: &'a Shell<R>,
    time: &'a T,
    request_id: Option<RequestId>,
}

impl<R: Rows, T: Clock> Drop for Place<'_, R, T> {
    fn drop(&mut self) {
        let Some(request_id) = self.request_id.take() else {
            return;
        };
        self.shell.waiting.borrow_mut().remove(&request_id);
        let now = self.time.now();
        for input in [
            Input::Cancel {
                request_id: request_id.clone(),
            },
            Input::Release {
                request_id: request_id.clone(),
            },
        ] {
            if let Err(error) = self.shell.apply(now, input) {
                tracing::error!(%error, "a place in a session's queue could not be given up");
            }
        }
    }
}

fn load(rows: &impl Rows) -> Result<Machine, ShellError> {
    let rows = rows.load().map_err(ShellError::Storage)?;
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
