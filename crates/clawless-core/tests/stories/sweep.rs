use clawless_core::ledger::{ReceiptKey, Resolution, Resolve};

use super::*;

const SPAN: u64 = 660_000;

fn resolve(request_id: &RequestId, resolution: Resolution) -> Input {
    let request_id = request_id.clone();
    Input::Resolve(Box::new(Resolve {
        request_id,
        resolution,
        again: false,
    }))
}

fn found() -> Resolution {
    Resolution::Turn {
        spent: spent(10, 33),
        provenance: Provenance::Provider,
        model: None,
    }
}

#[test]
fn fault_22_a_call_that_died_is_settled_by_its_turn_or_charged_its_input() {
    let mut ledger = Ledger::with(tokens(10_000));
    let (turn, lost, stateless) = (
        Admit {
            session_id: Some("other".parse().expect("a name")),
            ..ledger.request()
        },
        ledger.turn(),
        ledger.request(),
    );
    let turn = ledger.granted(turn).request_id;
    let lost = ledger.granted(lost).request_id;
    let stateless = ledger.granted(stateless).request_id;
    ledger.restart();
    ledger.now += SPAN - 1;
    assert!(overdue(&ledger.tell(Input::Sweep)).is_empty());
    ledger.now += 1;
    assert_eq!(overdue(&ledger.tell(Input::Sweep)).len(), 3);
    assert_eq!(ledger.tell(resolve(&turn, found())).answer, BOOKED);
    assert_eq!(
        ledger.tell(resolve(&lost, Resolution::NotFound)).answer,
        BOOKED
    );
    assert_eq!(
        ledger
            .tell(resolve(&stateless, Resolution::NotFound))
            .answer,
        BOOKED
    );
    let mut receipts: Vec<_> = ledger.machine.receipts().collect();
    receipts.sort_by_key(|receipt| receipt.charged.tokens);
    let told: Vec<_> = receipts
        .iter()
        .map(|receipt| (receipt.charged.tokens.get(), receipt.provenance))
        .collect();
    let expected = [
        (0, Provenance::Released),
        (10, Provenance::Swept),
        (43, Provenance::Provider),
    ];
    assert_eq!(told, expected);
    assert_eq!(ledger.machine.running(), 0);
}

#[test]
fn fault_21_an_alarm_that_comes_twice_changes_nothing() {
    let mut ledger = Ledger::with(tokens(10_000));
    let request = ledger.request();
    let id = ledger.granted(request).request_id;
    assert_eq!(
        ledger.tell(resolve(&id, Resolution::NotFound)).answer,
        NOT_OPEN,
        "not due"
    );
    ledger.now += SPAN;
    assert_eq!(overdue(&ledger.tell(Input::Sweep)), vec![id.clone()]);
    assert_eq!(overdue(&ledger.tell(Input::Sweep)), vec![id.clone()]);
    assert_eq!(
        ledger.tell(resolve(&id, Resolution::NotFound)).answer,
        BOOKED
    );
    assert_eq!(
        ledger.tell(resolve(&id, Resolution::NotFound)).answer,
        NOT_OPEN
    );
    assert!(overdue(&ledger.tell(Input::Sweep)).is_empty());
    assert_eq!(ledger.used(), 10);
}

#[test]
fn a_second_look_finds_what_was_stored_after_the_first() {
    for stored in [false, true] {
        let mut ledger = Ledger::with(tokens(10_000));
        let turn = ledger.turn();
        let id = ledger.granted(turn).request_id;
        // The clock jumps; the turn is still running.
        ledger.now += HOUR;
        ledger.tell(resolve(&id, Resolution::NotFound));
        ledger.restart();
        ledger.tell(Input::Sweep);
        let due = ledger
            .machine
            .next_sweep()
            .expect("a second look")
            .as_millis();
        assert_eq!(due, ledger.now + SPAN);
        ledger.now = due;
        let sweep = ledger.tell(Input::Sweep);
        assert_eq!(overdue(&sweep), vec![id.clone()]);
        let resolution = if stored {
            found()
        } else {
            Resolution::NotFound
        };
        let look = Resolve {
            request_id: id.clone(),
            resolution,
            again: true,
        };
        ledger.tell(Input::Resolve(Box::new(look.clone())));
        assert_eq!(ledger.tell(Input::Resolve(Box::new(look))).answer, NOT_OPEN);
        let charged = ledger
            .machine
            .receipts()
            .map(|receipt| receipt.charged.tokens);
        assert_eq!(charged.sum::<Tokens>().get(), if stored { 43 } else { 0 });
        assert_eq!(ledger.machine.next_sweep(), None);
    }
}

