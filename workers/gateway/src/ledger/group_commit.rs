//! Group commit: inputs that come while others are being committed wait, and are then committed
//! together. The first of them sees to the next ones, so nobody waits for more than two commits.

use std::cell::{Cell, RefCell};

use clawless_core::ledger::{Input, Output};
use clawless_core::time::Clock;
use futures_channel::oneshot;

use super::runtime::{LedgerRuntime, Rows, RuntimeError};

/// Inputs that wait for a commit.
#[derive(Default)]
pub(super) struct GroupCommit {
    inputs: RefCell<Vec<(Input, oneshot::Sender<Heard>)>>,
    /// Whether somebody leads: a commit is under way, and the leader sees to what gathers meanwhile.
    is_led: Cell<bool>,
}

/// What becomes of an input that waited.
struct Heard {
    output: Result<Output, RuntimeError>,
    /// Whether it is now this one's to see to the next.
    leads: bool,
}

impl<R: Rows> LedgerRuntime<R> {
    /// Takes one input: at once, or together with others once the commit that is under way is done.
    pub(super) async fn take(
        &self,
        clock: &impl Clock,
        input: Input,
    ) -> Result<Output, RuntimeError> {
        // Nothing is written for a pass, so it need not wait; the output gate holds its answer.
        if !self.group_commit.is_led.get() || matches!(input, Input::Pass(_)) {
            let (mut outputs, is_change) = self.apply_all(clock.now(), [input])?;
            if is_change && !self.group_commit.is_led.replace(true) {
                self.lead(clock).await;
            }
            let output = outputs.pop();
            return output.ok_or_else(unheard);
        }
        let heard = self.gather(clock, input)?.await;
        let Heard { output, leads } = heard.ok_or_else(unheard)?;
        if leads {
            self.lead(clock).await;
        }
        output
    }

    fn gather<'a, C: Clock>(
        &'a self,
        clock: &'a C,
        input: Input,
    ) -> Result<impl Future<Output = Option<Heard>> + 'a, RuntimeError> {
        let mut inputs = self.group_commit.inputs.borrow_mut();
        if inputs.len() >= self.max_waiting_inputs && matches!(input, Input::Admit(_)) {
            return Err(RuntimeError::Overloaded);
        }
        let (sender, receiver) = oneshot::channel();
        inputs.push((input, sender));
        let mut seat = Seat {
            runtime: self,
            clock,
            receiver,
        };
        Ok(async move { (&mut seat.receiver).await.ok() })
    }

    /// Waits until what was written is durable, then commits what has group_commit.
    async fn lead(&self, clock: &impl Clock) {
        // Dropped on every way out: whoever leads must hand on.
        let _lead = Lead {
            runtime: self,
            clock,
        };
        if let Err(error) = self.rows.durable().await {
            tracing::error!(error, "the ledger's rows are not durable");
        }
    }

    /// Commits what has group_commit, and makes one of those who waited the next leader.
    fn commit_gathered(&self, clock: &impl Clock) {
        let GroupCommit { inputs, is_led } = &self.group_commit;
        is_led.set(false);
        let group_commit = inputs.take();
        if group_commit.is_empty() {
            return;
        }
        let (inputs, senders): (Vec<_>, Vec<_>) = group_commit.into_iter().unzip();
        match self.apply_all(clock.now(), inputs) {
            Ok((outputs, is_change)) => {
                for (sender, output) in senders.into_iter().zip(outputs) {
                    let leads = is_change && !is_led.get();
                    let output = Ok(output);
                    // Where nobody waits any more, the next one leads.
                    if sender.send(Heard { output, leads }).is_ok() && leads {
                        is_led.set(true);
                    }
                }
            }
            Err(error) => {
                let error = error.to_string();
                for sender in senders {
                    let output = Err(RuntimeError::Storage(error.clone()));
                    // Where nobody waits any more, nobody need be told.
                    let leads = false;
                    let _ = sender.send(Heard { output, leads });
                }
            }
        }
    }
}

/// Somebody who waits. One that was made leader and never came to know it hands on.
struct Seat<'a, R: Rows, C: Clock> {
    runtime: &'a LedgerRuntime<R>,
    clock: &'a C,
    receiver: oneshot::Receiver<Heard>,
}

impl<R: Rows, C: Clock> Drop for Seat<'_, R, C> {
    fn drop(&mut self) {
        if let Ok(Some(Heard { leads: true, .. })) = self.receiver.try_recv() {
            self.runtime.commit_gathered(self.clock);
        }
    }
}

/// Whoever leads.
struct Lead<'a, R: Rows, C: Clock> {
    runtime: &'a LedgerRuntime<R>,
    clock: &'a C,
}

impl<R: Rows, C: Clock> Drop for Lead<'_, R, C> {
    fn drop(&mut self) {
        self.runtime.commit_gathered(self.clock);
    }
}

/// Every input has an output, and whoever gathers is told; so this is a defect.
fn unheard() -> RuntimeError {
    RuntimeError::Storage("an input without an output".to_owned())
}
