use clawless_core::json::Json;
use clawless_core::ledger::{Event, Extend, Park};

use super::*;

#[test]
fn fault_24_a_second_turn_waits_for_the_first_and_begins_where_it_ended() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let (first, second) = (ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    let queued = ledger.admit(second.clone());
    let until = Timestamp::from_millis(NOW + 10_000);
    assert_eq!(queued.answer, LedgerAnswer::Queued { until });
    assert_eq!(
        ledger.admit(second.clone()).answer,
        LedgerAnswer::Queued { until }
    );
    let output = ledger.settle_turn(&first, spent(10, 20), Some(state(1, 30)));
    let [woken] = &output.woken[..] else {
        panic!("{output:?}")
    };
    assert_eq!(woken.request_id, second.request_id);
    let second = grant(woken.answer.clone());
    assert_eq!(second.session, Some(state(1, 30)));
    assert_eq!(second.reserved.tokens.get(), 10 + 30 + 90);
}

#[test]
fn a_turn_that_waits_too_long_is_told_that_the_session_is_busy() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let (first, second, third) = (ledger.turn(), ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(second.clone());
    ledger.admit(third.clone());
    let request_id = second.request_id;
    let denied = denial(
        ledger
            .tell(Input::Cancel {
                request_id: request_id.clone(),
            })
            .answer,
    );
    assert_eq!(denied.reason, DenialReason::SessionBusy);
    assert!(denied.retry_after.is_some());
    let again = denial(ledger.tell(Input::Cancel { request_id }).answer);
    assert_eq!(again.reason, DenialReason::NotOpen);

    ledger.now += 10_000;
    let output = ledger.tell(Input::Sweep);
    let [woken] = &output.woken[..] else {
        panic!("{output:?}")
    };
    assert_eq!(woken.request_id, third.request_id);
    assert_eq!(
        denial(woken.answer.clone()).reason,
        DenialReason::SessionBusy
    );
    assert!(ledger.settle(&first, spent(1, 1)).woken.is_empty());
}

#[test]
fn a_call_that_is_released_while_it_waits_never_begins() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let (first, second) = (ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(second.clone());
    let request_id = second.request_id;
    ledger.tell(Input::Release { request_id });
    assert!(ledger.settle(&first, spent(1, 1)).woken.is_empty());
}

#[test]
fn a_dead_waiter_is_passed_over() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let (first, dead) = (ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(dead);
    ledger.now += 10_001;
    let alive = ledger.turn();
    ledger.admit(alive.clone());
    let woken = ledger.settle(&first, spent(1, 1)).woken;
    assert_eq!(
        denial(woken[0].answer.clone()).reason,
        DenialReason::SessionBusy
    );
    assert_eq!(grant(woken[1].answer.clone()).request_id, alive.request_id);
}

#[test]
fn a_queue_has_an_end() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    for _ in 0..17 {
        let turn = ledger.turn();
        ledger.admit(turn);
    }
    let turn = ledger.turn();
    assert_eq!(ledger.denied(turn).reason, DenialReason::SessionBusy);
}

#[test]
fn a_key_that_is_revoked_while_its_turn_waits_is_refused() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let (first, second) = (ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(second);
    ledger.tell(Input::Revoke {
        key_id: caller().key_id,
    });
    let woken = ledger.settle(&first, spent(1, 1)).woken;
    assert_eq!(
        denial(woken[0].answer.clone()).reason,
        DenialReason::KeyRevoked
    );
}

