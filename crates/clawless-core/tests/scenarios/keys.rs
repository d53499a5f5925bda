use clawless_core::Millis;
use clawless_core::ledger::{Pass, Stale};

use super::*;

#[test]
fn attack_9_a_revoked_key_is_denied_permanently_from_the_next_request() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let request = ledger.request();
    ledger.granted(request);
    ledger.apply(Input::Revoke {
        key_id: caller().key_id,
    });
    let pass = Input::Pass(Pass {
        caller: caller(),
        class: EndpointClass::Read,
    });
    for _ in 0..2 {
        let mut request = ledger.request();
        assert_eq!(
            ledger.denied(request.clone()).reason,
            DenialReason::KeyRevoked
        );
        request.caller.key_version = 99;
        assert_eq!(ledger.denied(request).reason, DenialReason::KeyRevoked);
        assert_eq!(
            denial(ledger.apply(pass.clone()).answer).reason,
            DenialReason::KeyRevoked
        );
        ledger.restart();
    }
}

#[test]
fn an_outdated_key_or_tenant_record_is_stale() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    ledger.apply(Input::ReviseKey {
        key_id: caller().key_id,
        version: 3,
    });
    let mut request = ledger.request();
    let answer = ledger.admit(request.clone()).answer;
    assert_eq!(answer, LedgerAnswer::Stale(Stale::Key { known: 3 }));
    request.caller.key_version = 3;
    request.caller.config_version = 0;
    let answer = ledger.admit(request.clone()).answer;
    assert_eq!(
        answer,
        LedgerAnswer::Stale(Stale::Config { known: Some(1) })
    );
    request.caller.config_version = 2;
    let answer = ledger.admit(request.clone()).answer;
    assert_eq!(
        answer,
        LedgerAnswer::Stale(Stale::Config { known: Some(1) })
    );
    request.caller.config = Some(Box::new(config(2, tokens(100))));
    ledger.granted(request);
}

#[test]
fn an_unconfigured_ledger_denies_until_a_caller_sends_the_configuration() {
    let mut ledger = Ledger {
        machine: Machine::default(),
        now: NOW,
        request_count: 0,
    };
    let mut request = ledger.request();
    let answer = ledger.admit(request.clone()).answer;
    assert_eq!(answer, LedgerAnswer::Stale(Stale::Config { known: None }));
    request.caller.config = Some(Box::new(config(1, tokens(100))));
    ledger.granted(request);
}

#[test]
fn a_suspended_tenant_is_denied_until_a_newer_configuration() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    ledger.apply(Input::Suspend);
    ledger.apply(Input::Configure(config(1, Quotas::UNLIMITED)));
    let mut request = ledger.request();
    assert_eq!(
        ledger.denied(request.clone()).reason,
        DenialReason::Suspended
    );
    ledger.restart();
    assert_eq!(
        ledger.denied(request.clone()).reason,
        DenialReason::Suspended
    );
    request.caller.config_version = 2;
    ledger.apply(Input::Configure(config(2, Quotas::UNLIMITED)));
    ledger.granted(request);

    let suspended = LedgerConfig {
        status: TenantStatus::Suspended,
        ..config(3, Quotas::UNLIMITED)
    };
    ledger.apply(Input::Configure(suspended));
    let mut request = ledger.request();
    request.caller.config_version = 3;
    assert_eq!(ledger.denied(request).reason, DenialReason::Suspended);
}

#[test]
fn a_request_without_cost_writes_nothing() {
    let limits = Limits {
        requests_per_minute: Some(60),
        burst: Some(4),
        concurrent: Some(0),
        ..Limits::UNLIMITED
    };
    let mut ledger = Ledger::new(LedgerConfig {
        limits,
        ..config(1, tokens(0))
    });
    ledger.machine.take_writes().expect("plain data");
    let pass = Input::Pass(Pass {
        caller: caller(),
        class: EndpointClass::Read,
    });
    assert_eq!(ledger.apply(pass.clone()).answer, LedgerAnswer::Passed);
    assert_eq!(ledger.apply(pass.clone()).answer, LedgerAnswer::Passed);
    let output = ledger.apply(pass);
    let denial = denial(output.answer);
    assert_eq!(denial.reason, DenialReason::RateLimited);
    assert_eq!(denial.retry_after.map(Millis::get), Some(2000));
    assert_eq!(
        output.headers.requests.map(|window| window.remaining),
        Some(0)
    );
    assert!(ledger.machine.take_writes().expect("plain data").is_empty());
}

#[test]
fn the_concurrency_limit_is_enforced() {
    let limits = Limits {
        concurrent: Some(2),
        ..Limits::UNLIMITED
    };
    let mut ledger = Ledger::new(LedgerConfig {
        limits,
        ..config(1, Quotas::UNLIMITED)
    });
    let (one, two, three) = (ledger.request(), ledger.request(), ledger.request());
    let one = ledger.granted(one);
    ledger.granted(two);
    let denial = ledger.denied(three.clone());
    assert_eq!(denial.reason, DenialReason::TooManyRunning);
    assert!(denial.retry_after.is_some());
    ledger.settle(&one, spent(1, 1));
    ledger.granted(three);
}