#[test]
fn an_end_that_comes_after_the_sweep_puts_the_receipt_right_once() {
    for acked in [false, true] {
        let mut ledger = Ledger::with(tokens(10_000));
        let request = ledger.request();
        let grant = ledger.granted(request);
        ledger.now += SPAN;
        ledger.tell(resolve(&grant.request_id, Resolution::NotFound));
        let key = |revision| ReceiptKey {
            request_id: grant.request_id.clone(),
            revision,
        };
        if acked {
            ledger.tell(Input::AckReceipts(vec![key(0)]));
        }
        ledger.restart();
        let late = ledger.settle(&grant, spent(10, 55)).answer;
        assert_eq!(late, LedgerAnswer::Closed(Closing::Corrected));
        assert_eq!(ledger.settle(&grant, spent(10, 55)).answer, NOT_OPEN);
        assert_eq!(ledger.used(), 65);
        ledger.restart();
        assert_eq!(ledger.used(), 65);
        // The acknowledgement of what was replaced does not remove what replaces it.
        ledger.tell(Input::AckReceipts(vec![key(0)]));
        assert_eq!(ledger.machine.receipts().count(), 1);
        ledger.tell(Input::AckReceipts(vec![key(1), key(1)]));
        assert_eq!(ledger.machine.receipts().count(), 0);
        ledger.restart();
        assert_eq!(ledger.used(), 65);
    }
}

#[test]
fn an_admission_repeated_after_its_receipt_was_filed_is_charged_nothing() {
    let mut ledger = Ledger::with(tokens(10_000));
    let request = ledger.request();
    let grant = ledger.granted(request.clone());
    ledger.settle(&grant, spent(10, 5));
    let request_id = grant.request_id.clone();
    ledger.tell(Input::AckReceipts(vec![ReceiptKey {
        request_id,
        revision: 0,
    }]));
    let again = ledger.granted(request);
    assert_eq!(
        ledger.settle(&grant, spent(10, 5)).answer,
        NOT_OPEN,
        "an old ticket"
    );
    ledger.now += SPAN;
    let receipted = resolve(&again.request_id, Resolution::Receipted);
    assert_eq!(ledger.tell(receipted).answer, BOOKED);
    assert_eq!((ledger.used(), ledger.machine.running()), (15, 0));
    assert_eq!(ledger.machine.receipts().count(), 0);
}

#[test]
fn fault_19_a_restart_changes_nothing_that_counts() {
    let mut ledger = Ledger::with(tokens(10_000));
    let (turn, request) = (ledger.turn(), ledger.request());
    let turn = ledger.granted(turn);
    let request = ledger.granted(request);
    ledger.settle_turn(&turn, spent(10, 20), Some(state(1, 30)));
    let before = ledger.machine.statement(ledger.machine.period());
    ledger.restart();
    ledger.tell(Input::Sweep);
    assert_eq!(ledger.machine.statement(ledger.machine.period()), before);
    assert_eq!(ledger.settle(&request, spent(1, 1)).answer, BOOKED);
    let turn = ledger.turn();
    assert_eq!(ledger.granted(turn).session, Some(state(1, 30)));
}

#[test]
fn rows_that_cannot_be_read_stop_the_ledger() {
    assert!(Machine::load([("books", "2025-01", "{")]).is_err());
    assert!(Machine::load([("unheard of", "", "{}")]).is_err());
}
