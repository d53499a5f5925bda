use clawless_core::ledger::{ReceiptKey, Resolution, Resolve};

use super::*;

const RESERVATION_TTL_MS: u64 = 660_000;

fn resolve(request_id: &RequestId, resolution: Resolution) -> Input {
    let request_id = request_id.clone();
    Input::Resolve(Box::new(Resolve {
        request_id,
        resolution,
        again: false,
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
    ledger.now += RESERVATION_TTL_MS - 1;
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
    ledger.now += RESERVATION_TTL_MS;
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
        ledger.now += RESERVATION_TTL_MS;
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
    ledger.now += RESERVATION_TTL_MS;
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
