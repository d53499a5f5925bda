//! Random events: calls, crashes, clock steps, and messages that are repeated, delayed or lost.

use std::collections::{BTreeMap, BTreeSet};

use clawless_core::ledger::{
    CallerVersions, EndpointClass, Input, LedgerConfig, Pass, ReceiptKey, StorageChange,
};
use clawless_core::limits::{KeyLimits, Limits, Quotas, StorageLimits};
use clawless_core::tenant::TenantStatus;
use clawless_core::{KeyId, MicroDollars, RequestId, SessionId, Timestamp, Tokens};
use ulid::Ulid;

use super::database::Database;
use super::gateway::{Call, Stage};
use super::model::Model;
use super::object::Object;
use super::prng::Prng;

const HOUR: u64 = 3_600_000;
const MINUTE: u64 = 60_000;
/// 2025-01-30T00:00:00Z, close to the end of a month.
const START: u64 = 1_738_195_200_000;

pub struct Harness {
    pub prng: Prng,
    pub object: Object,
    pub model: Model,
    pub database: Database,
    pub operations: u64,
    pub crashes: u64,
    pub(super) calls: BTreeMap<RequestId, Call>,
    pub(super) live: Vec<RequestId>,
    /// Messages to deliver again or late.
    pub(super) late: Vec<Input>,
    pub(super) config: LedgerConfig,
    pub(super) keys: Vec<KeyId>,
    /// Sessions with a turn stored by a call that was swept.
    pub(super) tainted: BTreeSet<SessionId>,
    pub(super) id_count: u64,
    pub(super) time: u64,
    pub(super) offset: u64,
    pub(super) highest_offset: u64,
    pub(super) rate: RateWindow,
    /// Commit time of the previous batch; every input of the current batch is later.
    pub(super) committed_at: u64,
}

/// Requests admitted since a time at which the buckets were at most full.
#[derive(Default)]
pub(super) struct RateWindow {
    since: u64,
    pub(super) admitted: u64,
}

impl Harness {
    pub fn new(seed: u64) -> Self {
        let mut prng = Prng::new(seed);
        let config = LedgerConfig {
            version: 1,
            status: TenantStatus::Active,
            limits: random_limits(&mut prng),
            quotas: random_quotas(&mut prng),
            storage: Some(StorageLimits::UNLIMITED),
        };
        let mut harness = Self {
            prng,
            object: Object::default(),
            model: Model::default(),
            database: Database::default(),
            operations: 0,
            crashes: 0,
            calls: BTreeMap::new(),
            live: Vec::new(),
            late: Vec::new(),
            config,
            keys: Vec::new(),
            tainted: BTreeSet::new(),
            id_count: 0,
            time: START,
            offset: HOUR,
            highest_offset: HOUR,
            rate: RateWindow {
                since: START,
                admitted: 0,
            },
            committed_at: START,
        };
        for _ in 0..3 {
            let key = format!("key_{}", harness.ulid()).parse().expect("valid id");
            harness.keys.push(key);
        }
        harness
    }

    /// Runs one random event.
    pub fn step(&mut self) {
        self.time += self.prng.below(40);
        match self.prng.below(1000) {
            0..250 => self.start_call(),
            250..700 => self.advance(),
            700..800 => self.check_rate(),
            800..860 => self.deliver_late(),
            860..900 => self.flush(),
            900..930 => self.send(Input::Sweep),
            930..936 => self.change_configuration(),
            936..940 => self.step_clock(),
            940 => {
                let span = 12 * MINUTE + self.prng.below(HOUR);
                self.pause(span);
            }
            941 if self.prng.once_in(8) => {
                let span = 24 * HOUR * (1 + self.prng.below(8));
                self.pause(span);
            }
            942 => self.crash(),
            _ => self.commit(),
        }
    }

