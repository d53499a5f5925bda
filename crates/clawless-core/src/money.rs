//! Counts that cost: tokens and millionths of a dollar, in integers that cannot overflow unseen.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// A quantity of `count`.
            pub const fn new(count: u64) -> Self {
                Self(count)
            }

            /// The bare number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The sum; saturates, so that a hostile count cannot wrap to a small one.
            #[must_use]
            pub const fn plus(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference; zero where `other` is larger.
            #[must_use]
            pub const fn minus(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// This quantity `factor` times; saturates.
            #[must_use]
            pub const fn times(self, factor: u64) -> Self {
                Self(self.0.saturating_mul(factor))
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, Self::plus)
            }
        }
    };
}

quantity! {
    /// A number of model tokens.
    Tokens
}
quantity! {
    /// An amount of money in millionths of a US dollar.
    MicroDollars
}

/// How a usage is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// The provider told it.
    Provider,
    /// It was counted with the model's own tokenizer.
    Counted,
    /// It was estimated from the length of the text.
    Estimated,
    /// Nobody said how the call ended: it is charged what was reserved for its input.
    Swept,
    /// The call cost nothing.
    Released,
}

impl Provenance {
    /// Its name in the database and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Counted => "counted",
            Self::Estimated => "estimated",
            Self::Swept => "swept",
            Self::Released => "released",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_counts_saturate_and_never_wrap() {
        let huge = Tokens::new(u64::MAX);
        assert_eq!(huge.plus(Tokens::new(1)), huge);
        assert_eq!(huge.times(2), huge);
        assert_eq!(Tokens::ZERO.minus(Tokens::new(1)), Tokens::ZERO);
    }
}
