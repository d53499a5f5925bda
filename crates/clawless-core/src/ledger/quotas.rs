//! Monthly quotas: used, reserved and remaining amounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::constants::MAX_CALL_AMOUNT;
use super::period::Period;
use super::price::Price;
use super::warnings::Warned;
use crate::limits::Quotas;
use crate::money::{MicroDollars, Tokens};
use crate::time::Timestamp;

/// Resources limited by quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// Answered chat requests.
    Messages,
    /// Input and output tokens.
    Tokens,
    /// Cost in micro-dollars.
    MicroDollars,
}

const _: () = assert!(QuotaKind::ALL.len() <= Warned::MAX_QUOTAS);

impl QuotaKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Messages, Self::Tokens, Self::MicroDollars];

    /// The name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Tokens => "tokens",
            Self::MicroDollars => "micro_dollars",
        }
    }

    /// Whether an answer uses more of it the longer it is.
    pub const fn grows_with_output(self) -> bool {
        match self {
            Self::Messages => false,
            Self::Tokens | Self::MicroDollars => true,
        }
    }

    /// The quota of this kind; none if it is unlimited.
    pub fn limit(self, quotas: &Quotas) -> Option<u64> {
        match self {
            Self::Messages => quotas.messages_per_month,
            Self::Tokens => quotas.tokens_per_month.map(Tokens::get),
            Self::MicroDollars => quotas.micro_dollars_per_month.map(MicroDollars::get),
        }
    }
}

/// An amount of each resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
// Rows that an older version stored lack the members that were added since.
#[serde(default)]
pub struct Amounts {
    /// Answered chat requests.
    pub messages: u64,
    /// Input and output tokens.
    pub tokens: Tokens,
    /// Cost in micro-dollars.
    pub micro_dollars: MicroDollars,
}

impl Amounts {
    /// Zero of each.
    pub const ZERO: Self = Self {
        messages: 0,
        tokens: Tokens::ZERO,
        micro_dollars: MicroDollars::ZERO,
    };

    /// The amount of one kind.
    pub const fn of(&self, kind: QuotaKind) -> u64 {
        match kind {
            QuotaKind::Messages => self.messages,
            QuotaKind::Tokens => self.tokens.get(),
            QuotaKind::MicroDollars => self.micro_dollars.get(),
        }
    }

    /// Saturating sum.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            tokens: self.tokens.plus(other.tokens),
            micro_dollars: self.micro_dollars.plus(other.micro_dollars),
        }
    }

    /// Saturating difference.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(other.messages),
            tokens: self.tokens.minus(other.tokens),
            micro_dollars: self.micro_dollars.minus(other.micro_dollars),
        }
    }

    /// The larger amount of each kind.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        Self {
            messages: self.messages.max(other.messages),
            tokens: self.tokens.max(other.tokens),
            micro_dollars: self.micro_dollars.max(other.micro_dollars),
        }
    }
}

/// Outcome of closed reservations: `granted = settled + released + open`. The usage is
/// `settled + excess`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Used within reservations.
    pub settled: Amounts,
    /// Reserved but not used.
    pub released: Amounts,
    /// Used beyond reservations.
    pub excess: Amounts,
}

impl Tally {
    /// The outcome of one reservation.
    pub fn of(reserved: &Amounts, used: &Amounts) -> Self {
        let excess = used.minus(reserved);
        Self {
            settled: used.minus(&excess),
            released: reserved.minus(used),
            excess,
        }
    }

    /// The whole usage.
    pub fn used(&self) -> Amounts {
        self.settled.plus(&self.excess)
    }

    /// Saturating sum.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self {
            settled: self.settled.plus(&other.settled),
            released: self.released.plus(&other.released),
            excess: self.excess.plus(&other.excess),
        }
    }

    /// Subtracts `other`, which is included in this tally.
    #[must_use]
    pub const fn minus(&self, other: &Self) -> Self {
        Self {
            settled: self.settled.minus(&other.settled),
            released: self.released.minus(&other.released),
            excess: self.excess.minus(&other.excess),
        }
    }
}

/// The account of one month.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// Total of all grants. Stored separately so that the sums can be checked.
    pub(super) granted: Amounts,
    /// Reserved by open reservations.
    pub(super) open: Amounts,
    /// Outcome of closed reservations.
    pub(super) closed: Tally,
    /// The part of `closed` whose receipts D1 has acknowledged. Only this part is stored; the rest
    /// follows from the pending receipts.
    pub(super) acknowledged: Tally,
    /// Warnings already sent.
    pub(super) warned: Warned,
}

/// The row of [`Account`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AccountRow {
    pub(super) period: Period,
    #[serde(rename = "filed")]
    pub(super) acknowledged: Tally,
    pub(super) warned: Warned,
}

