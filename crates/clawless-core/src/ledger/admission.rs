//! Admission: rate checks, new reservations and extensions of running calls.

use super::buckets::{EndpointClass, RateExceeded};
use super::config::{Configured, LedgerConfig};
use super::constants::{LANE_WAIT_TIMEOUT, PARKED_GRACE};
use super::input::{Admit, CallerVersions, Extend, Pass, Ticket};
use super::lanes::Waiter;
use super::machine::{Effects, Machine};
use super::output::{Denial, DenialReason, Event, Grant, LedgerAnswer, QuotaUse, Stale};
use super::period::Period;
use super::quotas::{AllocationRequest, Amounts, Shortage};
use super::reservations::Reservation;
use super::rows::RowKey;
use crate::ids::{KeyId, RequestId};
use crate::money::Tokens;
use crate::storage::Storage;
use crate::time::{Millis, Timestamp};

/// Retry delay when the wait depends on a running call. Short, so that SDKs retry.
const RETRY_AFTER_RUNNING: Millis = Millis::from_secs(1);
/// The longest retry delay if running calls have reserved a quota. Most calls end earlier.
const MAX_RETRY_AFTER_RESERVED: Millis = Millis::from_secs(10);
/// Retry delay for a session with a parked turn.
const RETRY_AFTER_UNAVAILABLE: Millis = Millis::from_secs(5);

/// A denial without details.
pub(super) fn denied(reason: DenialReason, retry_after: Option<Millis>) -> LedgerAnswer {
    LedgerAnswer::Denied(Denial {
        reason,
        retry_after,
        quota: None,
        storage: None,
        of_key: false,
    })
}

/// A denial by a rate or concurrency limit: of the key alone, or of the tenant.
fn limited(reason: DenialReason, wait: Millis, of_key: bool) -> LedgerAnswer {
    LedgerAnswer::Denied(Denial {
        reason,
        retry_after: Some(wait),
        quota: None,
        storage: None,
        of_key,
    })
}

/// A denial because the session is in use.
pub(super) fn session_busy() -> LedgerAnswer {
    denied(DenialReason::SessionBusy, Some(RETRY_AFTER_RUNNING))
}

impl Machine {
    /// Rate-limits a request that has no cost. Writes nothing.
    pub(super) fn check_rate(
        &mut self,
        now: Timestamp,
        pass: Pass,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        let Pass { mut caller, class } = pass;
        let answer = match self
            .check_caller(&mut caller)
            .and_then(|()| self.check_buckets(now, &caller, class))
        {
            Ok(()) => {
                self.limiter.consume(&caller.key_id, class);
                self.key_usage.record(&caller.key_id, now);
                LedgerAnswer::Passed
            }
            Err(denial) => denial,
        };
        effects.headers = self.headers(now, &caller.key_id, class);
        answer
    }

    /// Admits a model call. Checks record versions, rate, quota, lane and concurrency, in this order;
    /// the first failure is the answer. A denied call consumes nothing from any bucket.
    pub(super) fn admit(
        &mut self,
        now: Timestamp,
        mut admit: Box<Admit>,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        let (key, class) = (admit.caller.key_id.clone(), admit.class);
        let answer = self.previous_answer(&admit.request_id).unwrap_or_else(|| {
            let checked = self.check_caller(&mut admit.caller);
            match checked.and_then(|()| self.check_buckets(now, &admit.caller, class)) {
                Ok(()) => {
                    let answer = self.reserve(now, admit);
                    if matches!(
                        answer,
                        LedgerAnswer::Granted(_) | LedgerAnswer::Queued { .. }
                    ) {
                        self.limiter.consume(&key, class);
                        self.key_usage.record(&key, now);
                    }
                    answer
                }
                Err(denial) => denial,
            }
        });
        effects.headers = self.headers(now, &key, class);
        answer
    }

