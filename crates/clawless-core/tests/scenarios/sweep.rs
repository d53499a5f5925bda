use clawless_core::ledger::{Extend, ReceiptKey, Resolution, Resolve};

use super::*;

/// How long a reservation lasts without a renewal.
const LEASE_MS: u64 = 60_000;
/// How long it lasts at most, and the time until a swept call is looked up again.
const RESERVATION_TTL_MS: u64 = 660_000;

fn resolve(request_id: &RequestId, resolution: Resolution) -> Input {
    let request_id = request_id.clone();
    Input::Resolve(Box::new(Resolve {
        request_id,
        resolution,
        again: false,
        ticket: None,
    }))
}

fn stored_turn() -> Resolution {
    Resolution::Turn {
        spent: spent(10, 33),
        provenance: Provenance::Provider,
        model: None,
    }
}

#[test]
fn fault_22_a_lost_call_is_charged_by_its_turn_or_its_input() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let (turn, lost, stateless) = (
        Admit {
            session_id: Some("other".parse().expect("valid id")),
            ..ledger.request()
        },
        ledger.turn(),
        ledger.request(),
    );
    let turn = ledger.granted(turn).request_id;
    let lost = ledger.granted(lost).request_id;
    let stateless = ledger.granted(stateless).request_id;
    ledger.restart();
    ledger.now += LEASE_MS - 1;
    assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
    ledger.now += 1;
    assert_eq!(overdue(&ledger.apply(Input::Sweep)).len(), 3);
    assert_eq!(ledger.apply(resolve(&turn, stored_turn())).answer, BOOKED);
    assert_eq!(
        ledger.apply(resolve(&lost, Resolution::NotFound)).answer,
        BOOKED
    );
    assert_eq!(
        ledger
            .apply(resolve(&stateless, Resolution::NotFound))
            .answer,
        BOOKED
    );
    let mut receipts: Vec<_> = ledger.machine.receipts().collect();
    receipts.sort_by_key(|receipt| receipt.charged.tokens);
    let charges: Vec<_> = receipts
        .iter()
        .map(|receipt| (receipt.charged.tokens.get(), receipt.provenance))
        .collect();
    let expected = [
        (0, Provenance::Released),
        (10, Provenance::Swept),
        (43, Provenance::Provider),
    ];
    assert_eq!(charges, expected);
    assert_eq!(ledger.machine.running(), 0);
}

#[test]
fn fault_21_a_repeated_alarm_changes_nothing() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let request = ledger.request();
    let id = ledger.granted(request).request_id;
    assert_eq!(
        ledger.apply(resolve(&id, Resolution::NotFound)).answer,
        NOT_OPEN,
        "not due"
    );
    ledger.now += LEASE_MS;
    assert_eq!(overdue(&ledger.apply(Input::Sweep)), vec![id.clone()]);
    assert_eq!(overdue(&ledger.apply(Input::Sweep)), vec![id.clone()]);
    assert_eq!(
        ledger.apply(resolve(&id, Resolution::NotFound)).answer,
        BOOKED
    );
    assert_eq!(
        ledger.apply(resolve(&id, Resolution::NotFound)).answer,
        NOT_OPEN
    );
    assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
    assert_eq!(ledger.used(), 10);
}

fn renew(grant: &Grant) -> Input {
    Input::Renew {
        request_id: grant.request_id.clone(),
        ticket: grant.ticket,
    }
}

#[test]
fn a_running_call_renews_its_reservation_for_a_lease_at_a_time() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let turn = ledger.turn();
    let grant = ledger.granted(turn);
    assert_eq!(grant.deadline.as_millis(), NOW + RESERVATION_TTL_MS);
    let mut renewed_until = NOW;
    while ledger.now + LEASE_MS / 2 < NOW + RESERVATION_TTL_MS {
        ledger.now += LEASE_MS / 2;
        assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
        assert_eq!(ledger.apply(renew(&grant)).answer, LedgerAnswer::Done);
        renewed_until = (ledger.now + LEASE_MS).min(NOW + RESERVATION_TTL_MS);
        ledger.restart();
    }
    // No renewal exceeds the longest time of a call.
    assert_eq!(renewed_until, NOW + RESERVATION_TTL_MS);
    ledger.now = renewed_until - 1;
    assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
    ledger.now = renewed_until;
    assert_eq!(
        overdue(&ledger.apply(Input::Sweep)),
        vec![grant.request_id.clone()]
    );
    ledger.apply(resolve(&grant.request_id, Resolution::NotFound));
    let late = denial(ledger.apply(renew(&grant)).answer);
    assert_eq!(late.reason, DenialReason::NotOpen);
}

