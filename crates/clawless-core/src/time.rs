//! Time as a value: timestamps, spans and the port that tells the time.

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch (UTC).
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

/// The port that tells the time. `SystemTime::now` panics on Workers, so no code asks the system.
pub trait Clock {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The port that lets time pass.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, so no caller needs to name the future or its `Send`"
)]
pub trait Timer {
    /// Comes back when `span` has passed, or a little later.
    async fn sleep(&self, span: Millis);
}

impl<T: Timer + ?Sized> Timer for &T {
    async fn sleep(&self, span: Millis) {
        (**self).sleep(span).await;
    }
}

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
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

    /// This moment plus a span; saturates at the end of time.
    #[must_use]
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This moment less a span; saturates at the epoch.
    #[must_use]
    pub const fn minus(self, span: Millis) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to this moment; zero where `earlier` is later.
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

    /// Both spans, one after the other; saturates.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Whole seconds, rounded up: what a `retry-after` header may promise.
    pub const fn ceil_secs(self) -> u64 {
        self.0.div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_back_yields_an_empty_span() {
        let (early, late) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(early.since(late), Millis::new(0));
        assert_eq!(late.since(early), Millis::new(4));
    }

    #[test]
    fn a_promise_in_seconds_never_ends_before_the_span_does() {
        assert_eq!(Millis::new(1).ceil_secs(), 1);
        assert_eq!(Millis::new(2000).ceil_secs(), 2);
    }
}
