//! A clock that a test sets.

use std::cell::Cell;

use clawless_core::{Clock, Millis, Timestamp};

/// A clock that changes only when a test sets it.
#[derive(Debug)]
pub struct FixedClock(Cell<Timestamp>);

impl FixedClock {
    /// A clock set to `now`.
    pub const fn at(now: Timestamp) -> Self {
        Self(Cell::new(now))
    }

    /// Sets the time, forward or backward.
    pub fn set(&self, now: Timestamp) {
        self.0.set(now);
    }

    /// Advances the time by a span.
    pub fn advance(&self, span: Millis) {
        self.0.set(self.0.get().plus(span));
    }
}

impl Default for FixedClock {
    /// 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_767_225_600_000))
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0.get()
    }
}
