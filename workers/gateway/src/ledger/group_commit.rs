//! Group commit: inputs that arrive during a commit wait and are then committed together. The first
//! of them leads the next commit, so that no input waits for more than two commits.

use std::cell::{Cell, RefCell};

use clawless_core::ledger::{Input, Output};
use clawless_core::time::Clock;
use futures_channel::oneshot;
use tracing::Span;

use super::machine::{DurableMachine, Rows, RuntimeError};

/// Commits inputs in groups.
pub struct GroupCommit<R> {
    machine: DurableMachine<R>,
    inputs: RefCell<Vec<Waiting>>,
    /// Whether a commit is running. Its leader commits the inputs that wait.
    is_led: Cell<bool>,
    /// The inputs that may wait before admissions are refused.
    max_waiting_inputs: usize,
}

/// An input that waits, with the span of its request.
type Waiting = ((Span, Input), oneshot::Sender<Committed>);

/// The result of an input that waited.
struct Committed {
    output: Result<Output, RuntimeError>,
    /// Whether this waiter leads the next commit.
    leads: bool,
}

impl<R: Rows> GroupCommit<R> {
    /// Commits the inputs of a machine.
    pub fn new(machine: DurableMachine<R>, max_waiting_inputs: usize) -> Self {
        Self {
            machine,
            inputs: RefCell::default(),
            is_led: Cell::new(false),
            max_waiting_inputs,
        }
    }

    /// The same with another limit on waiting inputs.
    #[must_use]
    pub fn with_max_waiting_inputs(mut self, max: usize) -> Self {
        self.max_waiting_inputs = max;
        self
    }

    /// The machine.
    pub const fn machine(&self) -> &DurableMachine<R> {
        &self.machine
    }

    /// Processes one input: at once, or together with others after the running commit.
    ///
    /// # Errors
    /// If a change could not be written, or too many inputs wait already.
    pub async fn submit(&self, clock: &impl Clock, input: Input) -> Result<Output, RuntimeError> {
        // An input without writes need not wait; the output gate holds its answer.
        if !self.is_led.get() || matches!(input, Input::Pass(_)) {
            let (mut outputs, is_change) = self
                .machine
                .apply_all(clock.now(), [(Span::current(), input)])?;
            if is_change && !self.is_led.replace(true) {
                self.lead(clock).await;
            }
            let output = outputs.pop();
            return output.ok_or_else(missing_output);
        }
        let committed = self.enqueue(clock, input)?.await;
        let Committed { output, leads } = committed.ok_or_else(missing_output)?;
        if leads {
            self.lead(clock).await;
        }
        output
    }

    fn enqueue<'a, C: Clock>(
        &'a self,
        clock: &'a C,
        input: Input,
    ) -> Result<impl Future<Output = Option<Committed>> + 'a, RuntimeError> {
        let mut inputs = self.inputs.borrow_mut();
        if inputs.len() >= self.max_waiting_inputs && matches!(input, Input::Admit(_)) {
            return Err(RuntimeError::Overloaded);
        }
        let (sender, receiver) = oneshot::channel();
        inputs.push(((Span::current(), input), sender));
        let mut waiter = Waiter {
            commits: self,
            clock,
            receiver,
        };
        Ok(async move { (&mut waiter.receiver).await.ok() })
    }

    /// Waits until the changes are durable, then commits the inputs that wait.
    async fn lead(&self, clock: &impl Clock) {
        // The guard passes leadership on, even if this future is dropped.
        let _leader = Leader {
            commits: self,
            clock,
        };
        if let Err(error) = self.machine.durable().await {
            tracing::error!(error, "sync ledger rows failed");
        }
    }

    /// Commits the inputs that wait, and makes one of their waiters the next leader.
    fn commit_waiting(&self, clock: &impl Clock) {
        self.is_led.set(false);
        let waiting = self.inputs.take();
        if waiting.is_empty() {
            return;
        }
        let (inputs, senders): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        match self.machine.apply_all(clock.now(), inputs) {
            Ok((outputs, is_change)) => {
                for (sender, output) in senders.into_iter().zip(outputs) {
                    let leads = is_change && !self.is_led.get();
                    let output = Ok(output);
                    // If the waiter was dropped, the next one leads.
                    if sender.send(Committed { output, leads }).is_ok() && leads {
                        self.is_led.set(true);
                    }
                }
            }
            Err(error) => {
                let error = error.to_string();
                for sender in senders {
                    let output = Err(RuntimeError::Storage(error.clone()));
                    let leads = false;
                    // A dropped waiter needs no error.
                    let _ = sender.send(Committed { output, leads });
                }
            }
        }
    }
}

/// A waiting input. A waiter dropped after promotion passes leadership on.
struct Waiter<'a, R: Rows, C: Clock> {
    commits: &'a GroupCommit<R>,
    clock: &'a C,
    receiver: oneshot::Receiver<Committed>,
}

impl<R: Rows, C: Clock> Drop for Waiter<'_, R, C> {
    fn drop(&mut self) {
        if let Ok(Some(Committed { leads: true, .. })) = self.receiver.try_recv() {
            self.commits.commit_waiting(self.clock);
        }
    }
}

/// The leader of a commit.
struct Leader<'a, R: Rows, C: Clock> {
    commits: &'a GroupCommit<R>,
    clock: &'a C,
}

impl<R: Rows, C: Clock> Drop for Leader<'_, R, C> {
    fn drop(&mut self) {
        self.commits.commit_waiting(self.clock);
    }
}

/// Every input has an output and every waiter is answered, so this is a defect.
fn missing_output() -> RuntimeError {
    RuntimeError::Storage("an input without an output".to_owned())
}