/// Amounts that a call requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AllocationRequest {
    pub(super) tokens_in: Tokens,
    /// Output limit per answer.
    pub(super) tokens_out: Tokens,
    pub(super) answers: u32,
    pub(super) price: Price,
}

/// A quota that does not cover a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) kind: QuotaKind,
    /// Whether the usage alone leaves too little. Otherwise the call fits when running calls end.
    pub(super) is_used_up: bool,
}

/// Amounts that a call is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allocation {
    pub(super) reserved: Amounts,
    /// Output limit per answer.
    pub(super) tokens_out: Tokens,
}

impl Account {
    /// Allocates the input, and as much output as the quotas allow. `held` is what the call has
    /// reserved already. An exhausted quota rejects every call, even one that would not use it.
    ///
    /// # Errors
    /// The quota that leaves too little.
    pub(super) fn allocate(
        &self,
        quotas: &Quotas,
        request: AllocationRequest,
        held: &Amounts,
    ) -> Result<Allocation, Shortage> {
        let used = self.closed.used();
        let remaining = |kind: QuotaKind| {
            let left = kind.limit(quotas)?;
            let left = left.saturating_sub(used.plus(&self.open).of(kind));
            Some(left.saturating_add(held.of(kind)))
        };
        let unused = |kind: QuotaKind| Some(kind.limit(quotas)?.saturating_sub(used.of(kind)));
        allocate_from(remaining, request).map_err(|kind| Shortage {
            kind,
            is_used_up: allocate_from(unused, request).is_err(),
        })
    }

    /// The quotas that the usage exceeds: kind, usage, quota.
    pub(super) fn exceeded<'a>(
        &self,
        quotas: &'a Quotas,
    ) -> impl Iterator<Item = (QuotaKind, u64, u64)> + use<'a> {
        let used = self.closed.used();
        QuotaKind::ALL.into_iter().filter_map(move |kind| {
            let (used, limit) = (used.of(kind), kind.limit(quotas)?);
            (used > limit).then_some((kind, used, limit))
        })
    }

    /// Marks the warnings that are due as sent and returns them: kind, percentage, usage, quota.
    pub(super) fn take_warnings(&mut self, quotas: &Quotas) -> Vec<(QuotaKind, u8, u64, u64)> {
        let used = self.closed.used();
        let mut due = Vec::new();
        for (at, kind) in QuotaKind::ALL.into_iter().enumerate() {
            let (used, limit) = (used.of(kind), kind.limit(quotas));
            let Some(limit) = limit else { continue };
            let percents = self.warned.take(at, used, limit).into_iter();
            due.extend(percents.map(|percent| (kind, percent, used, limit)));
        }
        due
    }
}

