//! Admission: may a request pass, may a call begin, may it have more?

use super::buckets::EndpointClass;
use super::lanes::Waiter;
use super::machine::{Effects, Machine};
use super::output::{Denial, DenialReason, Grant, LedgerAnswer, QuotaUse, Stale};
use super::quotas::{Amounts, Ask, QuotaKind};
use super::reservations::Reservation;
use super::rows::RowKey;
use super::{
    Admit, CallerVersions, Event, Extend, LANE_WAIT, LedgerConfig, PARKED_GRACE, Pass, Period,
};
use crate::ids::{KeyId, RequestId};
use crate::money::Tokens;
use crate::time::{Millis, Timestamp};

/// When to ask again where the time depends on when a running call ends: small, so that SDKs wait
/// and do not give up.
const RETRY_AFTER_RUNNING: Millis = Millis::from_secs(1);
/// When to ask again for a session that waits for D1.
const RETRY_AFTER_UNAVAILABLE: Millis = Millis::from_secs(5);

/// A refusal without further detail.
pub(super) fn denied(reason: DenialReason, retry_after: Option<Millis>) -> LedgerAnswer {
    LedgerAnswer::Denied(Denial {
        reason,
        retry_after,
        quota: None,
    })
}

/// A refusal because the session is still in use.
pub(super) fn session_busy() -> LedgerAnswer {
    denied(DenialReason::SessionBusy, Some(RETRY_AFTER_RUNNING))
}

impl Machine {
    /// A request that costs nothing: rate limits only, nothing is written.
    pub(super) fn pass(
        &mut self,
        now: Timestamp,
        pass: Pass,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        let Pass { mut caller, class } = pass;
        let answer = match self
            .gate(&mut caller)
            .and_then(|()| self.rate(now, &caller, class))
        {
            Ok(()) => {
                self.limiter.take(&caller.key_id, class);
                self.uses.note(&caller.key_id, now);
                LedgerAnswer::Passed
            }
            Err(refusal) => refusal,
        };
        effects.headers = self.headers(now, &caller.key_id, class);
        answer
    }

    /// A model call: records, rate, quota, lane, concurrency, in this order; the first that refuses
    /// answers, and a refused call takes nothing from any bucket.
    pub(super) fn admit(
        &mut self,
        now: Timestamp,
        mut admit: Box<Admit>,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        let (key, class) = (admit.caller.key_id.clone(), admit.class);
        let answer = self.repeated(&admit.request_id).unwrap_or_else(|| {
            let open = self.gate(&mut admit.caller);
            match open.and_then(|()| self.rate(now, &admit.caller, class)) {
                Ok(()) => {
                    let answer = self.place(now, admit);
                    if matches!(
                        answer,
                        LedgerAnswer::Granted(_) | LedgerAnswer::Queued { .. }
                    ) {
                        self.limiter.take(&key, class);
                        self.uses.note(&key, now);
                    }
                    answer
                }
                Err(refusal) => refusal,
            }
        });
        effects.headers = self.headers(now, &key, class);
        answer
    }

    /// The answer to a request that was admitted, queued or closed before.
    fn repeated(&self, id: &RequestId) -> Option<LedgerAnswer> {
        if let Some(open) = self.reservations.get(id) {
            return Some(LedgerAnswer::Granted(self.grant_of(open)));
        }
        if let Some(until) = self.lanes.waits_until(id) {
            let until = self.clock.outside(until);
            return Some(LedgerAnswer::Queued { until });
        }
        let ended = self.outbox.has_ended(id);
        ended.then(|| denied(DenialReason::NotOpen, None))
    }

