//! The quota manager: what a tenant used, reserved and may still use in a month.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::price::Price;
use super::{MAX_CALL, Period};
use crate::limits::Quotas;
use crate::money::{MicroDollars, Tokens};
use crate::time::Timestamp;

/// What quotas count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// Answered chat requests.
    Messages,
    /// Tokens of requests and answers.
    Tokens,
    /// Money.
    MicroDollars,
}

impl QuotaKind {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Messages, Self::Tokens, Self::MicroDollars];

    /// The quota of this kind; none if it is unlimited.
    pub fn limit(self, quotas: &Quotas) -> Option<u64> {
        match self {
            Self::Messages => quotas.messages_per_month,
            Self::Tokens => quotas.tokens_per_month.map(Tokens::get),
            Self::MicroDollars => quotas.micro_dollars_per_month.map(MicroDollars::get),
        }
    }
}

/// An amount of each thing that quotas count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amounts {
    /// Answered chat requests.
    pub messages: u64,
    /// Tokens of requests and answers.
    pub tokens: Tokens,
    /// Money.
    pub micro_dollars: MicroDollars,
}

impl Amounts {
    /// Nothing.
    pub const ZERO: Self = Self {
        messages: 0,
        tokens: Tokens::ZERO,
        micro_dollars: MicroDollars::ZERO,
    };

    /// How much there is of a kind.
    pub const fn of(&self, kind: QuotaKind) -> u64 {
        match kind {
            QuotaKind::Messages => self.messages,
            QuotaKind::Tokens => self.tokens.get(),
            QuotaKind::MicroDollars => self.micro_dollars.get(),
        }
    }

    /// The sum; saturates.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            tokens: self.tokens.plus(other.tokens),
            micro_dollars: self.micro_dollars.plus(other.micro_dollars),
        }
    }

    /// The difference; zero where `other` is larger.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            tokens: self.tokens.minus(other.tokens),
            micro_dollars: self.micro_dollars.minus(other.micro_dollars),
        }
    }

    /// The larger of each.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        Self {
            messages: self.messages.max(other.messages),
            tokens: self.tokens.max(other.tokens),
            micro_dollars: self.micro_dollars.max(other.micro_dollars),
        }
    }
}

/// Where what was granted went: `granted = settled + released + open`, and what was used is
/// `settled + excess`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Used, within what was reserved.
    pub settled: Amounts,
    /// Reserved and not used.
    pub released: Amounts,
    /// Used beyond what was reserved.
    pub excess: Amounts,
}

impl Tally {
    /// Where one reservation went.
    pub fn of(reserved: &Amounts, used: &Amounts) -> Self {
        let excess = used.minus(reserved);
        Self {
            settled: used.minus(&excess),
            released: reserved.minus(used),
            excess,
        }
    }

    /// All that was used.
    pub fn used(&self) -> Amounts {
        self.settled.plus(&self.excess)
    }

    /// Both together.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            settled: self.settled.plus(&other.settled),
            released: self.released.plus(&other.released),
            excess: self.excess.plus(&other.excess),
        }
    }

    /// This without `other`, which is part of it.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            settled: self.settled.minus(&other.settled),
            released: self.released.minus(&other.released),
            excess: self.excess.minus(&other.excess),
        }
    }
}

/// The books of one month.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Books {
    /// All that was ever granted. Kept on its own so that the sums can be checked.
    pub(super) granted: Amounts,
    /// What open reservations hold.
    pub(super) open: Amounts,
    /// Where closed reservations went.
    pub(super) closed: Tally,
    /// The part of `closed` whose receipts D1 has: what must be written down, since the rest
    /// follows from the receipts that still wait.
    pub(super) filed: Tally,
    /// The warnings that were given; a bit per kind and percentage.
    pub(super) warned: u8,
}

/// The row of [`Books`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BooksRow {
    pub(super) period: Period,
    pub(super) filed: Tally,
    pub(super) warned: u8,
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) tokens_in: Tokens,
    /// The longest answer, each.
    pub(super) tokens_out: Tokens,
    pub(super) answers: u32,
    pub(super) price: Price,
}

/// What a call gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allotment {
    pub(super) reserved: Amounts,
    /// The longest answer, each.
    pub(super) tokens_out: Tokens,
}