/// Allocates the input, and as much output as the remaining amounts allow. Fails with the kind of
/// which too little remains.
fn allocate_from(
    remaining: impl Fn(QuotaKind) -> Option<u64>,
    request: AllocationRequest,
) -> Result<Allocation, QuotaKind> {
    if remaining(QuotaKind::Messages) == Some(0) {
        return Err(QuotaKind::Messages);
    }
    let answers = u64::from(request.answers.max(1));
    let tokens_in = Tokens::new(request.tokens_in.get().min(MAX_CALL_AMOUNT));
    let mut tokens_out = request.tokens_out.get().clamp(1, MAX_CALL_AMOUNT / answers);
    if let Some(left) = remaining(QuotaKind::Tokens) {
        tokens_out = tokens_out.min(left.saturating_sub(tokens_in.get()) / answers);
    }
    if tokens_out == 0 {
        return Err(QuotaKind::Tokens);
    }
    if let Some(left) = remaining(QuotaKind::MicroDollars) {
        let affordable = request
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
    Ok(Allocation {
        reserved: Amounts {
            messages: 1,
            tokens: tokens_in.plus(all_out),
            micro_dollars: request.price.cost(tokens_in, all_out),
        },
        tokens_out: Tokens::new(tokens_out),
    })
}

/// The accounts of all months.
#[derive(Debug, Clone, Default)]
pub(super) struct QuotaManager {
    accounts: BTreeMap<Period, Account>,
    current: Period,
    ends_at: Timestamp,
}

impl QuotaManager {
    /// The current month. `now` is monotonic, hence also the month.
    pub(super) fn current(&mut self, now: Timestamp) -> Period {
        if now >= self.ends_at {
            self.current = self.current.max(Period::of(now));
            self.ends_at = self.current.ends_at();
        }
        self.current
    }

    /// The account of a month, created if missing.
    pub(super) fn account(&mut self, period: Period) -> &mut Account {
        self.accounts.entry(period).or_default()
    }

    /// The account of a month.
    pub(super) fn get(&self, period: Period) -> Option<&Account> {
        self.accounts.get(&period)
    }

    /// All accounts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Period, &Account)> {
        self.accounts
            .iter()
            .map(|(period, account)| (*period, account))
    }

    /// The latest month with an account.
    pub(super) fn last(&self) -> Option<Period> {
        self.accounts.keys().next_back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Price = Price {
        input: MicroDollars::ZERO,
        output: MicroDollars::ZERO,
    };

    fn request(tokens_in: u64, tokens_out: u64, answers: u32, price: Price) -> AllocationRequest {
        AllocationRequest {
            tokens_in: Tokens::new(tokens_in),
            tokens_out: Tokens::new(tokens_out),
            answers,
            price,
        }
    }

    fn used_up(kind: QuotaKind) -> Result<Allocation, Shortage> {
        let is_used_up = true;
        Err(Shortage { kind, is_used_up })
    }

    fn tokens(limit: u64) -> Quotas {
        Quotas {
            tokens_per_month: Some(Tokens::new(limit)),
            ..Quotas::UNLIMITED
        }
    }

    #[test]
    fn output_is_capped_by_the_remaining_tokens() {
        let account = Account::default();
        let all = account.allocate(&tokens(100), request(40, 1000, 1, FREE), &Amounts::ZERO);
        assert_eq!(all.map(|allocation| allocation.tokens_out.get()), Ok(60));
        let three = account.allocate(&tokens(100), request(40, 1000, 3, FREE), &Amounts::ZERO);
        let three = three.expect("fits");
        assert_eq!(
            (three.tokens_out.get(), three.reserved.tokens.get()),
            (20, 100)
        );
        let none = account.allocate(&tokens(100), request(100, 1000, 1, FREE), &Amounts::ZERO);
        assert_eq!(none, used_up(QuotaKind::Tokens));
    }

    #[test]
    fn output_is_capped_by_the_remaining_budget() {
        let price = Price {
            input: MicroDollars::new(1_000_000),
            output: MicroDollars::new(2_000_000),
        };
        let quotas = Quotas {
            micro_dollars_per_month: Some(MicroDollars::new(100)),
            ..Quotas::UNLIMITED
        };
        let account = Account::default();
        let allocation = account
            .allocate(&quotas, request(20, 1000, 2, price), &Amounts::ZERO)
            .expect("fits");
        assert_eq!(
            (
                allocation.tokens_out.get(),
                allocation.reserved.micro_dollars.get()
            ),
            (20, 100)
        );
        let expensive = account.allocate(&quotas, request(101, 1, 1, price), &Amounts::ZERO);
        assert_eq!(expensive, used_up(QuotaKind::MicroDollars));
    }

    #[test]
    fn a_zero_quota_rejects_and_the_largest_does_not_overflow() {
        let account = Account::default();
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
                account.allocate(&quotas, request(0, 1, 1, FREE), &Amounts::ZERO),
                used_up(kind)
            );
        }
        let extreme = request(u64::MAX, u64::MAX, u32::MAX, FREE);
        let allocation = account
            .allocate(&tokens(u64::MAX), extreme, &Amounts::ZERO)
            .expect("fits");
        assert!(allocation.reserved.tokens.get() <= 2 * MAX_CALL_AMOUNT);
    }

    #[test]
    fn a_quota_lowered_below_the_usage_rejects() {
        let mut account = Account::default();
        account.closed.settled.tokens = Tokens::new(500);
        let result = account.allocate(&tokens(100), request(1, 1, 1, FREE), &Amounts::ZERO);
        assert_eq!(result, used_up(QuotaKind::Tokens));
    }

    #[test]
    fn a_quota_that_running_calls_have_reserved_is_not_used_up() {
        let mut account = Account::default();
        account.closed.settled.tokens = Tokens::new(50);
        account.open.tokens = Tokens::new(45);
        for (tokens_in, is_used_up) in [(5, false), (49, false), (50, true)] {
            let request = request(tokens_in, 1, 1, FREE);
            let result = account.allocate(&tokens(100), request, &Amounts::ZERO);
            let kind = QuotaKind::Tokens;
            assert_eq!(result, Err(Shortage { kind, is_used_up }), "{tokens_in}");
        }
    }

    #[test]
    fn each_warning_is_returned_once() {
        let mut account = Account::default();
        account.closed.settled.tokens = Tokens::new(79);
        assert!(account.take_warnings(&tokens(100)).is_empty());
        account.closed.settled.tokens = Tokens::new(80);
        assert_eq!(
            account.take_warnings(&tokens(100)),
            [(QuotaKind::Tokens, 80, 80, 100)]
        );
        account.closed.excess.tokens = Tokens::new(40);
        assert_eq!(
            account.take_warnings(&tokens(100)),
            [(QuotaKind::Tokens, 100, 120, 100)]
        );
        assert!(account.take_warnings(&tokens(100)).is_empty());
    }

    #[test]
    fn a_tally_splits_reserved_and_used_amounts() {
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