    /// Whether the tenant is served and the caller goes by the present records.
    pub(super) fn gate(&mut self, caller: &mut CallerVersions) -> Result<(), LedgerAnswer> {
        if let Some(config) = caller.config.take()
            && self.config.configure(*config)
        {
            self.changed.push(RowKey::Config);
        }
        let known = self.config.version();
        if known.is_none_or(|known| known < caller.config_version) {
            return Err(LedgerAnswer::Stale(Stale::Config { known }));
        }
        if self.config.is_closed() {
            return Err(denied(DenialReason::Suspended, None));
        }
        if known != Some(caller.config_version) {
            return Err(LedgerAnswer::Stale(Stale::Config { known }));
        }
        let key = self.keys.state(&caller.key_id);
        if key.revoked {
            return Err(denied(DenialReason::KeyRevoked, None));
        }
        if caller.key_version < key.version {
            let known = key.version;
            return Err(LedgerAnswer::Stale(Stale::Key { known }));
        }
        Ok(())
    }

    fn rate(
        &mut self,
        now: Timestamp,
        caller: &CallerVersions,
        class: EndpointClass,
    ) -> Result<(), LedgerAnswer> {
        let limits = self.config.limits();
        let checked = self.limiter.check(now, &limits, &caller.key_id, class);
        checked.map_err(|wait| denied(DenialReason::RateLimited, Some(wait)))
    }

    /// Quota, lane and concurrency: grants, queues or refuses.
    pub(super) fn place(&mut self, now: Timestamp, admit: Box<Admit>) -> LedgerAnswer {
        let lane = admit.session_id.as_ref().and_then(|id| self.lanes.get(id));
        let state = lane.and_then(|lane| lane.state);
        let history = state.map_or(Tokens::ZERO, |state| state.token_total);
        let wanted = admit.max_tokens_out.unwrap_or(admit.default_tokens_out);
        let ask = Ask {
            tokens_in: admit.tokens_in.plus(history),
            tokens_out: wanted,
            answers: admit.answers,
            price: admit.price,
        };
        let busy = lane.is_some_and(|lane| !lane.is_free());
        let stuck = lane.and_then(|lane| lane.parked_at);
        let period = self.quotas.current(now);
        let quotas = self.config.quotas();
        let allotted = self
            .quotas
            .books(period)
            .allot(&quotas, ask, &Amounts::ZERO);
        let allotment = match allotted {
            Ok(allotment) => allotment,
            Err(kind) => return self.used_up(period, kind),
        };
        if stuck.is_some_and(|since| now.since(since) >= PARKED_GRACE) {
            return denied(
                DenialReason::SessionUnavailable,
                Some(RETRY_AFTER_UNAVAILABLE),
            );
        }
        if busy {
            return self.queue(now, admit);
        }
        let running = u64::try_from(self.reservations.len()).unwrap_or(u64::MAX);
        if self
            .config
            .limits()
            .concurrent
            .is_some_and(|most| running >= most)
        {
            return denied(DenialReason::TooManyRunning, Some(RETRY_AFTER_RUNNING));
        }
        let admit = *admit;
        self.last_ticket = self.last_ticket.next(now);
        let reservation = Reservation {
            request_id: admit.request_id,
            ticket: self.last_ticket,
            key_id: admit.caller.key_id,
            class: admit.class,
            session_id: admit.session_id,
            model: admit.model,
            period,
            granted_at: now,
            reserved: allotment.reserved,
            tokens_in: ask.tokens_in,
            tokens_out: allotment.tokens_out,
            answers: ask.answers,
            price: ask.price,
            session_changed: false,
        };
        self.open(reservation)
    }

    fn open(&mut self, reservation: Reservation) -> LedgerAnswer {
        let books = self.quotas.books(reservation.period);
        books.granted = books.granted.plus(&reservation.reserved);
        books.open = books.open.plus(&reservation.reserved);
        if let Some(session) = &reservation.session_id {
            self.lanes.lane(session).holder = Some(reservation.request_id.clone());
        }
        self.changed
            .push(RowKey::Request(reservation.request_id.clone()));
        let grant = self.grant_of(&reservation);
        self.reservations.insert(reservation);
        LedgerAnswer::Granted(grant)
    }

    fn queue(&mut self, now: Timestamp, admit: Box<Admit>) -> LedgerAnswer {
        let Some(session) = admit.session_id.clone() else {
            return session_busy();
        };
        let until = now.plus(LANE_WAIT);
        if self.lanes.wait(&session, Waiter { admit, until }) {
            let until = self.clock.outside(until);
            return LedgerAnswer::Queued { until };
        }
        session_busy()
    }

