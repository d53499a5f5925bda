//! The storage quota: how much content of the tenant D1 holds.
//!
//! The ledger knows the amounts, so that a request is refused before its model is called. A turn adds
//! to them when it settles: the added amounts are part of its receipt, so that it needs no row of its
//! own. Other changes arrive with [`Forget`](super::Input::Forget). A count of D1, at most once
//! an hour, corrects what crashes have left wrong.

use serde::{Deserialize, Serialize};

use super::input::{StorageChange, StorageCount};
use super::outbox::Receipt;
use super::warnings::Warned;
use crate::limits::StorageLimits;
use crate::storage::{Storage, StorageKind};
use crate::time::{Millis, Timestamp};

/// How long a count is trusted while the content changes.
pub const RECOUNT_INTERVAL: Millis = Millis::from_secs(60 * 60);
/// The shortest time between two counts if the amounts are known to be wrong.
pub const MIN_RECOUNT_INTERVAL: Millis = Millis::from_secs(60);

/// Amounts that may be negative for a moment: a count may miss what a pending receipt adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Balance {
    sessions: i64,
    messages: i64,
    bytes: i64,
}

impl Balance {
    fn of(amounts: &Storage) -> Self {
        let signed = |amount| i64::try_from(amount).unwrap_or(i64::MAX);
        Self {
            sessions: signed(amounts.sessions),
            messages: signed(amounts.messages),
            bytes: signed(amounts.bytes),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            sessions: self.sessions.saturating_add(other.sessions),
            messages: self.messages.saturating_add(other.messages),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            sessions: self.sessions.saturating_sub(other.sessions),
            messages: self.messages.saturating_sub(other.messages),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    /// The larger of each amount.
    fn max(self, other: Self) -> Self {
        Self {
            sessions: self.sessions.max(other.sessions),
            messages: self.messages.max(other.messages),
            bytes: self.bytes.max(other.bytes),
        }
    }

    /// The amounts; negative ones count as zero.
    fn amounts(self) -> Storage {
        let unsigned = |amount| u64::try_from(amount).unwrap_or(0);
        Storage {
            sessions: unsigned(self.sessions),
            messages: unsigned(self.messages),
            bytes: unsigned(self.bytes),
        }
    }
}

/// The stored part of a [`StorageAccount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct StorageRow {
    /// Without what pending receipts add.
    balance: Balance,
    /// When D1 was last counted.
    counted_at: Option<Timestamp>,
    /// Whether the content has changed since.
    is_changed: bool,
    /// Warnings already sent.
    #[serde(default, skip_serializing_if = "is_empty")]
    warned: Warned,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_empty(warned: &Warned) -> bool {
    warned.is_empty()
}

/// The stored content of the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StorageAccount {
    row: StorageRow,
    /// Added by turns whose receipts D1 has not acknowledged.
    pending: Storage,
    /// Reserved by running turns.
    reserved: Storage,
    /// Whether the amounts are known to be wrong.
    is_urgent: bool,
    /// Whether the last count did not reach the end. A sooner one would not either.
    is_partial: bool,
}

impl StorageAccount {
    /// The stored amounts.
    pub(super) fn used(&self) -> Storage {
        let pending = Balance::of(&self.pending);
        self.row.balance.plus(pending).amounts()
    }

    /// Reserved by running turns.
    pub(super) const fn reserved(&self) -> Storage {
        self.reserved
    }

    /// Whether D1 was counted before.
    pub(super) const fn is_known(&self) -> bool {
        self.row.counted_at.is_some()
    }

    /// When D1 is to be counted next; a time in the past if it is due.
    pub(super) fn next_count(&self) -> Option<Timestamp> {
        match self.row.counted_at {
            None => (self.row.is_changed || self.is_urgent).then(Timestamp::default),
            Some(at) if self.is_urgent && !self.is_partial => Some(at.plus(MIN_RECOUNT_INTERVAL)),
            Some(at) => {
                let is_due = self.row.is_changed || self.is_urgent;
                is_due.then(|| at.plus(RECOUNT_INTERVAL))
            }
        }
    }

    /// The row, unless there is nothing to store.
    pub(super) fn row(&self) -> Option<StorageRow> {
        (self.row != StorageRow::default()).then_some(self.row)
    }

