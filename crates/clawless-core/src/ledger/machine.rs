//! The machine: the parts put together, and one door into them.

use super::buckets::{EndpointClass, RateLimiter};
use super::clock::SteadyClock;
use super::config::ConfigState;
use super::headers::{RateHeaders, Window};
use super::input::Ticket;
use super::lanes::Lanes;
use super::outbox::{Outbox, ParkedTurn, Receipt};
use super::quotas::{Amounts, QuotaManager, Tally};
use super::reservations::Reservations;
use super::revocations::Revocations;
use super::rows::RowKey;
use super::uses::Uses;
use super::{Event, Input, LedgerAnswer, Output, Period, Woken};
use crate::ids::{KeyId, RequestId, SessionId};
use crate::time::Timestamp;

/// The ledger of one tenant.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    pub(super) clock: SteadyClock,
    pub(super) config: ConfigState,
    pub(super) keys: Revocations,
    pub(super) limiter: RateLimiter,
    pub(super) quotas: QuotaManager,
    pub(super) reservations: Reservations,
    pub(super) lanes: Lanes,
    pub(super) outbox: Outbox,
    pub(super) last_ticket: Ticket,
    pub(super) uses: Uses,
    /// The rows that changed since the last [`Machine::take_writes`].
    pub(super) changed: Vec<RowKey>,
}

/// What comes of an input beside its answer.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) headers: RateHeaders,
    pub(super) events: Vec<Event>,
    pub(super) woken: Vec<Woken>,
}

/// The books of one month, as [`Machine::statement`] shows them:
/// `granted = closed.settled + closed.released + open`, and used is `closed.used()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Statement {
    /// All that was reserved.
    pub granted: Amounts,
    /// What running calls hold.
    pub open: Amounts,
    /// What became of the rest.
    pub closed: Tally,
}

impl Machine {
    /// Takes one input at the time `now`, which may be any: the machine's own time never runs
    /// backwards.
    pub fn apply(&mut self, now: Timestamp, input: Input) -> Output {
        let now = self.clock.observe(now);
        let mut effects = Effects::default();
        let answer = match input {
            Input::Pass(pass) => self.pass(now, pass, &mut effects),
            Input::Admit(admit) => self.admit(now, admit, &mut effects),
            Input::Extend(extend) => self.extend(now, &extend, &mut effects),
            Input::Cancel { request_id } => self.cancel(&request_id),
            Input::Settle(settle) => LedgerAnswer::Closed(self.settle(now, *settle, &mut effects)),
            Input::Park(park) => self.park(now, *park, &mut effects),
            Input::Release { request_id } => {
                LedgerAnswer::Closed(self.release(now, &request_id, &mut effects))
            }
            Input::Await {
                request_id,
                session_id,
            } => {
                if self.is_under_way(&request_id, session_id.as_ref()) {
                    LedgerAnswer::UnderWay
                } else {
                    LedgerAnswer::Done
                }
            }
            Input::Sweep => self.sweep(now, &mut effects),
            Input::Resolve(resolve) => {
                LedgerAnswer::Closed(self.resolve(now, *resolve, &mut effects))
            }
            Input::Configure(config) => self.configure(now, config, &mut effects),
            Input::Suspend => {
                if !std::mem::replace(&mut self.config.suspended, true) {
                    self.changed.push(RowKey::Config);
                }
                LedgerAnswer::Done
            }
            Input::Revoke { key_id } => {
                if self.keys.revoke(key_id.clone()) {
                    self.changed.push(RowKey::Key(key_id));
                }
                LedgerAnswer::Done
            }
            Input::ReviseKey { key_id, version } => {
                if self.keys.revise(key_id.clone(), version) {
                    self.changed.push(RowKey::Key(key_id));
                }
                LedgerAnswer::Done
            }
            Input::Forget { session_id } => {
                self.forget(session_id);
                LedgerAnswer::Done
            }
            Input::AckReceipts(keys) => self.ack_receipts(&keys),
            Input::AckTurn { request_id, stored } => {
                self.ack_turn(now, &request_id, stored, &mut effects)
            }
        };
        Output {
            answer,
            headers: effects.headers,
            events: effects.events,
            woken: effects.woken,
        }
    }

    /// When the next [`Input::Sweep`] is due, by the outer clock. It may come too early, never too
    /// late. Where it lies in the past, a sweep found calls that have not been resolved yet: try
    /// again after a pause of the shell's choice.
    pub fn next_sweep(&self) -> Option<Timestamp> {
        let first = self.reservations.earliest().into_iter();
        let earliest = first.chain(self.outbox.second_look()).min()?;
        Some(self.clock.outside(earliest))
    }

    /// Whether a request waits for its session, runs, or is parked; of this session where one is
    /// named.
    pub fn is_under_way(&self, id: &RequestId, session: Option<&SessionId>) -> bool {
        let open = self.reservations.get(id);
        let parked = self.outbox.turn(id).map(|turn| &turn.session_id);
        let waiting = self.lanes.waits_for(id);
        let found = open.map(|open| open.session_id.as_ref());
        let found = found.or(parked.map(Some)).or(waiting.map(Some));
        found.is_some_and(|found| session.is_none() || session == found)
    }

    /// The receipts that D1 is not known to have, oldest first.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.outbox.receipts()
    }

    /// The turns that D1 is not known to have, oldest first.
    pub fn parked_turns(&self) -> impl Iterator<Item = &ParkedTurn> {
        self.outbox.turns()
    }

    /// When keys were last used, as far as D1 is not known to know it.
    pub fn uses(&self) -> impl Iterator<Item = (&KeyId, Timestamp)> {
        self.uses.fresh()
    }

    /// Notes that D1 knows these uses.
    pub fn uses_are_written(&mut self, uses: &[(KeyId, Timestamp)]) {
        self.uses.written(uses);
    }

    /// How many calls are running.
    pub fn running(&self) -> usize {
        self.reservations.len()
    }

    /// The present month by the machine's time.
    pub fn period(&self) -> Period {
        let by_clock = Period::of(self.clock.time());
        self.quotas
            .last()
            .map_or(by_clock, |last| last.max(by_clock))
    }

    /// The books of a month.
    pub fn statement(&self, period: Period) -> Statement {
        self.quotas
            .get(period)
            .map_or_else(Statement::default, |books| Statement {
                granted: books.granted,
                open: books.open,
                closed: books.closed,
            })
    }

    /// What the headers of a response to this caller say.
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
        let taken = self.quotas.get(period).map_or(0, |books| {
            books.closed.used().tokens.plus(books.open.tokens).get()
        });
        Some(Window {
            limit,
            remaining: limit.saturating_sub(taken),
            reset: period.ends_at().since(now),
        })
    }
}
