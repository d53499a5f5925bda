//! Retries: exponential backoff with full jitter, and the loop that uses it.

use crate::entropy::Entropy;
use crate::time::{Millis, Timer};

/// How often to retry, and how long to wait before each retry.
///
/// [`delay`](Self::delay) has full jitter: any span from zero to a bound is equally likely, so that
/// clients that failed together do not return together. [`bound`](Self::bound) doubles with each
/// retry, up to a maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Retries after the first try.
    pub max_retries: u32,
    /// The bound of the first wait.
    pub base: Millis,
    /// The bound of every wait.
    pub max_delay: Millis,
}

/// The longest wait that a provider may request with `retry-after`. For longer ones the client
/// gets the error, with the time to wait.
pub const MAX_RETRY_AFTER: Millis = Millis::from_secs(3);

impl Backoff {
    /// For D1.
    pub const DATABASE: Self = Self {
        max_retries: 4,
        base: Millis::new(50),
        max_delay: Millis::new(2000),
    };

    /// For one model of a fallback chain.
    pub const PROVIDER: Self = Self {
        max_retries: 2,
        base: Millis::new(250),
        max_delay: Millis::from_secs(4),
    };

    /// The bound of the wait before retry number `retry` (from 0). It doubles with each retry. A
    /// single waiter, which needs no jitter, waits as long.
    pub fn bound(self, retry: u32) -> Millis {
        let doubled = self.base.get().saturating_mul(1 << retry.min(16));
        Millis::new(doubled).min(self.max_delay)
    }

    /// The wait before retry number `retry` (from 0). `random` is uniform.
    pub fn delay(self, retry: u32, random: u32) -> Millis {
        let bound = u128::from(self.bound(retry).get());
        // `random` / 2^32 of the bound is below the bound, which fits.
        let delay = (bound * u128::from(random)) >> 32;
        Millis::new(u64::try_from(delay).unwrap_or(u64::MAX))
    }

    /// [`delay`](Self::delay), but not less than the provider's `retry_after`. `None` if the
    /// provider requests more than [`MAX_RETRY_AFTER`] or the wait does not end before the
    /// deadline, which is `remaining` away.
    pub fn delay_within(
        self,
        retry: u32,
        random: u32,
        retry_after: Option<Millis>,
        remaining: Millis,
    ) -> Option<Millis> {
        let minimum = retry_after.unwrap_or_default();
        let delay = self.delay(retry, random).max(minimum);
        (minimum <= MAX_RETRY_AFTER && delay < remaining).then_some(delay)
    }
}

/// An error that knows whether a retry can succeed.
pub trait Transient {
    /// Whether to retry. Only for calls that may run twice.
    fn is_transient(&self) -> bool;
}

/// Calls `operation` until it succeeds, fails with an error that is not transient, or has used up
/// its retries.
///
/// # Errors
/// The last error of `operation`.
pub async fn retry<T, E: Transient>(
    backoff: Backoff,
    timer: &impl Timer,
    entropy: &impl Entropy,
    mut operation: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut retries = 0;
    loop {
        match operation().await {
            Err(error) if error.is_transient() && retries < backoff.max_retries => {
                let random = u32::from_be_bytes(entropy.bytes());
                timer.sleep(backoff.delay(retries, random)).await;
                retries += 1;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: Millis = Millis::from_secs(600);

    #[test]
    fn delays_grow_to_a_maximum_and_use_the_whole_range() {
        for (retry, bound) in [(0, 250), (1, 500), (2, 1000), (9, 4000), (u32::MAX, 4000)] {
            assert_eq!(Backoff::PROVIDER.bound(retry), Millis::new(bound));
            let delay = |random| {
                let delay = Backoff::PROVIDER.delay_within(retry, random, None, AMPLE);
                delay.expect("a delay").get()
            };
            assert_eq!(delay(0), 0);
            assert_eq!(delay(u32::MAX), bound - 1);
            assert_eq!(delay(1 << 31), bound / 2);
        }
    }

    #[test]
    fn retry_after_is_respected_up_to_a_maximum() {
        let delay = |millis| Backoff::PROVIDER.delay_within(0, 0, Some(Millis::new(millis)), AMPLE);
        assert_eq!(delay(1500), Some(Millis::new(1500)));
        assert_eq!(delay(3000), Some(Millis::new(3000)));
        assert_eq!(delay(3001), None);
    }

    #[test]
    fn no_delay_outlasts_the_deadline() {
        let delay = |random, remaining| {
            Backoff::PROVIDER.delay_within(0, random, None, Millis::new(remaining))
        };
        assert_eq!(delay(u32::MAX, 100), None);
        assert_eq!(delay(0, 0), None);
    }
}