#[test]
fn a_key_at_its_own_concurrency_limit_does_not_block_the_others() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let limited = |ledger: &mut Ledger, concurrent| {
        let mut request = ledger.request();
        request.caller.key_limits.concurrent = Some(concurrent);
        request
    };
    let of_other_key = |ledger: &mut Ledger| {
        let mut request = limited(ledger, 1);
        request.caller.key_id = "key_01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().expect("id");
        request
    };
    let (one, two, three) = (
        limited(&mut ledger, 2),
        limited(&mut ledger, 2),
        limited(&mut ledger, 2),
    );
    let one = ledger.granted(one);
    ledger.granted(two);
    ledger.restart();
    let denial = ledger.denied(three.clone());
    assert_eq!(denial.reason, DenialReason::TooManyRunning);
    assert!(denial.of_key && denial.retry_after.is_some());
    let other = of_other_key(&mut ledger);
    ledger.granted(other);
    let other = of_other_key(&mut ledger);
    assert!(ledger.denied(other).of_key);
    ledger.settle(&one, spent(1, 1));
    ledger.granted(three);
    // A limit that was lowered counts the calls that are running already.
    let lowered = limited(&mut ledger, 1);
    assert!(ledger.denied(lowered).of_key);
}

#[test]
fn a_key_at_its_own_rate_does_not_block_the_others_and_is_charged_nothing() {
    let limits = Limits {
        requests_per_minute: Some(60),
        burst: Some(10),
        ..Limits::UNLIMITED
    };
    let mut ledger = Ledger::new(LedgerConfig {
        limits,
        ..config(1, Quotas::UNLIMITED)
    });
    let mut pass = Pass {
        caller: caller(),
        class: EndpointClass::Chat,
    };
    pass.caller.key_limits.requests_per_minute = Some(2);
    for remaining in [1, 0] {
        let output = ledger.apply(Input::Pass(pass.clone()));
        assert_eq!(output.answer, LedgerAnswer::Passed);
        let window = output.headers.requests.expect("limited");
        assert_eq!((window.limit, window.remaining), (2, remaining));
    }
    for _ in 0..20 {
        let denial = denial(ledger.apply(Input::Pass(pass.clone())).answer);
        assert_eq!(denial.reason, DenialReason::RateLimited);
        assert_eq!(denial.retry_after.map(Millis::get), Some(30_000));
        assert!(denial.of_key);
    }
    let mut other = Pass {
        caller: caller(),
        class: EndpointClass::Chat,
    };
    other.caller.key_id = "key_01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().expect("id");
    for remaining in (0..8).rev() {
        let output = ledger.apply(Input::Pass(other.clone()));
        assert_eq!(output.answer, LedgerAnswer::Passed);
        let window = output.headers.requests.expect("limited");
        assert_eq!((window.limit, window.remaining), (10, remaining));
    }
    let denial = denial(ledger.apply(Input::Pass(other)).answer);
    assert!(!denial.of_key, "the tenant's own rate");
}

#[test]
fn inputs_and_rows_without_the_newer_limits_are_readable() {
    let caller =
        r#"{"key_id":"key_01ARZ3NDEKTSV4RRFFQ69G5FAV","key_version":1,"config_version":1}"#;
    let read: CallerVersions = serde_json::from_str(caller).expect("an earlier gateway's");
    assert_eq!(read, self::caller());
    assert_eq!(serde_json::to_string(&read).expect("serialises"), caller);
    let row = r#"{"config":{"version":1,"status":"active","limits":{"requests_per_minute":60,"burst":4,
        "concurrent":2},"quotas":{"messages_per_month":null,"tokens_per_month":null,
        "micro_dollars_per_month":null}},"suspended":false}"#;
    Machine::load([("config", "", row)]).expect("an earlier version's row");
    let denial = r#"{"reason":"rate_limited","retry_after":1}"#;
    let read: Denial = serde_json::from_str(denial).expect("an earlier ledger's");
    assert!(!read.of_key);
}

#[test]
fn a_key_in_constant_use_is_recorded_once_per_five_minutes() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let pass = || {
        Input::Pass(Pass {
            caller: caller(),
            class: EndpointClass::Read,
        })
    };
    let uses = |ledger: &Ledger| -> Vec<_> {
        let uses = ledger.machine.key_uses();
        uses.map(|(key, at)| (key.clone(), at)).collect()
    };
    ledger.apply(pass());
    ledger.now += 1000;
    ledger.apply(pass());
    let recorded = uses(&ledger);
    assert_eq!(recorded, [(caller().key_id, Timestamp::from_millis(NOW))]);
    ledger.machine.mark_key_uses_written(&recorded);
    ledger.now += 298_000;
    ledger.apply(pass());
    assert_eq!(uses(&ledger), [], "recorded recently");
    ledger.now += 1000;
    ledger.apply(pass());
    assert_eq!(uses(&ledger).len(), 1);
}

#[test]
fn a_denied_request_does_not_count_as_key_use() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    ledger.apply(Input::Revoke {
        key_id: caller().key_id,
    });
    let request = ledger.request();
    ledger.denied(request);
    assert_eq!(ledger.machine.key_uses().count(), 0);
}
