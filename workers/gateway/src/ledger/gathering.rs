//! Group commit: inputs that come while others are being committed wait, and are then committed
//! together. The first of them sees to the next ones, so nobody waits for more than two commits.

use std::cell::{Cell, RefCell};

use clawless_core::ledger::{Input, Output};
use clawless_core::time::Clock;
use futures_channel::oneshot;

use super::shell::{Rows, Shell, ShellError};

/// Inputs that wait for a commit.
#[derive(Default)]
pub(super) struct Gathered {
    inputs: RefCell<Vec<(Input, oneshot::Sender<Heard>)>>,
    /// Whether somebody leads: a commit is under way, and the leader sees to what gathers meanwhile.
    is_led: Cell<bool>,
}

/// What becomes of an input that waited.
struct Heard {
    output: Result<Output, ShellError>,
    /// Whether it is now this one's to see to the next.
    leads: bool,
}

impl<R: Rows> Shell<R> {
    /// Takes one input: at once, or together with others once the commit that is under way is done.
    pub(super) async fn take(
        &self,
        clock: &impl Clock,
        input: Input,
    ) -> Result<Output, ShellError> {
        // Nothing is written for a pass, so it need not wait; the output gate holds its answer.
        if !self.gathered.is_led.get() || matches!(input, Input::Pass(_)) {
            let (mut outputs, is_change) = self.apply_all(clock.now(), [input])?;
            if is_change && !self.gathered.is_led.replace(true) {
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
    ) -> Result<impl Future<Output = Option<Heard>> + 'a, ShellError> {
        let mut inputs = self.gathered.inputs.borrow_mut();
        if inputs.len() >= self.most_gathered && matches!(input, Input::Admit(_)) {
            return Err(ShellError::Overloaded);
        }
        let (sender, receiver) = oneshot::channel();
        inputs.push((input, sender));
        let mut seat = Seat {
            shell: self,
            clock,
            receiver,
        };
        Ok(async move { (&mut seat.receiver).await.ok() })
    }

    /// Waits until what was written is durable, then commits what has gathered.
    async fn lead(&self, clock: &impl Clock) {
        // Dropped on every way out: whoever leads must hand on.
        let _lead = Lead { shell: self, clock };
        if let Err(error) = self.rows.durable().await {
            tracing::error!(error, "the ledger's rows are not durable");
        }
    }

    /// Commits what has gathered, and makes one of those who waited the next leader.
    fn commit_gathered(&self, clock: &impl Clock) {
        let Gathered { inputs, is_led } = &self.gathered;
        is_led.set(false);
        let gathered = inputs.take();
        if gathered.is_empty() {
            return;
        }
        let (inputs, senders): (Vec<_>, Vec<_>) = gathered.into_iter().unzip();
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
                    let output = Err(ShellError::Storage(error.clone()));
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
    shell: &'a Shell<R>,
    clock: &'a C,
    receiver: oneshot::Receiver<Heard>,
}

impl<R: Rows, C: Clock> Drop for Seat<'_, R, C> {
    fn drop(&mut self) {
        if let Ok(Some(Heard { leads: true, .. })) = self.receiver.try_recv() {
            self.shell.commit_gathered(self.clock);
        }
    }
}

/// Whoever leads.
struct Lead<'a, R: Rows, C: Clock> {
    shell: &'a Shell<R>,
    clock: &'a C,
}

impl<R: Rows, C: Clock> Drop for Lead<'_, R, C> {
    fn drop(&mut self) {
        self.shell.commit_gathered(self.clock);
    }
}

/// Every input has an output, and whoever gathers is told; so this is a defect.
fn unheard() -> ShellError {
    ShellError::Storage("an input without an output".to_owned())
}