    pub(super) fn restore(&mut self, row: StorageRow) {
        self.row = row;
    }

    pub(super) fn reserve(&mut self, amounts: &Storage) {
        self.reserved = self.reserved.plus(amounts);
    }

    pub(super) fn release(&mut self, amounts: &Storage) {
        self.reserved = self.reserved.minus(amounts);
    }

    /// Adds what a receipt's turn has stored; `replaced` is the pending receipt that it replaces.
    pub(super) fn add_pending(&mut self, receipt: &Receipt, replaced: Option<&Receipt>) {
        let before = replaced.map_or(Storage::ZERO, |replaced| replaced.stored);
        self.pending = self.pending.minus(&before).plus(&receipt.stored);
        self.row.is_changed |= receipt.stored != before;
    }

    /// Moves what an acknowledged receipt's turn has stored into the row. Returns whether the row
    /// has changed.
    pub(super) fn acknowledge(&mut self, receipt: &Receipt) -> bool {
        self.pending = self.pending.minus(&receipt.stored);
        self.row.balance = self.row.balance.plus(Balance::of(&receipt.stored));
        receipt.stored != Storage::ZERO
    }

    /// Notes that the amounts are wrong: D1 has to be counted soon.
    pub(super) fn request_count(&mut self) {
        self.is_urgent = true;
    }

    /// Applies a change outside of turns.
    pub(super) fn change(&mut self, change: &StorageChange) {
        let (added, removed) = (Balance::of(&change.added), Balance::of(&change.removed));
        self.row.balance = self.row.balance.plus(added).minus(removed);
        self.row.is_changed = true;
    }

    /// Sets the amounts to what was counted, and to what has changed since the count began. An
    /// incomplete count may only raise them.
    pub(super) fn set(&mut self, now: Timestamp, count: &StorageCount) {
        let known = Balance::of(&self.used());
        let since = known.minus(Balance::of(&count.before));
        let counted = Balance::of(&count.counted).plus(since);
        let used = if count.is_complete {
            counted
        } else {
            counted.max(known)
        };
        self.row = StorageRow {
            balance: used.minus(Balance::of(&self.pending)),
            counted_at: Some(now),
            // A turn that runs now may have been counted, and is added again when it settles.
            is_changed: since != Balance::default() || self.reserved != Storage::ZERO,
            warned: self.row.warned,
        };
        self.is_urgent = false;
        self.is_partial = !count.is_complete;
    }

    /// Marks the warnings that are due as sent and returns them: kind, percentage, usage, limit.
    /// Also returns whether the row has changed.
    pub(super) fn take_warnings(
        &mut self,
        limits: &StorageLimits,
    ) -> (Vec<(StorageKind, u8, u64, u64)>, bool) {
        let (used, before) = (self.used(), self.row.warned);
        let warned = &mut self.row.warned;
        let mut due = Vec::new();
        for (at, kind) in StorageKind::ALL.into_iter().enumerate() {
            let (used, limit) = (used.of(kind), kind.limit(limits));
            warned.rearm(at, used, limit);
            let Some(limit) = limit else { continue };
            let percents = warned.take(at, used, limit).into_iter();
            due.extend(percents.map(|percent| (kind, percent, used, limit)));
        }
        (due, self.row.warned != before)
    }