    /// Delivers every message, ends every call and passes every deadline. Then checks the accounts.
    pub fn finish(&mut self) {
        self.commit();
        for id in std::mem::take(&mut self.live) {
            self.call(&id).stage = Stage::Ended;
        }
        if self.config.version > self.model.config.map_or(0, |config| config.version) {
            self.send(Input::Configure(self.config));
        }
        for _ in 0..50 {
            self.time += 12 * MINUTE;
            self.send(Input::Sweep);
            self.commit();
            while !self.late.is_empty() {
                self.deliver_late();
            }
            self.commit();
            self.flush();
        }
        self.commit();
        self.object.check_rows();
        let machine = &self.object.machine;
        assert_eq!(machine.running(), 0, "calls open past their deadline");
        assert_eq!(
            machine.receipts().count() + machine.parked_turns().count(),
            0
        );
        assert!(
            self.model.waiting.is_empty(),
            "still waiting: {:?}",
            self.model.waiting
        );
        for (id, (period, charge)) in &self.model.charged {
            let receipt = self.database.receipts.get(id);
            let receipt = receipt.unwrap_or_else(|| panic!("{id} has no receipt"));
            assert_eq!(
                (receipt.period, receipt.charged),
                (*period, *charge),
                "receipt of {id}"
            );
        }
        assert_eq!(self.database.receipts.len(), self.model.charged.len());
        for (period, used) in self.model.months() {
            assert_eq!(used, self.database.charged(period), "receipts of {period}");
            assert_eq!(
                used,
                machine.statement(period).closed.used(),
                "account of {period}"
            );
        }
        for call in self.calls.values().filter(|call| call.spent.is_some()) {
            let receipt = &self.database.receipts[call.id()];
            let spent = call.spent.expect("filtered");
            let exact = receipt.charged.tokens == spent.tokens_in.plus(spent.tokens_out);
            assert!(
                exact || !call.acknowledged,
                "{} was completed but its charge differs from its usage",
                call.id()
            );
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.time + self.offset - HOUR)
    }

    pub(super) fn call(&mut self, id: &RequestId) -> &mut Call {
        self.calls.get_mut(id).expect("known call")
    }

    fn ulid(&mut self) -> Ulid {
        self.id_count += 1;
        Ulid::from_parts(self.time, u128::from(self.id_count))
    }

    fn caller(&mut self) -> CallerVersions {
        let key = self.prng.index(self.keys.len());
        let stale = u64::from(self.prng.once_in(50));
        CallerVersions {
            key_id: self.keys[key].clone(),
            key_version: 1,
            key_limits: KeyLimits::default(),
            config_version: self.config.version - stale.min(self.config.version),
            config: None,
        }
    }

    fn start_call(&mut self) {
        if self.live.len() > 60 {
            return self.advance();
        }
        let id: RequestId = format!("req_{}", self.ulid()).parse().expect("valid id");
        let caller = self.caller();
        let call = Call::new(id.clone(), caller, &mut self.prng);
        self.send(Input::Admit(Box::new(call.admit.clone())));
        self.calls.insert(id.clone(), call);
        self.live.push(id);
    }

    fn advance(&mut self) {
        if self.live.is_empty() {
            return;
        }
        let at = self.prng.index(self.live.len());
        let id = self.live[at].clone();
        let call = self.calls.get_mut(&id).expect("known call");
        let acknowledged = call.acknowledged;
        let input = call.advance(&mut self.database, &mut self.prng);
        if call.stage == Stage::Ended {
            self.live.swap_remove(at);
        }
        if call.acknowledged
            && !acknowledged
            && let Some(session) = &call.admit.session_id
            && !self.model.open.contains_key(&id)
        {
            self.tainted.insert(session.clone());
        }
        if let Some(input) = input {
            self.send(input);
        }
    }

    fn check_rate(&mut self) {
        let caller = self.caller();
        let class = match self.prng.below(2) {
            0 => EndpointClass::Read,
            _ => EndpointClass::Write,
        };
        self.send(Input::Pass(Pass { caller, class }));
    }

    /// Sends an input; sometimes delivers it again later.
    pub(super) fn send(&mut self, input: Input) {
        self.operations += 1;
        self.object.apply(self.now(), &input);
        if self.prng.once_in(25) && self.late.len() < 200 {
            self.late.push(input);
        }
    }

    fn deliver_late(&mut self) {
        if !self.late.is_empty() {
            let at = self.prng.index(self.late.len());
            let input = self.late.swap_remove(at);
            self.operations += 1;
            self.object.apply(self.now(), &input);
        }
    }

    fn step_clock(&mut self) {
        self.commit();
        self.offset = self.prng.below(3) * HOUR;
        if self.offset > self.highest_offset {
            self.highest_offset = self.offset;
            self.new_rate_window();
        }
    }

    /// No messages for longer than a gateway's deadline. Pending closing inputs are sent before.
    fn pause(&mut self, span: u64) {
        for id in std::mem::take(&mut self.live) {
            let stage = std::mem::replace(&mut self.call(&id).stage, Stage::Ended);
            if let Stage::Closing(input) = stage {
                self.send(*input);
            }
        }
        self.commit();
        self.time += span;
        // In a long gap the machine treats a clock that is behind as corrected; a later correction
        // then counts as new time.
        let caught_up = self.highest_offset.saturating_sub(span);
        self.highest_offset = caught_up.max(self.offset);
    }

