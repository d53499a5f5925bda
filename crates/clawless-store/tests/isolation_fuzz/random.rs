//! Random choices of one call. They depend only on the seed and the call's number, so a tenant
//! makes the same calls alone as among others.

use clawless_core::Timestamp;
use clawless_testkit::SeededEntropy;

/// The random choices of one call.
pub(crate) struct CallRandom {
    pub(crate) entropy: SeededEntropy,
    /// The time of the call: one second after the previous one.
    pub(crate) now: Timestamp,
}

impl CallRandom {
    pub(crate) fn new(seed: u64, call: u64) -> Self {
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

    /// One of the items.
    pub(crate) fn choose<'a, T>(&self, items: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(items.len() as u64)).expect("fits");
        &items[index]
    }

    pub(crate) fn coin(&self) -> bool {
        self.below(2) == 0
    }
}
