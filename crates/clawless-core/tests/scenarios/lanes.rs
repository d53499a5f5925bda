use clawless_core::json::Json;
use clawless_core::ledger::{Event, Extend, Park};

use super::*;

#[test]
fn fault_24_a_second_turn_waits_for_the_first_and_starts_from_its_state() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
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
fn a_turn_that_waits_too_long_is_denied_as_busy() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let (first, second, third) = (ledger.turn(), ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(second.clone());
    ledger.admit(third.clone());
    let request_id = second.request_id;
    let denied = denial(
        ledger
            .apply(Input::Cancel {
                request_id: request_id.clone(),
            })
            .answer,
    );
    assert_eq!(denied.reason, DenialReason::SessionBusy);
    assert!(denied.retry_after.is_some());
    let repeated = denial(ledger.apply(Input::Cancel { request_id }).answer);
    assert_eq!(repeated.reason, DenialReason::NotOpen);

    ledger.now += 10_000;
    let output = ledger.apply(Input::Sweep);
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
fn a_call_released_while_waiting_never_starts() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let (first, second) = (ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(second.clone());
    let request_id = second.request_id;
    ledger.apply(Input::Release { request_id });
    assert!(ledger.settle(&first, spent(1, 1)).woken.is_empty());
}

#[test]
fn an_expired_waiter_is_skipped() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let (first, expired) = (ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(expired);
    ledger.now += 10_001;
    let active = ledger.turn();
    ledger.admit(active.clone());
    let woken = ledger.settle(&first, spent(1, 1)).woken;
    assert_eq!(
        denial(woken[0].answer.clone()).reason,
        DenialReason::SessionBusy
    );
    assert_eq!(grant(woken[1].answer.clone()).request_id, active.request_id);
}

#[test]
fn the_wait_queue_is_bounded() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    for _ in 0..17 {
        let turn = ledger.turn();
        ledger.admit(turn);
    }
    let turn = ledger.turn();
    assert_eq!(ledger.denied(turn).reason, DenialReason::SessionBusy);
}

#[test]
fn a_key_revoked_while_its_turn_waits_is_denied() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let (first, second) = (ledger.turn(), ledger.turn());
    let first = ledger.granted(first);
    ledger.admit(second);
    ledger.apply(Input::Revoke {
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
    let parked = ledger.apply(Input::Park(Box::new(Park { settle, turn })));
    assert_eq!(parked.answer, LedgerAnswer::Parked);
    grant.request_id
}

#[test]
fn fault_15_a_session_is_locked_until_its_parked_turn_is_stored() {
    for restarts in [false, true] {
        let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
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
        let output = ledger.apply(Input::AckTurn {
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
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let request_id = park(&mut ledger);
    ledger.now += 60_000;
    let turn = ledger.turn();
    assert_eq!(
        ledger.denied(turn.clone()).reason,
        DenialReason::SessionUnavailable
    );
    let stateless = ledger.request();
    ledger.granted(stateless);
    let output = ledger.apply(Input::AckTurn {
        request_id,
        stored: false,
    });
    assert!(matches!(output.events[..], [Event::TurnLost { .. }]));
    assert_eq!(ledger.granted(turn).session, None);
}

#[test]
fn a_session_changed_in_the_database_is_read_again() {
    for restarts in [false, true] {
        let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
        let turn = ledger.turn();
        let first = ledger.granted(turn);
        ledger.apply(session_changed());
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
fn session_state_read_before_a_change_is_ignored() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let turn = ledger.turn();
    let grant = ledger.granted(turn);
    ledger.apply(session_changed());
    let extended = ledger.apply(Input::Extend(Extend {
        request_id: grant.request_id.clone(),
        ticket: grant.ticket,
        tokens_in: Tokens::new(40),
        max_tokens_out: None,
        price: None,
        session: Some(state(1, 30)),
        creates_session: false,
        copied: Storage::ZERO,
    }));
    assert!(matches!(extended.answer, LedgerAnswer::Extended { .. }));
    ledger.apply(Input::Release {
        request_id: grant.request_id,
    });
    let turn = ledger.turn();
    assert_eq!(ledger.granted(turn).session, None);
}

#[test]
fn a_session_is_read_again_after_a_turn_with_unknown_outcome() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let turn = ledger.turn();
    let first = ledger.granted(turn);
    ledger.settle_turn(&first, spent(10, 20), Some(state(1, 30)));
    let turn = ledger.turn();
    let second = ledger.granted(turn);
    ledger.settle_turn(&second, spent(10, 20), None);
    let turn = ledger.turn();
    assert_eq!(ledger.granted(turn).session, None);
}

fn session_changed() -> Input {
    Input::Forget {
        session_id: session(),
        storage: StorageChange::default(),
    }
}

#[test]
fn unused_sessions_are_evicted_above_the_limit() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    for number in 0..10_000 {
        ledger.now += 1;
        let mut turn = ledger.request();
        turn.session_id = Some(format!("s{number}").parse().expect("valid id"));
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
    let count = rows.iter().filter(sessions).count();
    assert!((7000..=8192).contains(&count), "{count}");
    let mut turn = ledger.request();
    turn.session_id = Some("s9999".parse().expect("valid id"));
    assert_eq!(ledger.granted(turn).session, Some(state(1, 2)));
}

#[test]
fn after_a_restore_every_session_is_read_again_and_the_usage_remains() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let turn = ledger.turn();
    let first = ledger.granted(turn);
    ledger.settle_turn(&first, spent(10, 20), Some(state(5, 30)));

    // An ordinary change of the settings keeps the head.
    ledger.apply(Input::Configure(config(2, Quotas::UNLIMITED)));
    let mut running = ledger.turn();
    running.caller.config_version = 2;
    let running = ledger.granted(running);
    assert_eq!(running.session, Some(state(5, 30)));

    // A gateway reads the restored record and sends it with the next request.
    let restored = config(1_800_000_000 * LedgerConfig::EPOCH, Quotas::UNLIMITED);
    let mut turn = ledger.turn();
    turn.session_id = Some("session-2".parse().expect("a name"));
    turn.caller.config_version = restored.version;
    turn.caller.config = Some(Box::new(restored));
    ledger.granted(turn);
    // A turn that ran meanwhile has continued the history from before the restore.
    ledger.settle_turn(&running, spent(1, 1), Some(state(6, 32)));
    ledger.restart();
    let mut turn = ledger.turn();
    turn.caller.config_version = restored.version;
    assert_eq!(ledger.granted(turn).session, None);
    assert_eq!(ledger.used(), 32);
}
