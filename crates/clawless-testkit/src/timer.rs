//! Timers that do not wait for real.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use clawless_core::time::{Millis, Timer};

/// A timer whose sleeps end at once; it remembers how long they would have been.
#[derive(Debug, Default)]
pub struct InstantTimer(RefCell<Vec<Millis>>);

impl InstantTimer {
    /// The spans that were slept so far.
    pub fn slept(&self) -> Vec<Millis> {
        self.0.borrow().clone()
    }
}

impl Timer for InstantTimer {
    async fn sleep(&self, span: Millis) {
        self.0.borrow_mut().push(span);
    }
}

/// A timer whose sleeps end when the test says that the time has passed.
#[derive(Debug, Default)]
pub struct ManualTimer {
    passed: Cell<u64>,
    sleepers: RefCell<Vec<Waker>>,
}

impl ManualTimer {
    /// Lets a span pass; whoever slept long enough wakes.
    pub fn advance(&self, span: Millis) {
        self.passed
            .set(self.passed.get().saturating_add(span.get()));
        let sleepers = self.sleepers.take();
        sleepers.iter().for_each(Waker::wake_by_ref);
    }
}

impl Timer for ManualTimer {
    async fn sleep(&self, span: Millis) {
        let end = self.passed.get().saturating_add(span.get());
        poll_fn(|context| {
            if self.passed.get() >= end {
                return Poll::Ready(());
            }
            self.sleepers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
