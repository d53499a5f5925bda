//! An independent model of the ledger: open calls and charges, derived from the object's answers.

use std::collections::{BTreeMap, BTreeSet};

use clawless_core::ledger::{
    Admit, Amounts, Closing, DenialReason, Grant, Input, LedgerAnswer, LedgerConfig, Machine,
    Period, Resolution, Resolve, Settle, Spent,
};
use clawless_core::{KeyId, RequestId, SessionId, Tokens};

use super::gateway::PRICE;

#[derive(Clone)]
pub struct Open {
    pub grant: Grant,
    pub session: Option<SessionId>,
    tokens_in: Tokens,
    period: Period,
}

#[derive(Default)]
pub struct Model {
    pub open: BTreeMap<RequestId, Open>,
    pub waiting: BTreeSet<RequestId>,
    /// Charge of each request that has a receipt in the machine or in D1.
    pub charged: BTreeMap<RequestId, (Period, Amounts)>,
    /// Requests that the sweep closed without an outcome.
    swept: BTreeSet<RequestId>,
    /// The running turn of each session.
    lanes: BTreeMap<SessionId, RequestId>,
    pub parked: BTreeMap<RequestId, SessionId>,
    pub revoked: BTreeSet<KeyId>,
    pub config: Option<LedgerConfig>,
    pub suspended: bool,
    used: BTreeMap<Period, Amounts>,
    pub overruns: u64,
    pub denials: BTreeMap<DenialReason, u64>,
}

impl Model {
    /// Clears the state that a restart loses.
    pub fn clear_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Whether a session has a running or parked turn.
    pub fn is_held(&self, session: &SessionId) -> bool {
        self.lanes.contains_key(session) || self.parked.values().any(|held| held == session)
    }

    /// Usage per month.
    pub fn months(&self) -> impl Iterator<Item = (Period, Amounts)> {
        self.used.iter().map(|(period, used)| (*period, *used))
    }

    pub fn used(&self, period: Period) -> Amounts {
        self.used.get(&period).copied().unwrap_or_default()
    }

    /// Records a grant. Returns whether it is new.
    pub fn granted(&mut self, grant: &Grant, admit: &Admit, period: Period) -> bool {
        let (session, key) = (admit.session_id.as_ref(), &admit.caller.key_id);
        let id = &grant.request_id;
        self.waiting.remove(id);
        if let Some(open) = self.open.get(id) {
            assert_eq!(open.grant.ticket, grant.ticket, "{id} was granted twice");
            return false;
        }
        let config = self.config.expect("granted before it was configured");
        assert!(!self.suspended, "{id} granted to a suspended tenant");
        assert!(!self.revoked.contains(key), "{id} granted to a revoked key");
        let running = self.open.len() as u64;
        assert!(
            config.limits.concurrent.is_none_or(|limit| running < limit),
            "{id} exceeds the concurrency limit with {running} others"
        );
        self.check_quotas(&config, grant, period);
        if let Some(session) = session {
            assert!(
                !self.parked.values().any(|held| held == session),
                "{session} is locked"
            );
            let before = self.lanes.insert(session.clone(), id.clone());
            assert_eq!(before, None, "two turns run in {session}");
        }
        let open = Open {
            grant: grant.clone(),
            session: session.cloned(),
            tokens_in: admit.tokens_in,
            period,
        };
        self.open.insert(id.clone(), open);
        true
    }

    fn check_quotas(&self, config: &LedgerConfig, grant: &Grant, period: Period) {
        let of_month = self.open.values().filter(|open| open.period == period);
        let open = of_month.fold(Amounts::ZERO, |sum, open| sum.plus(&open.grant.reserved));
        let all = self.used(period).plus(&open).plus(&grant.reserved);
        let quotas = config.quotas;
        assert!(grant.max_tokens_out.get() > 0);
        assert!(
            quotas
                .messages_per_month
                .is_none_or(|limit| all.messages <= limit)
        );
        assert!(
            quotas
                .tokens_per_month
                .is_none_or(|limit| all.tokens <= limit)
        );
        let money = quotas.micro_dollars_per_month;
        assert!(
            money.is_none_or(|limit| all.micro_dollars <= limit),
            "{all:?} exceeds {money:?}"
        );
    }

    /// Records an extension.
    pub fn extended(&mut self, id: &RequestId, reserved: Amounts) {
        if let Some(open) = self.open.get_mut(id) {
            open.grant.reserved = reserved;
        }
    }