impl Books {
    /// What is left of a quota, if it is limited.
    fn left(&self, kind: QuotaKind, quotas: &Quotas) -> Option<u64> {
        let taken = self.closed.used().plus(&self.open).of(kind);
        kind.limit(quotas).map(|limit| limit.saturating_sub(taken))
    }

    /// What a call can have: its input, and as much of its output as the quotas leave. `own` is
    /// what it has already. An error names the quota that leaves nothing. A quota that is used up
    /// refuses every call, even one that would not add to it.
    pub(super) fn allot(
        &self,
        quotas: &Quotas,
        ask: Ask,
        own: &Amounts,
    ) -> Result<Allotment, QuotaKind> {
        let left = |kind| {
            self.left(kind, quotas)
                .map(|left| left.saturating_add(own.of(kind)))
        };
        if left(QuotaKind::Messages) == Some(0) {
            return Err(QuotaKind::Messages);
        }
        let answers = u64::from(ask.answers.max(1));
        let tokens_in = Tokens::new(ask.tokens_in.get().min(MAX_CALL));
        let mut tokens_out = ask.tokens_out.get().clamp(1, MAX_CALL / answers);
        if let Some(left) = left(QuotaKind::Tokens) {
            tokens_out = tokens_out.min(left.saturating_sub(tokens_in.get()) / answers);
        }
        if tokens_out == 0 {
            return Err(QuotaKind::Tokens);
        }
        if let Some(left) = left(QuotaKind::MicroDollars) {
            let affordable = ask
                .price
                .affordable(MicroDollars::new(left), tokens_in)
                .map_err(|_| QuotaKind::MicroDollars)?;
            if let Some(affordable) = affordable {
                tokens_out = tokens_out.min(affordable / answers);
            }
            if left == 0 || tokens_out == 0 {
                return Err(QuotaKind::MicroDollars);
            }
        }
        let all_out = Tokens::new(tokens_out).times(answers);
        Ok(Allotment {
            reserved: Amounts {
                messages: 1,
                tokens: tokens_in.plus(all_out),
                micro_dollars: ask.price.cost(tokens_in, all_out),
            },
            tokens_out: Tokens::new(tokens_out),
        })
    }

    /// The warnings that are due and were not given yet: kind, percentage, what is used, the quota.
    pub(super) fn warnings(&mut self, quotas: &Quotas) -> Vec<(QuotaKind, u8, u64, u64)> {
        let used = self.closed.used();
        let mut due = Vec::new();
        for (at, kind) in QuotaKind::ALL.into_iter().enumerate() {
            let Some(limit) = kind.limit(quotas) else {
                continue;
            };
            for (step, percent) in [80_u8, 100].into_iter().enumerate() {
                let bit = 1_u8 << (2 * at + step);
                let reached =
                    u128::from(used.of(kind)) * 100 >= u128::from(limit) * u128::from(percent);
                if used.of(kind) > 0 && reached && self.warned & bit == 0 {
                    self.warned |= bit;
                    due.push((kind, percent, used.of(kind), limit));
                }
            }
        }
        due
    }
}

/// The books of all months.
#[derive(Debug, Clone, Default)]
pub(super) struct QuotaManager {
    books: BTreeMap<Period, Books>,
    current: Period,
    ends_at: Timestamp,
}

impl QuotaManager {
    /// The present month. `now` never decreases, so neither does the month.
    pub(super) fn current(&mut self, now: Timestamp) -> Period {
        if now >= self.ends_at {
            self.current = self.current.max(Period::of(now));
            self.ends_at = self.current.ends_at();
        }
        self.current
    }

    /// The books of a month, begun if there are none.
    pub(super) fn books(&mut self, period: Period) -> &mut Books {
        self.books.entry(period).or_default()
    }

    /// The books of a month.
    pub(super) fn get(&self, period: Period) -> Option<&Books> {
        self.books.get(&period)
    }

