//! A tenant's ledger with shorthand methods for inputs.

use clawless_core::ledger::{
    Admit, CallerVersions, Closing, Denial, DenialReason, EndpointClass, Grant, Input,
    LedgerAnswer, LedgerConfig, Machine, Output, Price, Provenance, SessionState, Settle, Spent,
    StorageChange, Write,
};
use clawless_core::limits::{KeyLimits, Limits, Quotas, StorageLimits};
use clawless_core::session::SessionHead;
use clawless_core::tenant::TenantStatus;
use clawless_core::{MicroDollars, Millis, RequestId, SessionId, Storage, Timestamp, Tokens};

mod clock;
mod keys;
mod lanes;
mod money;
mod storage;
mod sweep;

/// 2025-01-31T23:30:00Z: half an hour before the end of the month.
const NOW: u64 = 1_738_366_200_000;
const HOUR: u64 = 3_600_000;

struct Ledger {
    machine: Machine,
    now: u64,
    request_count: u128,
}

fn config(version: u64, quotas: Quotas) -> LedgerConfig {
    LedgerConfig {
        version,
        status: TenantStatus::Active,
        limits: Limits::UNLIMITED,
        quotas,
        storage: Some(StorageLimits::UNLIMITED),
    }
}

fn tokens(limit: u64) -> Quotas {
    Quotas {
        tokens_per_month: Some(Tokens::new(limit)),
        ..Quotas::UNLIMITED
    }
}

fn caller() -> CallerVersions {
    CallerVersions {
        key_id: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
        key_version: 1,
        key_limits: KeyLimits::default(),
        config_version: 1,
        config: None,
    }
}

fn session() -> SessionId {
    "session-1".parse().expect("a name")
}

fn state(head: u64, token_total: u64) -> SessionState {
    SessionState {
        head: SessionHead::new(head),
        token_total: Tokens::new(token_total),
    }
}

fn spent(tokens_in: u64, tokens_out: u64) -> Spent {
    Spent {
        tokens_in: Tokens::new(tokens_in),
        tokens_out: Tokens::new(tokens_out),
        cost: MicroDollars::ZERO,
    }
}

impl Ledger {
    fn with_quotas(quotas: Quotas) -> Self {
        Self::new(config(1, quotas))
    }

    fn new(config: LedgerConfig) -> Self {
        let mut ledger = Self {
            machine: Machine::default(),
            now: NOW,
            request_count: 0,
        };
        ledger.apply(Input::Configure(config));
        ledger
    }

    fn apply(&mut self, input: Input) -> Output {
        self.machine.apply(Timestamp::from_millis(self.now), input)
    }

    fn request(&mut self) -> Admit {
        self.request_count += 1;
        let id = ulid::Ulid::from_parts(self.now, self.request_count);
        Admit {
            request_id: format!("req_{id}").parse().expect("id"),
            caller: caller(),
            class: EndpointClass::Chat,
            session_id: None,
            model: "m".to_owned(),
            tokens_in: Tokens::new(10),
            max_tokens_out: Some(Tokens::new(90)),
            default_tokens_out: Tokens::new(1000),
            answers: 1,
            price: Price::default(),
            storage: Storage::ZERO,
        }
    }

    fn turn(&mut self) -> Admit {
        Admit {
            session_id: Some(session()),
            ..self.request()
        }
    }

    fn admit(&mut self, admit: Admit) -> Output {
        self.apply(Input::Admit(Box::new(admit)))
    }

    fn granted(&mut self, admit: Admit) -> Grant {
        grant(self.admit(admit).answer)
    }

    fn denied(&mut self, admit: Admit) -> Denial {
        denial(self.admit(admit).answer)
    }

    fn settle(&mut self, grant: &Grant, spent: Spent) -> Output {
        self.settle_turn(grant, spent, None)
    }

    fn settle_turn(&mut self, grant: &Grant, spent: Spent, state: Option<SessionState>) -> Output {
        self.apply(Input::Settle(Box::new(settlement(grant, spent, state))))
    }

    fn used(&self) -> u64 {
        let period = self.machine.period();
        self.machine.statement(period).closed.used().tokens.get()
    }

    /// Rebuilds the machine from its rows.
    fn restart(&mut self) {
        let rows = self.machine.rows().expect("plain data");
        let rows = rows.iter().map(|write| match write {
            Write::Put { table, key, value } => (*table, key.as_str(), value.as_str()),
            Write::Delete { .. } => panic!("rows() returned a deletion"),
        });
        self.machine = Machine::load(rows).expect("valid rows");
    }
}

fn settlement(grant: &Grant, spent: Spent, session: Option<SessionState>) -> Settle {
    Settle {
        request_id: grant.request_id.clone(),
        ticket: grant.ticket,
        spent,
        provenance: Provenance::Provider,
        model: None,
        stored: Storage::ZERO,
        session,
    }
}

fn grant(answer: LedgerAnswer) -> Grant {
    match answer {
        LedgerAnswer::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

fn denial(answer: LedgerAnswer) -> Denial {
    match answer {
        LedgerAnswer::Denied(denial) => denial,
        other => panic!("not denied: {other:?}"),
    }
}

fn overdue(output: &Output) -> Vec<RequestId> {
    match &output.answer {
        LedgerAnswer::Overdue(calls) => calls.iter().map(|call| call.request_id.clone()).collect(),
        other => panic!("not a sweep answer: {other:?}"),
    }
}

const BOOKED: LedgerAnswer = LedgerAnswer::Closed(Closing::Booked);
const NOT_OPEN: LedgerAnswer = LedgerAnswer::Closed(Closing::NotOpen);

#[test]
fn denial_reasons_map_to_error_codes() {
    assert_eq!(
        DenialReason::QuotaUsedUp.code().as_str(),
        "insufficient_quota"
    );
    assert_eq!(
        DenialReason::RateLimited.code().as_str(),
        "rate_limit_exceeded"
    );
    assert_eq!(DenialReason::KeyRevoked.code().status(), 401);
    assert_eq!(DenialReason::Suspended.code().status(), 403);
    assert_eq!(DenialReason::SessionBusy.code().status(), 409);
    assert_eq!(DenialReason::SessionUnavailable.code().status(), 503);
}

#[test]
fn inputs_and_outputs_round_trip_through_json() {
    let mut ledger = Ledger::with_quotas(tokens(1000));
    let mut turn = ledger.turn();
    turn.caller.config = Some(Box::new(config(2, tokens(5))));
    let inputs = [
        Input::Admit(Box::new(turn)),
        Input::Sweep,
        Input::Suspend,
        Input::Forget {
            session_id: session(),
            storage: StorageChange::default(),
        },
        Input::Revoke {
            key_id: caller().key_id,
        },
    ];
    for input in inputs {
        let text = serde_json::to_string(&input).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Input>(&text).expect("reads"),
            input,
            "{text}"
        );
        let output = ledger.apply(input);
        let text = serde_json::to_string(&output).expect("serialises");
        assert_eq!(
            serde_json::from_str::<Output>(&text).expect("reads"),
            output,
            "{text}"
        );
    }
}