#[test]
fn an_extension_renews_the_reservation() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let request = ledger.request();
    let grant = ledger.granted(request);
    ledger.now += LEASE_MS - 1;
    ledger.apply(Input::Extend(Extend {
        request_id: grant.request_id.clone(),
        ticket: grant.ticket,
        tokens_in: Tokens::new(20),
        max_tokens_out: None,
        price: None,
        session: None,
        creates_session: false,
        copied: Storage::ZERO,
    }));
    ledger.now += LEASE_MS - 1;
    assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
    ledger.now += 1;
    assert_eq!(overdue(&ledger.apply(Input::Sweep)).len(), 1);
}

#[test]
fn fault_22_a_killed_call_blocks_neither_its_tenant_nor_its_session_after_the_lease() {
    let mut ledger = Ledger::new(LedgerConfig {
        limits: Limits {
            concurrent: Some(1),
            ..Limits::UNLIMITED
        },
        ..config(1, tokens(10_000))
    });
    let turn = ledger.turn();
    let killed = ledger.granted(turn);
    let request = ledger.request();
    let denial = ledger.denied(request);
    assert_eq!(denial.reason, DenialReason::TooManyRunning);
    ledger.restart();
    let due = ledger.machine.next_sweep().expect("an open reservation");
    assert_eq!(due.as_millis(), NOW + LEASE_MS);
    ledger.now += LEASE_MS;
    ledger.apply(Input::Sweep);
    ledger.apply(resolve(&killed.request_id, Resolution::NotFound));
    let next = ledger.turn();
    ledger.granted(next);
}

#[test]
fn a_reservation_of_a_version_without_renewals_lasts_until_its_end() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let request = ledger.request();
    ledger.granted(request);
    let rows = ledger.machine.rows().expect("plain data");
    let rows: Vec<_> = rows
        .iter()
        .filter_map(|write| match write {
            Write::Put { table, key, value } => {
                let mut row: serde_json::Value = serde_json::from_str(value).expect("JSON");
                if let Some(open) = row.get_mut("open").and_then(|open| open.as_object_mut()) {
                    open.remove("renewed_at").expect("a new row has it");
                }
                Some((*table, key.clone(), row.to_string()))
            }
            Write::Delete { .. } => None,
        })
        .collect();
    let rows = rows
        .iter()
        .map(|(table, key, value)| (*table, key.as_str(), value.as_str()));
    ledger.machine = Machine::load(rows).expect("valid rows");
    ledger.now += RESERVATION_TTL_MS - 1;
    assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
    ledger.now += 1;
    assert_eq!(overdue(&ledger.apply(Input::Sweep)).len(), 1);
}

#[test]
fn a_recheck_finds_a_turn_stored_after_the_first_lookup() {
    for stored in [false, true] {
        let mut ledger = Ledger::with_quotas(tokens(10_000));
        let turn = ledger.turn();
        let id = ledger.granted(turn).request_id;
        // The clock jumps; the turn is still running.
        ledger.now += HOUR;
        ledger.apply(resolve(&id, Resolution::NotFound));
        ledger.restart();
        ledger.apply(Input::Sweep);
        let due = ledger
            .machine
            .next_sweep()
            .expect("a recheck is due")
            .as_millis();
        assert_eq!(due, ledger.now + RESERVATION_TTL_MS);
        ledger.now = due;
        let sweep = ledger.apply(Input::Sweep);
        assert_eq!(overdue(&sweep), vec![id.clone()]);
        let resolution = if stored {
            stored_turn()
        } else {
            Resolution::NotFound
        };
        let recheck = Resolve {
            request_id: id.clone(),
            resolution,
            again: true,
            ticket: None,
        };
        ledger.apply(Input::Resolve(Box::new(recheck.clone())));
        assert_eq!(
            ledger.apply(Input::Resolve(Box::new(recheck))).answer,
            NOT_OPEN
        );
        let charged = ledger
            .machine
            .receipts()
            .map(|receipt| receipt.charged.tokens);
        assert_eq!(charged.sum::<Tokens>().get(), if stored { 43 } else { 0 });
        assert_eq!(ledger.machine.next_sweep(), None);
    }
}