    /// Checks the answer to a settlement.
    pub fn settled(&mut self, settle: &Settle, closing: Closing) {
        let id = &settle.request_id;
        let charge = charge(settle.spent);
        let open = self
            .open
            .get(id)
            .filter(|open| open.grant.ticket == settle.ticket);
        match (open.is_some(), self.swept.contains(id)) {
            (true, _) => {
                assert_eq!(closing, Closing::Booked, "{id} is open");
                self.close(id, charge);
            }
            (false, true) => self.correct(id, charge, closing),
            (false, false) => assert_eq!(closing, Closing::NotOpen, "{id} is not open"),
        }
    }

    fn correct(&mut self, id: &RequestId, charge: Amounts, closing: Closing) {
        assert_eq!(closing, Closing::Corrected, "{id} was swept");
        self.swept.remove(id);
        let (period, old) = self.charged[id];
        let used = self.used.entry(period).or_default();
        *used = used.plus(&charge).minus(&old);
        self.charged.insert(id.clone(), (period, charge));
    }

    pub fn released(&mut self, id: &RequestId, closing: Closing) {
        let expected = if self.open.contains_key(id) {
            Closing::Booked
        } else {
            Closing::NotOpen
        };
        assert_eq!(closing, expected, "release of {id}");
        if closing == Closing::Booked {
            self.close(id, Amounts::ZERO);
        }
    }

    pub fn resolved(&mut self, resolve: &Resolve, closing: Closing) {
        let (id, resolution) = (&resolve.request_id, &resolve.resolution);
        if resolve.again {
            match resolution {
                Resolution::Turn { spent, .. } if self.swept.contains(id) => {
                    self.correct(id, charge(*spent), closing);
                }
                Resolution::Turn { .. } => assert_eq!(closing, Closing::NotOpen),
                _ => {
                    self.swept.remove(id);
                }
            }
            return;
        }
        if closing == Closing::NotOpen {
            return;
        }
        assert_eq!(closing, Closing::Booked);
        let open = self
            .open
            .get(id)
            .cloned()
            .expect("only an open call can be resolved");
        match resolution {
            Resolution::Receipted => {
                assert!(self.charged.contains_key(id), "{id} has no receipt");
                self.remove(id);
            }
            Resolution::Turn { spent, .. } => self.close(id, charge(*spent)),
            Resolution::NotFound => {
                // A lost session turn is free; a lost stateless call is charged its input.
                let charge = match open.session {
                    Some(_) => Amounts::ZERO,
                    None => Amounts {
                        messages: 1,
                        tokens: open.tokens_in,
                        micro_dollars: PRICE.cost(open.tokens_in, Tokens::ZERO),
                    },
                };
                self.close(id, charge);
                self.swept.insert(id.clone());
            }
        }
    }

    fn close(&mut self, id: &RequestId, charge: Amounts) {
        let open = self.remove(id);
        assert!(!self.charged.contains_key(id), "{id} is charged twice");
        let excess = charge.minus(&open.grant.reserved);
        self.overruns += u64::from(excess != Amounts::ZERO);
        let used = self.used.entry(open.period).or_default();
        *used = used.plus(&charge);
        self.charged.insert(id.clone(), (open.period, charge));
    }

    fn remove(&mut self, id: &RequestId) -> Open {
        let open = self.open.remove(id).expect("open");
        if let Some(session) = &open.session {
            assert_eq!(self.lanes.remove(session).as_ref(), Some(id));
        }
        open
    }

    /// Compares the machine with the model, after a complete batch.
    pub fn compare(&self, machine: &Machine) {
        assert_eq!(machine.running(), self.open.len());
        let period = machine.period();
        let books = machine.statement(period);
        assert_eq!(
            books.closed.used(),
            self.used(period),
            "account of {period}"
        );
    }

    /// Checks a denial against the state of the tenant.
    pub fn denied(&mut self, input: &Input, answer: &LedgerAnswer) {
        if let LedgerAnswer::Denied(denial) = answer {
            *self.denials.entry(denial.reason).or_default() += 1;
            match denial.reason {
                DenialReason::Suspended => assert!(self.suspended),
                DenialReason::RateLimited => {
                    assert!(
                        denial.retry_after.is_some_and(|wait| wait.get() > 0),
                        "{input:?}"
                    );
                }
                DenialReason::QuotaUsedUp => assert!(denial.quota.is_some(), "{input:?}"),
                DenialReason::QuotaReserved => {
                    assert!(!self.open.is_empty(), "{input:?}");
                    assert!(denial.retry_after.is_some_and(|wait| wait.get() > 0));
                }
                _ => {}
            }
        }
    }
}

/// The charge of a call.
fn charge(spent: Spent) -> Amounts {
    Amounts {
        messages: 1,
        tokens: spent.tokens_in.plus(spent.tokens_out),
        micro_dollars: spent.cost,
    }
}
