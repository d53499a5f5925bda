//! The state of a ledger and its accessors.

use super::buckets::{EndpointClass, RateLimiter};
use super::clock::MonotonicClock;
use super::config::ConfigState;
use super::headers::{RateHeaders, Window};
use super::input::Ticket;
use super::key_usage::KeyUsage;
use super::lanes::Lanes;
use super::outbox::{Outbox, ParkedTurn, Receipt};
use super::output::{Event, Woken};
use super::period::Period;
use super::quotas::{Amounts, QuotaManager, Tally};
use super::reservations::Reservations;
use super::revocations::Revocations;
use super::rows::RowKey;
use super::storage::StorageAccount;
use crate::ids::{KeyId, RequestId, SessionId};
use crate::time::Timestamp;

/// The ledger of one tenant.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    pub(super) clock: MonotonicClock,
    pub(super) config: ConfigState,
    pub(super) keys: Revocations,
    pub(super) limiter: RateLimiter,
    pub(super) quotas: QuotaManager,
    pub(super) reservations: Reservations,
    pub(super) lanes: Lanes,
    pub(super) outbox: Outbox,
    pub(super) last_ticket: Ticket,
    pub(super) key_usage: KeyUsage,
    pub(super) storage: StorageAccount,
    /// Rows changed since the last [`Machine::take_writes`].
    pub(super) changed: Vec<RowKey>,
}

/// Effects of an input other than its answer.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) headers: RateHeaders,
    pub(super) events: Vec<Event>,
    pub(super) woken: Vec<Woken>,
}

/// The accounts of one month: `granted = closed.settled + closed.released + open`. The usage is
/// `closed.used()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Statement {
    /// Total of all reservations.
    pub granted: Amounts,
    /// Reserved by running calls.
    pub open: Amounts,
    /// Outcome of closed reservations.
    pub closed: Tally,
}

impl Machine {
    /// Wall-clock time of the next [`Input::Sweep`]; may be earlier than necessary, never later. A
    /// time in the past means that a sweep found calls that are not resolved yet: the runtime
    /// retries after a delay of its choice.
    pub fn next_sweep(&self) -> Option<Timestamp> {
        let first = self.reservations.earliest().into_iter();
        let earliest = first.chain(self.outbox.next_recheck()).min()?;
        Some(self.clock.to_wall_clock(earliest))
    }

    /// Whether a request waits for its session, runs, or is parked. With `session`, the request must
    /// belong to it.
    pub fn is_in_progress(&self, id: &RequestId, session: Option<&SessionId>) -> bool {
        let open = self.reservations.get(id);
        let parked = self.outbox.turn(id).map(|turn| &turn.session_id);
        let waiting = self.lanes.session_of_waiter(id);
        let found = open.map(|open| open.session_id.as_ref());
        let found = found.or(parked.map(Some)).or(waiting.map(Some));
        found.is_some_and(|found| session.is_none() || session == found)
    }

    /// Receipts not confirmed by D1, oldest first.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.outbox.receipts()
    }

    /// Parked turns not confirmed by D1, oldest first.
    pub fn parked_turns(&self) -> impl Iterator<Item = &ParkedTurn> {
        self.outbox.turns()
    }

    /// Last uses of keys not confirmed by D1.
    pub fn key_uses(&self) -> impl Iterator<Item = (&KeyId, Timestamp)> {
        self.key_usage.pending()
    }

    /// Marks uses as stored in D1.
    pub fn mark_key_uses_written(&mut self, uses: &[(KeyId, Timestamp)]) {
        self.key_usage.mark_written(uses);
    }

    /// Number of running calls.
    pub fn running(&self) -> usize {
        self.reservations.len()
    }

    /// The current month by the machine's time.
    pub fn period(&self) -> Period {
        let by_clock = Period::of(self.clock.time());
        self.quotas
            .last()
            .map_or(by_clock, |last| last.max(by_clock))
    }

    /// The accounts of a month.
    pub fn statement(&self, period: Period) -> Statement {
        self.quotas
            .get(period)
            .map_or_else(Statement::default, |account| Statement {
                granted: account.granted,
                open: account.open,
                closed: account.closed,
            })
    }

    /// Rate-limit headers of a response to this caller.
    pub(super) fn headers(
        &mut self,
        now: Timestamp,
        key: &KeyId,
        class: EndpointClass,
    ) -> RateHeaders {
        RateHeaders {
            requests: self.limiter.window(now, &self.config.limits(), key, class),
            tokens: self.token_window(now),
        }
    }

    fn token_window(&mut self, now: Timestamp) -> Option<Window> {
        let limit = self.config.quotas().tokens_per_month?.get();
        let period = self.quotas.current(now);
        let taken = self.quotas.get(period).map_or(0, |account| {
            account.closed.used().tokens.plus(account.open.tokens).get()
        });
        Some(Window {
            limit,
            remaining: limit.saturating_sub(taken),
            reset: period.ends_at().since(now),
        })
    }
}
