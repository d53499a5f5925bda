//! What is drawn for one call: it hangs on the seed and the call's number only, so that a tenant does
//! the same where it is alone.

use clawless_core::Timestamp;
use clawless_testkit::SeededEntropy;

/// The dice of one call.
pub(crate) struct Dice {
    pub(crate) entropy: SeededEntropy,
    /// When the call is made: time goes on by a second a call.
    pub(crate) now: Timestamp,
}

impl Dice {
    pub(crate) fn of(seed: u64, call: u64) -> Self {
        let mixed = SeededEntropy::new(seed).next_u64().wrapping_add(call);
        Self {
            entropy: SeededEntropy::new(mixed),
            now: Timestamp::from_millis(1_800_000_000_000 + 1000 * call),
        }
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.entropy.next_u64() % end
    }

    /// One of some.
    pub(crate) fn one<'a, T>(&self, of: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(of.len() as u64)).expect("fits");
        &of[at]
    }

    pub(crate) fn is_heads(&self) -> bool {
        self.below(2) == 0
    }
}
