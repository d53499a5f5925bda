//! The runtime's clock and timer.

use std::time::Duration;

use clawless_core::time::{Clock, Millis, Timer, Timestamp};
use worker::Delay;

/// `Date.now` and `setTimeout`. On Workers the clock advances only with I/O: precise enough for
/// deadlines, useless for measuring computation.
#[derive(Debug, Clone, Copy, Default)]
pub struct EdgeTime;

impl Clock for EdgeTime {
    fn now(&self) -> Timestamp {
        // Whole milliseconds since 1970, far below 2^53.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a positive whole number"
        )]
        Timestamp::from_millis(js_sys::Date::now() as u64)
    }
}

impl Timer for EdgeTime {
    /// Dropping the future clears the timer.
    async fn sleep(&self, span: Millis) {
        Delay::from(Duration::from_millis(span.get())).await;
    }
}