    pub(super) fn new_rate_window(&mut self) {
        self.rate = RateWindow {
            since: self.committed_at,
            admitted: 0,
        };
    }

    /// Applies a random change by an operator.
    fn change_configuration(&mut self) {
        let input = match self.prng.below(6) {
            0..3 => {
                self.config.version += 1;
                self.config.limits = random_limits(&mut self.prng);
                self.config.quotas = random_quotas(&mut self.prng);
                Input::Configure(self.config)
            }
            3 => Input::Suspend,
            4 => {
                let fresh = format!("key_{}", self.ulid()).parse().expect("valid id");
                let at = self.prng.index(self.keys.len());
                let key_id = std::mem::replace(&mut self.keys[at], fresh);
                Input::Revoke { key_id }
            }
            _ => Input::Forget {
                session_id: format!("s{}", self.prng.below(8))
                    .parse()
                    .expect("valid id"),
                storage: StorageChange::default(),
            },
        };
        self.send(input);
        if self.model.suspended && !self.prng.once_in(8) {
            self.config.version += 1;
            self.send(Input::Configure(self.config));
        }
    }

    /// Sends receipts and parked turns to the database; the acknowledgements may be late or lost.
    fn flush(&mut self) {
        self.commit();
        let machine = &self.object.machine;
        let some = usize::try_from(1 + self.prng.below(60)).expect("small");
        let mut keys = Vec::new();
        for receipt in machine.receipts().take(some) {
            self.database.store_receipt(receipt);
            keys.push(ReceiptKey {
                request_id: receipt.request_id.clone(),
                revision: receipt.revision,
            });
        }
        for turn in machine.parked_turns() {
            let (head, spent) = turn.turn.read().expect("valid turn");
            let stored = self
                .database
                .commit(&turn.request_id, &turn.session_id, head, spent);
            self.late.push(Input::AckTurn {
                request_id: turn.request_id.clone(),
                stored: stored.is_some(),
            });
        }
        match self.prng.below(4) {
            0 => {}
            1 | 2 => self.late.push(Input::AckReceipts(keys)),
            _ => self.send(Input::AckReceipts(keys)),
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        // Senders of unanswered inputs retry or stop.
        self.object.crash();
        for id in &self.model.waiting {
            let call = self.calls.get_mut(id).expect("known call");
            if call.stage == Stage::Waiting {
                call.stage = Stage::Admitting;
            }
        }
        self.model.clear_waiting();
        // Buckets are full again, and the offset of the clock may be lost.
        self.highest_offset = self.offset;
        self.new_rate_window();
        if self.prng.once_in(4) {
            self.object.check_rows();
        }
    }

    fn commit(&mut self) {
        for step in self.object.commit() {
            self.observe(step);
        }
        self.committed_at = self.time;
        self.model.compare(&self.object.machine);
        for id in &self.model.waiting {
            let session = self.calls[id].admit.session_id.as_ref();
            assert!(
                session.is_some_and(|id| self.model.is_held(id)),
                "{id} waits for a free session"
            );
        }
        if self.prng.once_in(2000) {
            self.object.check_rows();
        }
        let limits = self
            .model
            .config
            .map_or(Limits::NOTHING, |config| config.limits);
        if let (Some(rate), Some(burst)) = (limits.requests_per_minute, limits.burst) {
            let limit = burst + (self.time - self.rate.since) * rate / MINUTE + 1;
            assert!(
                self.rate.admitted <= limit,
                "{} admitted, limit {limit}",
                self.rate.admitted
            );
        }
    }
}

fn random_limits(prng: &mut Prng) -> Limits {
    Limits {
        requests_per_minute: (!prng.once_in(4)).then(|| 300 + prng.below(3000)),
        burst: (!prng.once_in(6)).then(|| 5 + prng.below(60)),
        concurrent: (!prng.once_in(4)).then(|| 1 + prng.below(30)),
        ..Limits::UNLIMITED
    }
}

fn random_quotas(prng: &mut Prng) -> Quotas {
    Quotas {
        messages_per_month: prng.once_in(3).then(|| prng.below(3000)),
        tokens_per_month: prng.once_in(2).then(|| Tokens::new(prng.below(2_000_000))),
        micro_dollars_per_month: prng
            .once_in(3)
            .then(|| MicroDollars::new(prng.below(10_000_000))),
    }
}