#[test]
fn a_settlement_after_the_sweep_corrects_the_receipt_once() {
    for acked in [false, true] {
        let mut ledger = Ledger::with_quotas(tokens(10_000));
        let request = ledger.request();
        let grant = ledger.granted(request);
        ledger.now += LEASE_MS;
        ledger.apply(resolve(&grant.request_id, Resolution::NotFound));
        let key = |revision| ReceiptKey {
            request_id: grant.request_id.clone(),
            revision,
        };
        if acked {
            ledger.apply(Input::AckReceipts(vec![key(0)]));
        }
        ledger.restart();
        let late = ledger.settle(&grant, spent(10, 55)).answer;
        assert_eq!(late, LedgerAnswer::Closed(Closing::Corrected));
        assert_eq!(ledger.settle(&grant, spent(10, 55)).answer, NOT_OPEN);
        assert_eq!(ledger.used(), 65);
        ledger.restart();
        assert_eq!(ledger.used(), 65);
        // Acknowledging the replaced revision does not remove the new one.
        ledger.apply(Input::AckReceipts(vec![key(0)]));
        assert_eq!(ledger.machine.receipts().count(), 1);
        ledger.apply(Input::AckReceipts(vec![key(1), key(1)]));
        assert_eq!(ledger.machine.receipts().count(), 0);
        ledger.restart();
        assert_eq!(ledger.used(), 65);
    }
}

#[test]
fn an_admission_repeated_after_its_receipt_was_stored_is_not_charged() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let request = ledger.request();
    let grant = ledger.granted(request.clone());
    ledger.settle(&grant, spent(10, 5));
    let request_id = grant.request_id.clone();
    ledger.apply(Input::AckReceipts(vec![ReceiptKey {
        request_id,
        revision: 0,
    }]));
    let repeated = ledger.granted(request);
    assert_eq!(
        ledger.settle(&grant, spent(10, 5)).answer,
        NOT_OPEN,
        "an old ticket"
    );
    ledger.now += LEASE_MS;
    let receipted = resolve(&repeated.request_id, Resolution::Receipted);
    assert_eq!(ledger.apply(receipted).answer, BOOKED);
    assert_eq!((ledger.used(), ledger.machine.running()), (15, 0));
    assert_eq!(ledger.machine.receipts().count(), 0);
}

#[test]
fn fault_19_a_restart_preserves_accounts_and_reservations() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let (turn, request) = (ledger.turn(), ledger.request());
    let turn = ledger.granted(turn);
    let request = ledger.granted(request);
    ledger.settle_turn(&turn, spent(10, 20), Some(state(1, 30)));
    let before = ledger.machine.statement(ledger.machine.period());
    ledger.restart();
    ledger.apply(Input::Sweep);
    assert_eq!(ledger.machine.statement(ledger.machine.period()), before);
    assert_eq!(ledger.settle(&request, spent(1, 1)).answer, BOOKED);
    let turn = ledger.turn();
    assert_eq!(ledger.granted(turn).session, Some(state(1, 30)));
}

#[test]
fn unreadable_rows_are_an_error() {
    assert!(Machine::load([("books", "2025-01", "{")]).is_err());
    assert!(Machine::load([("unknown", "", "{}")]).is_err());
}

#[test]
fn a_look_up_of_an_earlier_grant_does_not_close_a_later_one() {
    let mut ledger = Ledger::with_quotas(tokens(10_000));
    let request = ledger.request();
    let grant = ledger.granted(request.clone());
    ledger.now += LEASE_MS;
    assert_eq!(overdue(&ledger.apply(Input::Sweep)).len(), 1);
    // The call ends while D1 is read, and a delayed message repeats its admission.
    ledger.settle(&grant, spent(10, 5));
    ledger.apply(Input::AckReceipts(vec![ReceiptKey {
        request_id: grant.request_id.clone(),
        revision: 0,
    }]));
    let repeated = ledger.granted(request);
    ledger.now += LEASE_MS;
    let stale = |ticket| {
        Input::Resolve(Box::new(Resolve {
            request_id: grant.request_id.clone(),
            resolution: Resolution::NotFound,
            again: false,
            ticket: Some(ticket),
        }))
    };
    assert_eq!(ledger.apply(stale(grant.ticket)).answer, NOT_OPEN);
    assert_eq!((ledger.used(), ledger.machine.running()), (15, 1));
    assert_eq!(ledger.apply(stale(repeated.ticket)).answer, BOOKED);
}
