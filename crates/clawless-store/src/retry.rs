//! Trying again, where that can help.

use clawless_core::time::Timer;
use clawless_core::{Entropy, Millis};

use crate::ports::{SqlError, SqlErrorKind};

/// An error that knows whether the same call may succeed if it is repeated.
pub trait Transient {
    /// Whether to try again. Only for calls that may be carried out twice.
    fn is_transient(&self) -> bool;
}

impl Transient for SqlError {
    fn is_transient(&self) -> bool {
        self.kind == SqlErrorKind::Retryable
    }
}

/// How often and how patiently to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Tries altogether, the first included.
    pub tries: u32,
    /// The longest pause before the second try; it doubles before each one after.
    pub first: Millis,
    /// The longest pause of all.
    pub longest: Millis,
}

impl Backoff {
    /// For the database: five tries within three seconds.
    pub const DATABASE: Self = Self {
        tries: 5,
        first: Millis::new(50),
        longest: Millis::new(2000),
    };

    /// The longest pause after the given number of failures.
    fn ceiling(self, failures: u32) -> u64 {
        let doubled = 1_u64
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u64::MAX);
        self.first
            .get()
            .saturating_mul(doubled)
            .min(self.longest.get())
    }
}

/// Calls `operation` until it succeeds, fails for good or has used up its tries. The pauses are
/// random between nothing and a ceiling that doubles, so that those who failed together do not
/// come back together.
pub async fn retry<T, E: Transient>(
    backoff: Backoff,
    timer: &impl Timer,
    entropy: &impl Entropy,
    mut operation: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut failures = 0;
    loop {
        match operation().await {
            Err(error) if error.is_transient() && failures + 1 < backoff.tries => {
                failures += 1;
                let random = u64::from_be_bytes(entropy.bytes());
                let pause = random % backoff.ceiling(failures).saturating_add(1);
                timer.sleep(Millis::new(pause)).await;
            }
            outcome => return outcome,
        }
    }
}