fn park(ledger: &mut Ledger) -> RequestId {
    let turn = ledger.turn();
    let grant = ledger.granted(turn);
    let settle = settlement(&grant, spent(10, 20), Some(state(1, 30)));
    let turn = Json::parse(r#"{"messages":[]}"#.to_owned()).expect("valid");
    let parked = ledger.tell(Input::Park(Box::new(Park { settle, turn })));
    assert_eq!(parked.answer, LedgerAnswer::Parked);
    grant.request_id
}

#[test]
fn fault_15_a_session_waits_until_its_parked_turn_is_stored() {
    for restarts in [false, true] {
        let mut ledger = Ledger::with(Quotas::UNLIMITED);
        let request_id = park(&mut ledger);
        if restarts {
            ledger.restart();
        }
        assert_eq!(ledger.machine.parked_turns().count(), 1);
        assert_eq!(ledger.used(), 30);
        let next = ledger.turn();
        assert!(matches!(
            ledger.admit(next).answer,
            LedgerAnswer::Queued { .. }
        ));
        let output = ledger.tell(Input::AckTurn {
            request_id,
            stored: true,
        });
        let woken = grant(output.woken[0].answer.clone());
        assert_eq!(woken.session, Some(state(1, 30)));
        assert_eq!(ledger.machine.parked_turns().count(), 0);
    }
}

#[test]
fn fault_15_after_a_minute_the_session_is_unavailable_until_the_turn_is_stored() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let request_id = park(&mut ledger);
    ledger.now += 60_000;
    let turn = ledger.turn();
    assert_eq!(
        ledger.denied(turn.clone()).reason,
        DenialReason::SessionUnavailable
    );
    let stateless = ledger.request();
    ledger.granted(stateless);
    let output = ledger.tell(Input::AckTurn {
        request_id,
        stored: false,
    });
    assert!(matches!(output.events[..], [Event::TurnLost { .. }]));
    assert_eq!(ledger.granted(turn).session, None);
}

#[test]
fn a_session_changed_behind_the_ledgers_back_is_read_anew() {
    for restarts in [false, true] {
        let mut ledger = Ledger::with(Quotas::UNLIMITED);
        let turn = ledger.turn();
        let first = ledger.granted(turn);
        ledger.tell(forget());
        if restarts {
            ledger.restart();
        }
        ledger.settle_turn(&first, spent(10, 20), Some(state(1, 30)));
        let turn = ledger.turn();
        let second = ledger.granted(turn);
        assert_eq!(second.session, None);
        ledger.settle_turn(&second, spent(10, 20), Some(state(2, 60)));
        let turn = ledger.turn();
        assert_eq!(ledger.granted(turn).session, Some(state(2, 60)));
    }
}

#[test]
fn what_a_turn_read_before_a_change_and_tells_after_it_is_not_believed() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let turn = ledger.turn();
    let grant = ledger.granted(turn);
    ledger.tell(forget());
    let learnt = ledger.tell(Input::Extend(Extend {
        request_id: grant.request_id.clone(),
        ticket: grant.ticket,
        tokens_in: Tokens::new(40),
        max_tokens_out: None,
        price: None,
        session: Some(state(1, 30)),
    }));
    assert!(matches!(learnt.answer, LedgerAnswer::Extended { .. }));
    ledger.tell(Input::Release {
        request_id: grant.request_id,
    });
    let turn = ledger.turn();
    assert_eq!(ledger.granted(turn).session, None);
}

#[test]
fn after_a_turn_that_is_not_known_to_be_stored_the_session_is_read_anew() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    let turn = ledger.turn();
    let first = ledger.granted(turn);
    ledger.settle_turn(&first, spent(10, 20), Some(state(1, 30)));
    let turn = ledger.turn();
    let second = ledger.granted(turn);
    ledger.settle_turn(&second, spent(10, 20), None);
    let turn = ledger.turn();
    assert_eq!(ledger.granted(turn).session, None);
}

fn forget() -> Input {
    Input::Forget {
        session_id: session(),
    }
}

#[test]
fn sessions_that_are_not_used_are_forgotten_when_there_are_too_many() {
    let mut ledger = Ledger::with(Quotas::UNLIMITED);
    for number in 0..10_000 {
        ledger.now += 1;
        let mut turn = ledger.request();
        turn.session_id = Some(format!("s{number}").parse().expect("a name"));
        let grant = ledger.granted(turn);
        ledger.settle_turn(&grant, spent(1, 1), Some(state(1, 2)));
    }
    let rows = ledger.machine.rows().expect("plain data");
    let sessions = |write: &&Write| {
        matches!(
            write,
            Write::Put {
                table: "session",
                ..
            }
        )
    };
    let kept = rows.iter().filter(sessions).count();
    assert!((7000..=8192).contains(&kept), "{kept}");
    let mut turn = ledger.request();
    turn.session_id = Some("s9999".parse().expect("a name"));
    assert_eq!(ledger.granted(turn).session, Some(state(1, 2)));
}
