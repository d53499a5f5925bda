//! What tokens cost.

use serde::{Deserialize, Serialize};

use super::MAX_CALL;
use crate::money::{MicroDollars, Tokens};

/// A model's prices, in micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Price {
    /// For tokens of the request.
    pub input: MicroDollars,
    /// For tokens of the answer.
    pub output: MicroDollars,
}

/// Tokens to which a price applies.
const PER: u128 = 1_000_000;

impl Price {
    /// What a call costs, rounded up to a whole micro-dollar once, at the end.
    pub fn cost(self, tokens_in: Tokens, tokens_out: Tokens) -> MicroDollars {
        let exact = product(tokens_in, self.input).saturating_add(product(tokens_out, self.output));
        let whole = u64::try_from(exact.div_ceil(PER)).unwrap_or(u64::MAX);
        MicroDollars::new(whole.min(MAX_CALL))
    }

    /// The dearer of two prices, for input and output each.
    #[must_use]
    pub fn dearer(self, other: Self) -> Self {
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
        }
    }

    /// How many output tokens `budget` pays for, after `tokens_in`. `None`: any number. An error:
    /// not even the input.
    pub(super) fn affordable(
        self,
        budget: MicroDollars,
        tokens_in: Tokens,
    ) -> Result<Option<u64>, Unaffordable> {
        let rest = (u128::from(budget.get()) * PER)
            .checked_sub(product(tokens_in, self.input))
            .ok_or(Unaffordable)?;
        Ok(match u128::from(self.output.get()) {
            0 => None,
            price => Some(u64::try_from(rest / price).unwrap_or(u64::MAX)),
        })
    }
}

/// The budget does not pay for the input.
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
    fn a_cost_is_rounded_up_once() {
        assert_eq!(PRICE.cost(Tokens::new(1), Tokens::ZERO).get(), 1);
        assert_eq!(PRICE.cost(Tokens::new(2), Tokens::new(1)).get(), 1);
        assert_eq!(PRICE.cost(Tokens::new(1000), Tokens::new(1000)).get(), 750);
        assert_eq!(
            Price::default().cost(Tokens::new(9), Tokens::new(9)).get(),
            0
        );
    }

    #[test]
    fn what_is_affordable_never_costs_more_than_the_budget() {
        for budget in 0..200 {
            for tokens_in in 0..200 {
                let (budget, tokens_in) = (MicroDollars::new(budget), Tokens::new(tokens_in));
                match PRICE.affordable(budget, tokens_in) {
                    Ok(Some(out)) => {
                        assert!(PRICE.cost(tokens_in, Tokens::new(out)) <= budget);
                        assert!(PRICE.cost(tokens_in, Tokens::new(out + 1)) > budget);
                    }
                    Ok(None) => panic!("output has a price"),
                    Err(Unaffordable) => assert!(PRICE.cost(tokens_in, Tokens::ZERO) > budget),
                }
            }
        }
    }

    #[test]
    fn hostile_numbers_do_not_wrap() {
        let dear = Price {
            input: MicroDollars::new(u64::MAX),
            output: MicroDollars::new(u64::MAX),
        };
        let many = Tokens::new(u64::MAX);
        assert_eq!(dear.cost(many, many).get(), MAX_CALL);
        assert_eq!(
            dear.affordable(MicroDollars::new(u64::MAX), many),
            Err(Unaffordable)
        );
    }
}
