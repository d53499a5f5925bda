use clawless_core::ledger::{Extend, ReceiptKey, StorageCount, StorageUse};
use clawless_core::storage::StorageKind;

use super::*;

const LIMITS: StorageLimits = StorageLimits {
    sessions: Some(2),
    messages: Some(10),
    bytes: Some(1000),
};

fn amounts(sessions: u64, messages: u64, bytes: u64) -> Storage {
    Storage {
        sessions,
        messages,
        bytes,
    }
}

fn limited() -> Ledger {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    ledger.apply(Input::Configure(LedgerConfig {
        storage: Some(LIMITS),
        ..config(2, Quotas::UNLIMITED)
    }));
    ledger
}

/// A turn of another session each, which adds these amounts.
fn turn(ledger: &mut Ledger, number: u32, storage: Storage) -> Admit {
    let mut turn = ledger.request();
    turn.caller.config_version = 2;
    turn.session_id = Some(format!("s{number}").parse().expect("a name"));
    turn.storage = storage;
    turn
}

fn settle(ledger: &mut Ledger, grant: &Grant, stored: Storage) {
    let settle = Settle {
        stored,
        ..settlement(grant, Spent::default(), None)
    };
    ledger.apply(Input::Settle(Box::new(settle)));
}

fn forget(storage: StorageChange) -> Input {
    Input::Forget {
        session_id: session(),
        storage,
    }
}

#[test]
fn a_turn_that_would_exceed_a_storage_quota_is_denied_with_its_amounts() {
    let mut ledger = limited();
    let first = turn(&mut ledger, 1, amounts(0, 2, 600));
    let first = ledger.granted(first);
    settle(&mut ledger, &first, amounts(1, 2, 700));
    let second = turn(&mut ledger, 2, amounts(0, 2, 301));
    let denial = ledger.denied(second);
    assert_eq!(
        (denial.reason, denial.retry_after),
        (DenialReason::StorageUsedUp, None)
    );
    assert_eq!(
        denial.storage,
        Some(StorageUse {
            kind: StorageKind::Bytes,
            used: 700,
            reserved: 0,
            requested: 301,
            limit: 1000,
        })
    );
    let fitting = turn(&mut ledger, 2, amounts(0, 2, 300));
    ledger.granted(fitting);
}

#[test]
fn content_that_running_turns_may_store_is_reserved() {
    let mut ledger = limited();
    let first = turn(&mut ledger, 1, amounts(0, 8, 10));
    let first = ledger.granted(first);
    let second = turn(&mut ledger, 2, amounts(0, 3, 10));
    let denial = ledger.denied(second.clone());
    assert_eq!(denial.reason, DenialReason::StorageReserved);
    assert!(denial.retry_after.is_some());
    ledger.apply(Input::Release {
        request_id: first.request_id,
    });
    ledger.granted(second);
}

#[test]
fn a_turn_that_creates_a_session_reserves_it() {
    let mut ledger = limited();
    ledger.apply(forget(StorageChange::adding(amounts(1, 0, 0))));
    let extend = |grant: &Grant| {
        Input::Extend(Extend {
            request_id: grant.request_id.clone(),
            ticket: grant.ticket,
            tokens_in: Tokens::new(10),
            max_tokens_out: None,
            price: None,
            session: Some(SessionState {
                head: SessionHead::EMPTY,
                token_total: Tokens::ZERO,
            }),
            creates_session: true,
        })
    };
    let first = turn(&mut ledger, 1, amounts(0, 2, 10));
    let first = ledger.granted(first);
    for _ in 0..2 {
        let answer = ledger.apply(extend(&first)).answer;
        assert!(
            matches!(answer, LedgerAnswer::Extended { .. }),
            "{answer:?}"
        );
    }
    let second = turn(&mut ledger, 2, amounts(0, 2, 10));
    let second = ledger.granted(second);
    let denied = denial(ledger.apply(extend(&second)).answer);
    assert_eq!(denied.reason, DenialReason::StorageReserved);
    settle(&mut ledger, &first, amounts(1, 2, 10));
    let denied = denial(ledger.apply(extend(&second)).answer);
    assert_eq!(denied.reason, DenialReason::StorageUsedUp);
    ledger.apply(forget(StorageChange::removing(amounts(1, 0, 0))));
    let answer = ledger.apply(extend(&second)).answer;
    assert!(
        matches!(answer, LedgerAnswer::Extended { .. }),
        "{answer:?}"
    );
}

#[test]
fn stored_amounts_survive_a_restart_and_acknowledged_receipts() {
    let mut ledger = limited();
    let first = turn(&mut ledger, 1, amounts(0, 2, 10));
    let first = ledger.granted(first);
    settle(&mut ledger, &first, amounts(1, 2, 30));
    ledger.apply(forget(StorageChange::adding(amounts(1, 0, 5))));
    let running = turn(&mut ledger, 2, amounts(0, 3, 7));
    ledger.granted(running);
    let expected = ledger.machine.storage();
    assert_eq!(expected.used, amounts(2, 2, 35));
    assert_eq!(expected.reserved, amounts(0, 3, 7));
    ledger.restart();
    assert_eq!(ledger.machine.storage(), expected);
    ledger.apply(Input::AckReceipts(vec![ReceiptKey {
        request_id: first.request_id,
        revision: 0,
    }]));
    assert_eq!(ledger.machine.storage(), expected);
    ledger.restart();
    assert_eq!(ledger.machine.storage(), expected);
}

#[test]
fn a_count_corrects_drift_and_a_denial_requests_one() {
    let mut ledger = limited();
    assert!(ledger.machine.needs_count(&Input::Storage));
    let count = |before, counted| {
        Input::SetStorage(StorageCount {
            before,
            counted,
            is_complete: true,
        })
    };
    ledger.apply(count(Storage::ZERO, amounts(2, 9, 999)));
    assert!(!ledger.machine.needs_count(&Input::Storage));
    assert_eq!(ledger.machine.next_count(), None);
    let denied = denial(
        ledger
            .apply(forget(StorageChange::adding(amounts(1, 0, 0))))
            .answer,
    );
    assert_eq!(denied.reason, DenialReason::StorageUsedUp);
    assert!(ledger.machine.next_count().is_some());
    let before = ledger.machine.storage().used;
    ledger.apply(count(before, amounts(1, 3, 20)));
    assert_eq!(ledger.machine.storage().used, amounts(1, 3, 20));
    assert_eq!(ledger.machine.next_count(), None);
}

#[test]
fn a_configuration_of_an_older_version_is_read_again() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    ledger.apply(Input::Configure(LedgerConfig {
        storage: None,
        ..config(2, Quotas::UNLIMITED)
    }));
    let mut request = ledger.request();
    request.caller.config_version = 2;
    let answer = ledger.admit(request.clone()).answer;
    assert!(matches!(answer, LedgerAnswer::Stale(_)), "{answer:?}");
    request.caller.config = Some(Box::new(LedgerConfig {
        storage: Some(LIMITS),
        ..config(2, Quotas::UNLIMITED)
    }));
    ledger.granted(request);
    assert_eq!(ledger.machine.storage().limits, LIMITS);
}