    /// The answer to a repeated request that was admitted, queued or closed before.
    fn previous_answer(&self, id: &RequestId) -> Option<LedgerAnswer> {
        if let Some(open) = self.reservations.get(id) {
            return Some(LedgerAnswer::Granted(self.grant_of(open)));
        }
        if let Some(until) = self.lanes.wait_deadline(id) {
            let until = self.clock.to_wall_clock(until);
            return Some(LedgerAnswer::Queued { until });
        }
        let ended = self.outbox.has_ended(id);
        ended.then(|| denied(DenialReason::NotOpen, None))
    }

    /// Checks that the tenant is active and that the caller used current records.
    pub(super) fn check_caller(&mut self, caller: &mut CallerVersions) -> Result<(), LedgerAnswer> {
        if let Some(config) = caller.config.take() {
            self.apply_config(*config);
        }
        let known = self.config.version();
        if known.is_none_or(|known| known < caller.config_version) {
            return Err(LedgerAnswer::Stale(Stale::Config { known }));
        }
        if self.config.is_suspended() {
            return Err(denied(DenialReason::Suspended, None));
        }
        if known != Some(caller.config_version) || self.config.is_incomplete() {
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

    fn check_buckets(
        &mut self,
        now: Timestamp,
        caller: &CallerVersions,
        class: EndpointClass,
    ) -> Result<(), LedgerAnswer> {
        let limits = self.config.limits();
        let key = (&caller.key_id, &caller.key_limits);
        let checked = self.limiter.check(now, &limits, key, class);
        checked.map_err(|RateExceeded { wait, of_key }| {
            limited(DenialReason::RateLimited, wait, of_key)
        })
    }

    /// Checks quota, lane and concurrency: grants, queues or denies.
    pub(super) fn reserve(&mut self, now: Timestamp, admit: Box<Admit>) -> LedgerAnswer {
        let lane = admit.session_id.as_ref().and_then(|id| self.lanes.get(id));
        let state = lane.and_then(|lane| lane.state);
        let history = state.map_or(Tokens::ZERO, |state| state.token_total);
        let requested = admit.max_tokens_out.unwrap_or(admit.default_tokens_out);
        let request = AllocationRequest {
            tokens_in: admit.tokens_in.plus(history),
            tokens_out: requested,
            answers: admit.answers,
            price: admit.price,
        };
        let busy = lane.is_some_and(|lane| !lane.is_free());
        let parked_at = lane.and_then(|lane| lane.parked_at);
        let period = self.quotas.current(now);
        let quotas = self.config.quotas();
        let account = self.quotas.account(period);
        let allocation = match account.allocate(&quotas, request, &Amounts::ZERO) {
            Ok(allocation) => allocation,
            Err(shortage) => return self.quota_denial(now, period, shortage),
        };
        if let Err(denial) = self.check_storage(&admit.storage) {
            return denial;
        }
        if parked_at.is_some_and(|since| now.since(since) >= PARKED_GRACE) {
            return denied(
                DenialReason::SessionUnavailable,
                Some(RETRY_AFTER_UNAVAILABLE),
            );
        }
        if busy {
            return self.enqueue(now, admit);
        }
        let running = u64::try_from(self.reservations.len()).unwrap_or(u64::MAX);
        if self
            .config
            .limits()
            .concurrent
            .is_some_and(|limit| running >= limit)
        {
            return denied(DenialReason::TooManyRunning, Some(RETRY_AFTER_RUNNING));
        }
        if let Some(limit) = admit.caller.key_limits.concurrent
            && self.reservations.count_of_key(&admit.caller.key_id) >= limit
        {
            let reason = DenialReason::TooManyRunning;
            return limited(reason, RETRY_AFTER_RUNNING, true);
        }
        let all = AllocationRequest {
            tokens_out: Tokens::new(u64::MAX),
            ..request
        };
        let account = self.quotas.account(period);
        let affordable = account.allocate(&quotas, all, &Amounts::ZERO);
        let affordable = affordable.ok().map(|all| all.tokens_out);
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
            renewed_at: Some(now),
            reserved: allocation.reserved,
            tokens_in: request.tokens_in,
            tokens_out: allocation.tokens_out,
            answers: request.answers,
            price: request.price,
            storage: admit.storage,
            session_changed: false,
        };
        let grant = self.open_reservation(reservation);
        LedgerAnswer::Granted(Grant {
            affordable_out: affordable,
            ..grant
        })
    }

    fn open_reservation(&mut self, reservation: Reservation) -> Grant {
        let account = self.quotas.account(reservation.period);
        account.granted = account.granted.plus(&reservation.reserved);
        account.open = account.open.plus(&reservation.reserved);
        self.storage.reserve(&reservation.storage);
        if let Some(session) = &reservation.session_id {
            self.lanes.lane(session).holder = Some(reservation.request_id.clone());
        }
        self.changed
            .push(RowKey::Request(reservation.request_id.clone()));
        let grant = self.grant_of(&reservation);
        self.reservations.insert(reservation);
        grant
    }

    fn enqueue(&mut self, now: Timestamp, admit: Box<Admit>) -> LedgerAnswer {
        let Some(session) = admit.session_id.clone() else {
            return session_busy();
        };
        let until = now.plus(LANE_WAIT_TIMEOUT);
        if self.lanes.enqueue(&session, Waiter { admit, until }) {
            let until = self.clock.to_wall_clock(until);
            return LedgerAnswer::Queued { until };
        }
        session_busy()
    }

    fn grant_of(&self, open: &Reservation) -> Grant {
        let lane = open.session_id.as_ref().and_then(|id| self.lanes.get(id));
        Grant {
            request_id: open.request_id.clone(),
            ticket: open.ticket,
            deadline: self.clock.to_wall_clock(open.end()),
            reserved: open.reserved,
            max_tokens_out: open.tokens_out,
            affordable_out: None,
            session: lane.and_then(|lane| lane.state),
        }
    }

    fn quota_denial(&self, now: Timestamp, period: Period, shortage: Shortage) -> LedgerAnswer {
        let Shortage { kind, is_used_up } = shortage;
        let (reason, retry_after) = if is_used_up {
            (DenialReason::QuotaUsedUp, None)
        } else {
            // A running call may end at any time; a lost one ends at its deadline.
            let end = self.reservations.earliest().unwrap_or(now).since(now);
            let wait = end.clamp(RETRY_AFTER_RUNNING, MAX_RETRY_AFTER_RESERVED);
            (DenialReason::QuotaReserved, Some(wait))
        };
        let limit = kind.limit(&self.config.quotas()).unwrap_or(u64::MAX);
        let account = self.quotas.get(period);
        LedgerAnswer::Denied(Denial {
            reason,
            retry_after,
            quota: Some(QuotaUse {
                kind,
                used: account.map_or(0, |account| account.closed.used().of(kind)),
                reserved: account.map_or(0, |account| account.open.of(kind)),
                limit,
                resets_at: self.clock.to_wall_clock(period.ends_at()),
            }),
            of_key: false,
            storage: None,
        })
    }

    /// Extends the reservation of a running call. A denial leaves the reservation unchanged.
    pub(super) fn extend(
        &mut self,
        now: Timestamp,
        extend: &Extend,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        if let Err(denial) = self.reserve_new_session(extend) {
            return denial;
        }
        let quotas = self.config.quotas();
        let open = self.reservations.get_mut(&extend.request_id);
        let Some(open) = open.filter(|open| open.ticket == extend.ticket) else {
            return denied(DenialReason::NotOpen, None);
        };
        let state = extend.session.filter(|_| !open.session_changed);
        if let (Some(session), Some(state)) = (&open.session_id, state) {
            self.lanes
                .update_state(session, &extend.request_id, state, now);
            self.changed.push(RowKey::Session(session.clone()));
        }
        let requested = extend.max_tokens_out.unwrap_or(open.tokens_out);
        let request = AllocationRequest {
            tokens_in: extend.tokens_in.max(open.tokens_in),
            tokens_out: requested.max(open.tokens_out),
            price: open.price.max(extend.price.unwrap_or_default()),
            ..open.allocation_request()
        };
        let (period, key, class) = (open.period, open.key_id.clone(), open.class);
        let account = self.quotas.account(period);
        let answer = match account.allocate(&quotas, request, &open.reserved) {
            Ok(allocation) => {
                let reserved = allocation.reserved.max(&open.reserved);
                let more = reserved.minus(&open.reserved);
                account.granted = account.granted.plus(&more);
                account.open = account.open.plus(&more);
                open.reserved = reserved;
                open.tokens_in = request.tokens_in;
                open.tokens_out = allocation.tokens_out;
                open.price = request.price;
                open.renewed_at = Some(now);
                self.changed
                    .push(RowKey::Request(extend.request_id.clone()));
                LedgerAnswer::Extended {
                    reserved,
                    max_tokens_out: allocation.tokens_out,
                }
            }
            Err(shortage) => self.quota_denial(now, period, shortage),
        };
        effects.headers = self.headers(now, &key, class);
        answer
    }

    /// Reserves the session that a turn creates, and what it begins with.
    fn reserve_new_session(&mut self, extend: &Extend) -> Result<(), LedgerAnswer> {
        let open = self.reservations.get(&extend.request_id);
        let open = open.filter(|open| open.ticket == extend.ticket);
        let is_reserved = open.is_none_or(|open| open.storage.sessions > 0);
        if !extend.creates_session || is_reserved {
            return Ok(());
        }
        let Some(open) = open else { return Ok(()) };
        let own = open.storage;
        let session = Storage {
            sessions: 1,
            ..Storage::ZERO
        };
        let wanted = own.plus(&session).plus(&extend.copied);
        // Together, so that the turn does not wait for what it has reserved itself.
        self.storage.release(&own);
        let checked = self.check_storage(&wanted);
        let reserved = if checked.is_ok() { wanted } else { own };
        self.storage.reserve(&reserved);
        checked?;
        if let Some(open) = self.reservations.get_mut(&extend.request_id) {
            open.storage = wanted;
            self.changed.push(RowKey::Request(open.request_id.clone()));
        }
        Ok(())
    }

    /// Renews the reservation of a running call.
    pub(super) fn renew(
        &mut self,
        now: Timestamp,
        request_id: RequestId,
        ticket: Ticket,
    ) -> LedgerAnswer {
        let open = self.reservations.get_mut(&request_id);
        let Some(open) = open.filter(|open| open.ticket == ticket) else {
            return denied(DenialReason::NotOpen, None);
        };
        open.renewed_at = Some(now);
        self.changed.push(RowKey::Request(request_id));
        LedgerAnswer::Done
    }

    /// Applies a new configuration to later inputs. Running calls keep their reservations.
    pub(super) fn configure(
        &mut self,
        now: Timestamp,
        config: LedgerConfig,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        if self.apply_config(config) {
            let period = self.quotas.current(now);
            self.emit_quota_warnings(period, None, effects);
            self.emit_storage_warnings(None, effects);
        }
        LedgerAnswer::Done
    }

    /// Applies a newer configuration. After a restore every session's state is read from D1 again,
    /// and the stored content is counted.
    fn apply_config(&mut self, config: LedgerConfig) -> bool {
        let configured = self.config.configure(config);
        if configured == Configured::Restored {
            let ids: Vec<_> = self.lanes.ids().cloned().collect();
            self.forget_sessions(ids);
        }
        let is_new = configured != Configured::Known;
        if is_new {
            self.changed.push(RowKey::Config);
        }
        is_new
    }

    /// Emits the quota warnings that are due for a month. `key_id` is the key of the call that was
    /// charged.
    pub(super) fn emit_quota_warnings(
        &mut self,
        period: Period,
        key_id: Option<&KeyId>,
        effects: &mut Effects,
    ) {
        let quotas = self.config.quotas();
        for (kind, percent, used, limit) in self.quotas.account(period).take_warnings(&quotas) {
            self.changed.push(RowKey::Account(period));
            effects.events.push(Event::QuotaWarning {
                period,
                kind,
                percent,
                used,
                limit,
                key_id: key_id.cloned(),
            });
        }
    }

    /// Updates the rate-limit headers for a caller.
    pub(super) fn refresh_headers(
        &mut self,
        now: Timestamp,
        key: &KeyId,
        class: EndpointClass,
        effects: &mut Effects,
    ) {
        effects.headers = self.headers(now, key, class);
    }
}
