//! Time as a value: timestamps, spans, the ports for reading the clock and sleeping, and one timeout.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use serde::{Deserialize, Serialize};

/// A point in time, in milliseconds since the Unix epoch (UTC).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

/// A span of time in milliseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(u64);

/// The port for reading the clock. `SystemTime::now` panics on Workers, so no code calls it.
pub trait Clock {
    /// The current time.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The port for sleeping.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, so no caller needs to name the future or its `Send`"
)]
pub trait Timer {
    /// Returns when `span` has passed, or a little later.
    async fn sleep(&self, span: Millis);
}

impl<T: Timer + ?Sized> Timer for &T {
    async fn sleep(&self, span: Millis) {
        (**self).sleep(span).await;
    }
}

/// A timeout passed before the future completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out")]
pub struct Elapsed;

/// Waits for `future`, at most for `span`. A future that has not completed by then is dropped,
/// which aborts the request behind it.
///
/// # Errors
/// [`Elapsed`] if the time ran out.
pub async fn timeout<F: Future>(
    timer: &impl Timer,
    span: Millis,
    future: F,
) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = pin!(timer.sleep(span));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => sleep.as_mut().poll(context).map(|()| Err(Elapsed)),
    })
    .await
}

impl Timestamp {
    /// The time `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as `OpenAI`'s `created` fields count them.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// This time plus a span; saturates.
    #[must_use]
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This time minus a span; saturates at the epoch.
    #[must_use]
    pub const fn minus(self, span: Millis) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to this time; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Millis {
    /// A span of `millis` milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// A span of whole seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The sum of both spans; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Whole seconds, rounded up, as in a `retry-after` header.
    pub const fn ceil_secs(self) -> u64 {
        self.0.div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    use super::*;

    /// A timer whose sleeps end at once.
    struct Instant;

    impl Timer for Instant {
        async fn sleep(&self, _: Millis) {}
    }

    fn poll<F: Future>(future: F) -> Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn timeout_prefers_a_result_that_is_ready() {
        let span = Millis::new(1);
        assert_eq!(poll(timeout(&Instant, span, ready(7))), Poll::Ready(Ok(7)));
        let late = poll(timeout(&Instant, span, pending::<()>()));
        assert_eq!(late, Poll::Ready(Err(Elapsed)));
    }

    #[test]
    fn clock_that_steps_back_yields_an_empty_span() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(early.since(late), Millis::new(0));
        assert_eq!(late.since(early), Millis::new(4));
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(Millis::new(1).ceil_secs(), 1);
        assert_eq!(Millis::new(2000).ceil_secs(), 2);
    }
}
