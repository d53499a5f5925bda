//! Prices of tokens.

use serde::{Deserialize, Serialize};

use super::constants::MAX_CALL_AMOUNT;
use crate::money::{MicroDollars, Tokens};

/// A model's prices, in micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Price {
    /// Per million input tokens.
    pub input: MicroDollars,
    /// Per million output tokens.
    pub output: MicroDollars,
}

/// Number of tokens that a price refers to.
const TOKENS_PER_PRICE: u128 = 1_000_000;

impl Price {
    /// Cost of a call. Rounded up to whole micro-dollars once, on the sum.
    pub fn cost(self, tokens_in: Tokens, tokens_out: Tokens) -> MicroDollars {
        let exact = product(tokens_in, self.input).saturating_add(product(tokens_out, self.output));
        let whole = u64::try_from(exact.div_ceil(TOKENS_PER_PRICE)).unwrap_or(u64::MAX);
        MicroDollars::new(whole.min(MAX_CALL_AMOUNT))
    }

    /// The higher price of each, input and output.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
        }
    }

    /// Number of output tokens that `budget` covers after `tokens_in`; `None` if output is free.
    /// Fails if the budget does not cover the input.
    pub(super) fn affordable(
        self,
        budget: MicroDollars,
        tokens_in: Tokens,
    ) -> Result<Option<u64>, Unaffordable> {
        let rest = (u128::from(budget.get()) * TOKENS_PER_PRICE)
            .checked_sub(product(tokens_in, self.input))
            .ok_or(Unaffordable)?;
        Ok(match u128::from(self.output.get()) {
            0 => None,
            price => Some(u64::try_from(rest / price).unwrap_or(u64::MAX)),
        })
    }
}

/// The budget does not cover the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unaffordable;

fn product(tokens: Tokens, price: MicroDollars) -> u128 {
    u128::from(tokens.get()) * u128::from(price.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price {
        input: MicroDollars::new(150_000),
        output: MicroDollars::new(600_000),
    };

    #[test]
    fn cost_is_rounded_up_once() {
        assert_eq!(PRICE.cost(Tokens::new(1), Tokens::ZERO).get(), 1);
        assert_eq!(PRICE.cost(Tokens::new(2), Tokens::new(1)).get(), 1);
        assert_eq!(PRICE.cost(Tokens::new(1000), Tokens::new(1000)).get(), 750);
        assert_eq!(
            Price::default().cost(Tokens::new(9), Tokens::new(9)).get(),
            0
        );
    }

    #[test]
    fn affordable_output_never_exceeds_the_budget() {
        for budget in 0..200 {
            for tokens_in in 0..200 {
                let (budget, tokens_in) = (MicroDollars::new(budget), Tokens::new(tokens_in));
                match PRICE.affordable(budget, tokens_in) {
                    Ok(Some(out)) => {
                        assert!(PRICE.cost(tokens_in, Tokens::new(out)) <= budget);
                        assert!(PRICE.cost(tokens_in, Tokens::new(out + 1)) > budget);
                    }
                    Ok(None) => panic!("output is not free"),
                    Err(Unaffordable) => assert!(PRICE.cost(tokens_in, Tokens::ZERO) > budget),
                }
            }
        }
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let highest = Price {
            input: MicroDollars::new(u64::MAX),
            output: MicroDollars::new(u64::MAX),
        };
        let most = Tokens::new(u64::MAX);
        assert_eq!(highest.cost(most, most).get(), MAX_CALL_AMOUNT);
        assert_eq!(
            highest.affordable(MicroDollars::new(u64::MAX), most),
            Err(Unaffordable)
        );
    }
}
