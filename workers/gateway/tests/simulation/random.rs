//! Random numbers from one seed for a whole world.

use std::rc::Rc;

use clawless_core::Millis;
use clawless_testkit::SeededEntropy;

/// The random numbers that all parts of a world share.
#[derive(Clone)]
pub struct Random(Rc<SeededEntropy>);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(SeededEntropy::new(seed)))
    }

    /// A number below `limit`.
    pub fn below(&self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    /// `true` with this probability, in percent.
    pub fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A duration below this many milliseconds.
    pub fn millis(&self, below: u64) -> Millis {
        Millis::new(self.below(below))
    }
}
