//! Tokens and money, as integers with saturating arithmetic.

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
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// A quantity of `count`.
            pub const fn new(count: u64) -> Self {
                Self(count)
            }

            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The sum. Saturates: a hostile value must not wrap to a small one.
            #[must_use]
            pub const fn plus(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference; zero if `other` is larger.
            #[must_use]
            pub const fn minus(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// The product. Saturates.
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

/// The source of a usage record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Reported by the provider.
    Provider,
    /// Estimated from the length of the text.
    Estimated,
    /// The outcome of the call is unknown. The reserved input tokens are charged.
    Swept,
    /// Nothing is charged.
    Released,
}

impl Provenance {
    /// The name in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
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
    fn arithmetic_saturates() {
        let huge = Tokens::new(u64::MAX);
        assert_eq!(huge.plus(Tokens::new(1)), huge);
        assert_eq!(huge.times(2), huge);
        assert_eq!(Tokens::ZERO.minus(Tokens::new(1)), Tokens::ZERO);
    }
}