    /// Why the content may not grow by `added`, if it may not: the kind, and whether it is used up
    /// even without the reservations of running turns.
    pub(super) fn shortage(
        &self,
        limits: &StorageLimits,
        added: &Storage,
    ) -> Option<(StorageKind, bool)> {
        let used = self.used().plus(added);
        let exceeds = |amounts: &Storage, kind: StorageKind| {
            let limit = kind.limit(limits);
            added.of(kind) > 0 && limit.is_some_and(|limit| amounts.of(kind) > limit)
        };
        let reserved = used.plus(&self.reserved);
        let find = |amounts: &Storage| {
            let mut kinds = StorageKind::ALL.into_iter();
            kinds.find(|kind| exceeds(amounts, *kind))
        };
        let used_up = find(&used).map(|kind| (kind, true));
        used_up.or_else(|| find(&reserved).map(|kind| (kind, false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(sessions: u64, messages: u64, bytes: u64) -> Storage {
        Storage {
            sessions,
            messages,
            bytes,
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn count(before: Storage, counted: Storage) -> StorageCount {
        StorageCount {
            before,
            counted,
            is_complete: true,
        }
    }

    #[test]
    fn a_count_keeps_what_changed_while_it_ran() {
        let mut account = StorageAccount::default();
        account.change(&StorageChange::adding(amounts(1, 4, 100)));
        let before = account.used();
        account.change(&StorageChange::adding(amounts(1, 0, 10)));
        account.change(&StorageChange::removing(amounts(0, 1, 30)));
        account.set(at(5), &count(before, amounts(3, 6, 200)));
        assert_eq!(account.used(), amounts(4, 5, 180));
        assert_eq!(account.next_count(), Some(at(5).plus(RECOUNT_INTERVAL)));
        let now = account.used();
        account.set(at(9), &count(now, amounts(2, 2, 20)));
        assert_eq!(
            (account.used(), account.next_count()),
            (amounts(2, 2, 20), None)
        );
    }

    #[test]
    fn amounts_known_to_be_wrong_are_counted_soon_but_not_all_the_time() {
        let mut account = StorageAccount::default();
        assert_eq!((account.is_known(), account.next_count()), (false, None));
        account.request_count();
        assert_eq!(account.next_count(), Some(Timestamp::default()));
        account.set(at(7), &count(Storage::ZERO, amounts(1, 1, 1)));
        assert_eq!(account.next_count(), None);
        account.request_count();
        assert_eq!(account.next_count(), Some(at(7).plus(MIN_RECOUNT_INTERVAL)));
    }

    #[test]
    fn an_incomplete_count_lowers_no_amount_and_is_not_repeated_before_the_regular_time() {
        let mut account = StorageAccount::default();
        account.change(&StorageChange::adding(amounts(5, 40, 900)));
        let before = account.used();
        account.change(&StorageChange::adding(amounts(1, 2, 50)));
        let incomplete = |before, counted| StorageCount {
            is_complete: false,
            ..count(before, counted)
        };
        account.set(at(5), &incomplete(before, amounts(7, 20, 300)));
        assert_eq!(account.used(), amounts(8, 42, 950));
        let regular = Some(at(5).plus(RECOUNT_INTERVAL));
        assert_eq!(account.next_count(), regular);
        account.request_count();
        assert_eq!(account.next_count(), regular);
        let used = account.used();
        account.set(at(6), &incomplete(used, amounts(7, 20, 300)));
        assert_eq!((account.used(), account.next_count()), (used, None));
        account.request_count();
        let regular = Some(at(6).plus(RECOUNT_INTERVAL));
        assert_eq!(account.next_count(), regular);
        account.set(at(7), &count(used, amounts(7, 20, 300)));
        assert_eq!(account.used(), amounts(7, 20, 300));
        account.request_count();
        assert_eq!(account.next_count(), Some(at(7).plus(MIN_RECOUNT_INTERVAL)));
    }

    #[test]
    fn a_shortage_names_the_kind_and_whether_it_is_used_up() {
        let mut account = StorageAccount::default();
        let limits = StorageLimits {
            sessions: Some(2),
            messages: None,
            bytes: Some(100),
        };
        account.change(&StorageChange::adding(amounts(2, 9, 60)));
        account.reserve(&amounts(0, 2, 30));
        let shortage = |added| account.shortage(&limits, &added);
        assert_eq!(shortage(amounts(0, 1000, 10)), None);
        assert_eq!(
            shortage(amounts(0, 0, 11)),
            Some((StorageKind::Bytes, false))
        );
        assert_eq!(
            shortage(amounts(0, 0, 41)),
            Some((StorageKind::Bytes, true))
        );
        assert_eq!(
            shortage(amounts(1, 0, 41)),
            Some((StorageKind::Sessions, true))
        );
        // A limit below the usage refuses only what adds to it.
        let lower = StorageLimits {
            bytes: Some(10),
            ..limits
        };
        assert_eq!(account.shortage(&lower, &amounts(0, 1, 0)), None);
    }
}
