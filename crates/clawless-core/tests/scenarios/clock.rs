use super::*;

#[test]
fn fault_29_a_turn_over_the_months_edge_is_charged_to_the_month_in_which_it_began() {
    let mut ledger = Ledger::with_quotas(tokens(100));
    let request = ledger.request();
    let grant = ledger.granted(request);
    let january = ledger.machine.period();
    ledger.now += HOUR;
    let request = ledger.request();
    let other = ledger.granted(request);
    let february = ledger.machine.period();
    assert!(february > january);
    ledger.settle(&grant, spent(10, 90));
    ledger.settle(&other, spent(10, 20));
    let used = |period| ledger.machine.statement(period).closed.used().tokens.get();
    assert_eq!((used(january), used(february)), (100, 30));
    let receipts: Vec<_> = ledger
        .machine
        .receipts()
        .map(|receipt| receipt.period)
        .collect();
    assert_eq!(receipts, [january, february]);
}

#[test]
fn attack_47_a_clock_that_steps_back_reopens_no_month() {
    for restarts in [false, true] {
        let mut ledger = Ledger::with_quotas(tokens(100));
        let request = ledger.request();
        let grant = ledger.granted(request);
        ledger.settle(&grant, spent(10, 90));
        ledger.now += HOUR;
        let request = ledger.request();
        let grant = ledger.granted(request);
        ledger.settle(&grant, spent(10, 90));
        for back in [HOUR, 0, HOUR, 0] {
            if restarts {
                ledger.restart();
            }
            ledger.now = NOW + HOUR - back;
            let request = ledger.request();
            assert_eq!(ledger.denied(request).reason, DenialReason::QuotaUsedUp);
        }
    }
}

#[test]
fn fault_29_a_clock_that_steps_back_and_forth_neither_refills_nor_blocks() {
    let limits = Limits {
        requests_per_minute: Some(60),
        burst: Some(5),
        concurrent: None,
        ..Limits::UNLIMITED
    };
    let mut ledger = Ledger::new(LedgerConfig {
        limits,
        ..config(1, Quotas::UNLIMITED)
    });
    for _ in 0..5 {
        let request = ledger.request();
        ledger.granted(request);
    }
    for now in [NOW, NOW - HOUR, NOW, NOW - HOUR, NOW - HOUR / 2, NOW] {
        ledger.now = now;
        let request = ledger.request();
        assert_eq!(
            ledger.denied(request).reason,
            DenialReason::RateLimited,
            "at {now}"
        );
    }
    ledger.now = NOW - HOUR;
    let request = ledger.request();
    let wait = ledger.denied(request).retry_after.expect("retry delay");
    assert_eq!(wait.get(), 1000);
    ledger.now += wait.get();
    let request = ledger.request();
    ledger.granted(request);
}

#[test]
fn fault_29_deadlines_follow_the_wall_clock() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let request = ledger.request();
    ledger.granted(request);
    ledger.now -= HOUR;
    assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
    let due = ledger.machine.next_sweep().expect("an open reservation");
    assert_eq!(due.as_millis(), NOW - HOUR + 60_000);
    ledger.now += 30_000;
    assert!(overdue(&ledger.apply(Input::Sweep)).is_empty());
}