    /// The books of every month.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Period, &Books)> {
        self.books.iter().map(|(period, books)| (*period, books))
    }

    /// The last month that has books.
    pub(super) fn last(&self) -> Option<Period> {
        self.books.keys().next_back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Price = Price {
        input: MicroDollars::ZERO,
        output: MicroDollars::ZERO,
    };

    fn ask(tokens_in: u64, tokens_out: u64, answers: u32, price: Price) -> Ask {
        Ask {
            tokens_in: Tokens::new(tokens_in),
            tokens_out: Tokens::new(tokens_out),
            answers,
            price,
        }
    }

    fn tokens(limit: u64) -> Quotas {
        Quotas {
            tokens_per_month: Some(Tokens::new(limit)),
            ..Quotas::UNLIMITED
        }
    }

    #[test]
    fn an_answer_is_capped_by_what_the_quota_leaves() {
        let books = Books::default();
        let all = books.allot(&tokens(100), ask(40, 1000, 1, FREE), &Amounts::ZERO);
        assert_eq!(all.map(|got| got.tokens_out.get()), Ok(60));
        let three = books.allot(&tokens(100), ask(40, 1000, 3, FREE), &Amounts::ZERO);
        let three = three.expect("fits");
        assert_eq!(
            (three.tokens_out.get(), three.reserved.tokens.get()),
            (20, 100)
        );
        let none = books.allot(&tokens(100), ask(100, 1000, 1, FREE), &Amounts::ZERO);
        assert_eq!(none, Err(QuotaKind::Tokens));
    }

    #[test]
    fn an_answer_is_capped_by_the_money_left() {
        let price = Price {
            input: MicroDollars::new(1_000_000),
            output: MicroDollars::new(2_000_000),
        };
        let quotas = Quotas {
            micro_dollars_per_month: Some(MicroDollars::new(100)),
            ..Quotas::UNLIMITED
        };
        let books = Books::default();
        let got = books
            .allot(&quotas, ask(20, 1000, 2, price), &Amounts::ZERO)
            .expect("fits");
        assert_eq!(
            (got.tokens_out.get(), got.reserved.micro_dollars.get()),
            (20, 100)
        );
        let dear = books.allot(&quotas, ask(101, 1, 1, price), &Amounts::ZERO);
        assert_eq!(dear, Err(QuotaKind::MicroDollars));
    }

    #[test]
    fn a_quota_of_zero_refuses_and_the_largest_does_not_wrap() {
        let books = Books::default();
        for kind in QuotaKind::ALL {
            let mut quotas = Quotas::UNLIMITED;
            match kind {
                QuotaKind::Messages => quotas.messages_per_month = Some(0),
                QuotaKind::Tokens => quotas.tokens_per_month = Some(Tokens::ZERO),
                QuotaKind::MicroDollars => {
                    quotas.micro_dollars_per_month = Some(MicroDollars::ZERO);
                }
            }
            assert_eq!(
                books.allot(&quotas, ask(0, 1, 1, FREE), &Amounts::ZERO),
                Err(kind)
            );
        }
        let hostile = ask(u64::MAX, u64::MAX, u32::MAX, FREE);
        let got = books
            .allot(&tokens(u64::MAX), hostile, &Amounts::ZERO)
            .expect("fits");
        assert!(got.reserved.tokens.get() <= 2 * MAX_CALL);
    }

    #[test]
    fn a_quota_lowered_below_what_is_used_refuses() {
        let mut books = Books::default();
        books.closed.settled.tokens = Tokens::new(500);
        let asked = books.allot(&tokens(100), ask(1, 1, 1, FREE), &Amounts::ZERO);
        assert_eq!(asked, Err(QuotaKind::Tokens));
    }

    #[test]
    fn each_warning_is_given_once() {
        let mut books = Books::default();
        books.closed.settled.tokens = Tokens::new(79);
        assert!(books.warnings(&tokens(100)).is_empty());
        books.closed.settled.tokens = Tokens::new(80);
        assert_eq!(
            books.warnings(&tokens(100)),
            [(QuotaKind::Tokens, 80, 80, 100)]
        );
        books.closed.excess.tokens = Tokens::new(40);
        assert_eq!(
            books.warnings(&tokens(100)),
            [(QuotaKind::Tokens, 100, 120, 100)]
        );
        assert!(books.warnings(&tokens(100)).is_empty());
    }

    #[test]
    fn a_tally_parts_what_was_reserved_and_used() {
        let amounts = |tokens| Amounts {
            tokens: Tokens::new(tokens),
            ..Amounts::ZERO
        };
        for (reserved, used) in [(10, 4), (4, 10), (5, 5), (0, 3), (3, 0)] {
            let tally = Tally::of(&amounts(reserved), &amounts(used));
            assert_eq!(tally.settled.plus(&tally.released), amounts(reserved));
            assert_eq!(tally.used(), amounts(used));
        }
    }
}
