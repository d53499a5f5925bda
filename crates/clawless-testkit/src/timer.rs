//! Timers that do not wait in real time.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

use clawless_core::time::{Millis, Timer};

/// A timer whose sleeps end at once; it records their spans.
#[derive(Debug, Default)]
pub struct InstantTimer(RefCell<Vec<Millis>>);

impl InstantTimer {
    /// The spans of all sleeps so far.
    pub fn slept(&self) -> Vec<Millis> {
        self.0.borrow().clone()
    }
}

impl Timer for InstantTimer {
    async fn sleep(&self, span: Millis) {
        self.0.borrow_mut().push(span);
    }
}

/// A timer whose sleeps end when the test advances it.
#[derive(Debug, Default)]
pub struct ManualTimer {
    elapsed: Cell<u64>,
    sleepers: RefCell<Vec<Waker>>,
}

impl ManualTimer {
    /// Advances the time by a span and wakes the sleepers that are due.
    pub fn advance(&self, span: Millis) {
        let elapsed = self.elapsed.get().saturating_add(span.get());
        self.elapsed.set(elapsed);
        let sleepers = self.sleepers.take();
        sleepers.iter().for_each(Waker::wake_by_ref);
    }
}

impl Timer for ManualTimer {
    async fn sleep(&self, span: Millis) {
        let end = self.elapsed.get().saturating_add(span.get());
        poll_fn(|context| {
            if self.elapsed.get() >= end {
                return Poll::Ready(());
            }
            self.sleepers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