    fn grant_of(&self, open: &Reservation) -> Grant {
        let lane = open.session_id.as_ref().and_then(|id| self.lanes.get(id));
        Grant {
            request_id: open.request_id.clone(),
            ticket: open.ticket,
            deadline: self.clock.outside(open.deadline()),
            reserved: open.reserved,
            max_tokens_out: open.tokens_out,
            session: lane.and_then(|lane| lane.state),
        }
    }

    fn used_up(&self, period: Period, kind: QuotaKind) -> LedgerAnswer {
        let limit = kind.limit(&self.config.quotas()).unwrap_or(u64::MAX);
        let books = self.quotas.get(period);
        LedgerAnswer::Denied(Denial {
            reason: DenialReason::QuotaUsedUp,
            retry_after: None,
            quota: Some(QuotaUse {
                kind,
                used: books.map_or(0, |books| books.closed.used().of(kind)),
                reserved: books.map_or(0, |books| books.open.of(kind)),
                limit,
                resets_at: self.clock.outside(period.ends_at()),
            }),
        })
    }

    /// More for a call that runs. What it has it keeps, whatever the answer.
    pub(super) fn extend(
        &mut self,
        now: Timestamp,
        extend: &Extend,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        let quotas = self.config.quotas();
        let open = self.reservations.get_mut(&extend.request_id);
        let Some(open) = open.filter(|open| open.ticket == extend.ticket) else {
            return denied(DenialReason::NotOpen, None);
        };
        let learnt = extend.session.filter(|_| !open.session_changed);
        if let (Some(session), Some(state)) = (&open.session_id, learnt) {
            self.lanes.learn(session, &extend.request_id, state, now);
            self.changed.push(RowKey::Session(session.clone()));
        }
        let wanted = extend.max_tokens_out.unwrap_or(open.tokens_out);
        let ask = Ask {
            tokens_in: extend.tokens_in.max(open.tokens_in),
            tokens_out: wanted.max(open.tokens_out),
            price: open.price.dearer(extend.price.unwrap_or_default()),
            ..open.ask()
        };
        let (period, key, class) = (open.period, open.key_id.clone(), open.class);
        let books = self.quotas.books(period);
        let answer = match books.allot(&quotas, ask, &open.reserved) {
            Ok(allotment) => {
                let reserved = allotment.reserved.max(&open.reserved);
                let more = reserved.minus(&open.reserved);
                books.granted = books.granted.plus(&more);
                books.open = books.open.plus(&more);
                open.reserved = reserved;
                open.tokens_in = ask.tokens_in;
                open.tokens_out = allotment.tokens_out;
                open.price = ask.price;
                self.changed
                    .push(RowKey::Request(extend.request_id.clone()));
                LedgerAnswer::Extended {
                    reserved,
                    max_tokens_out: allotment.tokens_out,
                }
            }
            Err(kind) => self.used_up(period, kind),
        };
        effects.headers = self.headers(now, &key, class);
        answer
    }

    /// A new configuration holds for every later input; calls that run keep what they have.
    pub(super) fn configure(
        &mut self,
        now: Timestamp,
        config: LedgerConfig,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        if self.config.configure(config) {
            self.changed.push(RowKey::Config);
            let period = self.quotas.current(now);
            self.warn(period, effects);
        }
        LedgerAnswer::Done
    }

    /// Gives the warnings that are due for a month.
    pub(super) fn warn(&mut self, period: Period, effects: &mut Effects) {
        let quotas = self.config.quotas();
        for (kind, percent, used, limit) in self.quotas.books(period).warnings(&quotas) {
            self.changed.push(RowKey::Books(period));
            effects.events.push(Event::QuotaWarning {
                period,
                kind,
                percent,
                used,
                limit,
            });
        }
    }

    /// The headers of a caller who is not asking now.
    pub(super) fn refresh(
        &mut self,
        now: Timestamp,
        key: &KeyId,
        class: EndpointClass,
        effects: &mut Effects,
    ) {
        effects.headers = self.headers(now, key, class);
    }
}
