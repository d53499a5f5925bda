use clawless_core::ledger::{Event, Extend, ReceiptKey, StorageCount, StorageUse};
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
            copied: Storage::ZERO,
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
fn attack_60_a_turn_whose_session_begins_with_a_copy_reserves_the_copy_too() {
    let mut ledger = limited();
    ledger.apply(forget(StorageChange::adding(amounts(1, 4, 400))));
    let extend = |grant: &Grant, copied| {
        Input::Extend(Extend {
            request_id: grant.request_id.clone(),
            ticket: grant.ticket,
            tokens_in: Tokens::new(10),
            max_tokens_out: None,
            price: None,
            session: None,
            creates_session: true,
            copied,
        })
    };
    let first = turn(&mut ledger, 1, amounts(0, 2, 100));
    let first = ledger.granted(first);
    let denied = denial(ledger.apply(extend(&first, amounts(0, 5, 200))).answer);
    // Its own reservation is part of what it adds, and nothing that another turn frees.
    assert_eq!(denied.reason, DenialReason::StorageUsedUp);
    let storage = denied.storage.expect("the amounts");
    assert_eq!(
        (storage.kind, storage.used, storage.requested),
        (StorageKind::Messages, 4, 7)
    );
    assert_eq!(ledger.machine.storage().reserved, amounts(0, 2, 100));
    for _ in 0..2 {
        let answer = ledger.apply(extend(&first, amounts(0, 4, 200))).answer;
        assert!(
            matches!(answer, LedgerAnswer::Extended { .. }),
            "{answer:?}"
        );
        assert_eq!(ledger.machine.storage().reserved, amounts(1, 6, 300));
        ledger.restart();
    }
    settle(&mut ledger, &first, amounts(1, 6, 300));
    let report = ledger.machine.storage();
    assert_eq!(
        (report.used, report.reserved),
        (amounts(2, 10, 700), Storage::ZERO)
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

/// The storage warnings among the events of an output.
fn warnings(output: &Output) -> Vec<(StorageKind, u8, u64, u64, bool)> {
    let events = output.events.iter();
    events
        .filter_map(|event| match event {
            Event::StorageWarning {
                kind,
                percent,
                used,
                limit,
                key_id,
            } => Some((*kind, *percent, *used, *limit, key_id.is_some())),
            _ => None,
        })
        .collect()
}

#[test]
fn each_storage_limit_is_warned_of_once_at_80_and_at_100_percent_even_after_a_restart() {
    let mut ledger = limited();
    let first = turn(&mut ledger, 1, amounts(0, 2, 10));
    let first = ledger.granted(first);
    let settle = Settle {
        stored: amounts(1, 2, 800),
        ..settlement(&first, Spent::default(), None)
    };
    let output = ledger.apply(Input::Settle(Box::new(settle)));
    assert_eq!(
        warnings(&output),
        [(StorageKind::Bytes, 80, 800, 1000, true)]
    );
    ledger.restart();
    let output = ledger.apply(forget(StorageChange::adding(amounts(1, 0, 10))));
    let sessions = [80, 100].map(|percent| (StorageKind::Sessions, percent, 2, 2, false));
    assert_eq!(warnings(&output), sessions);
    ledger.restart();
    let output = ledger.apply(forget(StorageChange::adding(amounts(0, 0, 190))));
    assert_eq!(
        warnings(&output),
        [(StorageKind::Bytes, 100, 1000, 1000, false)]
    );
    // A lower limit, and a count that finds more.
    let lower = StorageLimits {
        messages: Some(2),
        ..LIMITS
    };
    let output = ledger.apply(Input::Configure(LedgerConfig {
        storage: Some(lower),
        ..config(3, Quotas::UNLIMITED)
    }));
    let messages = [80, 100].map(|percent| (StorageKind::Messages, percent, 2, 2, false));
    assert_eq!(warnings(&output), messages);
}

#[test]
fn a_storage_warning_is_repeated_after_content_was_deleted() {
    let mut ledger = limited();
    let mut add = |bytes| {
        let output = ledger.apply(forget(StorageChange::adding(amounts(0, 0, bytes))));
        let warned = warnings(&output).len();
        let removed = StorageChange::removing(amounts(0, 0, 700));
        ledger.restart();
        assert!(warnings(&ledger.apply(forget(removed))).is_empty());
        warned
    };
    assert_eq!([add(850), add(700), add(650)], [1, 1, 1]);
    let mut ledger = limited();
    let count = |counted| {
        Input::SetStorage(StorageCount {
            before: Storage::ZERO,
            counted,
            is_complete: true,
        })
    };
    let output = ledger.apply(count(amounts(0, 8, 0)));
    assert_eq!(
        warnings(&output),
        [(StorageKind::Messages, 80, 8, 10, false)]
    );
}
