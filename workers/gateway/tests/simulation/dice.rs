//! Chance, from one seed for a whole world.

use std::rc::Rc;

use clawless_core::Millis;
use clawless_testkit::SeededEntropy;

/// Dice that everybody in a world throws.
#[derive(Clone)]
pub struct Dice(Rc<SeededEntropy>);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Rc::new(SeededEntropy::new(seed)))
    }

    /// A number below `sides`.
    pub fn below(&self, sides: u64) -> u64 {
        self.0.next_u64() % sides
    }

    /// Whether something happens that happens so many times in a hundred.
    pub fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A span shorter than this many milliseconds.
    pub fn millis(&self, below: u64) -> Millis {
        Millis::new(self.below(below))
    }
}
