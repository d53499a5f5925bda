use clawless_core::ledger::{Event, Extend, QuotaKind};

use super::*;

#[test]
fn attack_43_output_without_a_limit_is_capped_by_the_remaining_quota() {
    let mut ledger = Ledger::with_quotas(tokens(100));
    let request = Admit {
        max_tokens_out: None,
        ..ledger.request()
    };
    let grant = ledger.granted(request);
    assert_eq!(
        (grant.max_tokens_out.get(), grant.reserved.tokens.get()),
        (90, 100)
    );

    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let request = Admit {
        max_tokens_out: None,
        ..ledger.request()
    };
    assert_eq!(ledger.granted(request).max_tokens_out.get(), 1000);
}

#[test]
fn attack_40_every_answer_is_reserved() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    let request = Admit {
        answers: 5,
        ..ledger.request()
    };
    assert_eq!(ledger.granted(request).reserved.tokens.get(), 10 + 5 * 90);
}

#[test]
fn attack_44_one_of_a_thousand_requests_gets_the_last_unit() {
    let one_message = Quotas {
        messages_per_month: Some(1),
        ..Quotas::UNLIMITED
    };
    let one_micro_dollar = Quotas {
        micro_dollars_per_month: Some(MicroDollars::new(1)),
        ..Quotas::UNLIMITED
    };
    let price = Price {
        input: MicroDollars::new(1),
        output: MicroDollars::new(1),
    };
    for quotas in [one_message, tokens(11), one_micro_dollar] {
        let mut ledger = Ledger::with_quotas(quotas);
        let mut granted = 0;
        for _ in 0..1000 {
            let request = Admit {
                price,
                ..ledger.request()
            };
            match ledger.admit(request).answer {
                LedgerAnswer::Granted(_) => granted += 1,
                other => assert_eq!(denial(other).reason, DenialReason::QuotaReserved),
            }
        }
        assert_eq!(granted, 1, "{quotas:?}");
    }
}

#[test]
fn attack_49_usage_that_no_call_can_have_does_not_wrap_the_books() {
    let mut ledger = Ledger::with_quotas(Quotas::UNLIMITED);
    for _ in 0..3 {
        let request = ledger.request();
        let grant = ledger.granted(request);
        let impossible = Spent {
            cost: MicroDollars::new(u64::MAX),
            ..spent(u64::MAX, 1 << 63)
        };
        assert_eq!(ledger.settle(&grant, impossible).answer, BOOKED);
    }
    assert!(ledger.used() > 1 << 40 && ledger.used() < 1 << 53);
}

#[test]
fn attack_50_zero_exceeded_and_maximum_quotas_are_handled() {
    let mut ledger = Ledger::with_quotas(tokens(0));
    let request = ledger.request();
    let denial = ledger.denied(request);
    assert_eq!(denial.reason, DenialReason::QuotaUsedUp);
    assert_eq!(denial.retry_after, None);
    let quota = denial.quota.expect("quota details");
    assert_eq!(
        (quota.kind, quota.used, quota.limit),
        (QuotaKind::Tokens, 0, 0)
    );
    assert_eq!(quota.resets_at.as_millis(), NOW + HOUR / 2);

    let mut ledger = Ledger::with_quotas(tokens(u64::MAX));
    let request = ledger.request();
    let grant = ledger.granted(request);
    ledger.settle(&grant, spent(10, 90));
    ledger.apply(Input::Configure(config(2, tokens(50))));
    let mut request = ledger.request();
    request.caller.config_version = 2;
    let quota = ledger.denied(request).quota.expect("quota details");
    assert_eq!((quota.used, quota.limit), (100, 50));
}

#[test]
fn attack_50_what_running_calls_have_reserved_is_not_used_up() {
    let mut ledger = Ledger::with_quotas(tokens(150));
    let request = ledger.request();
    let running = ledger.granted(request);
    let wanted = Admit {
        tokens_in: Tokens::new(60),
        ..ledger.request()
    };
    let denial = ledger.denied(wanted.clone());
    assert_eq!(denial.reason, DenialReason::QuotaReserved);
    assert_eq!(denial.reason.code().as_str(), "rate_limit_exceeded");
    assert_eq!(denial.retry_after, Some(Millis::from_secs(10)));
    let quota = denial.quota.expect("quota details");
    assert_eq!((quota.used, quota.reserved, quota.limit), (0, 100, 150));
    // No longer than the time in which a lost call is swept.
    ledger.now += 57_000;
    let denial = ledger.denied(wanted.clone());
    assert_eq!(denial.retry_after, Some(Millis::from_secs(3)));
    ledger.settle(&running, spent(10, 90));
    let denial = ledger.denied(wanted);
    assert_eq!(denial.reason, DenialReason::QuotaUsedUp);
    assert_eq!(denial.retry_after, None);
}

#[test]
fn a_call_is_settled_once_and_frees_the_unused_reservation() {
    let mut ledger = Ledger::with_quotas(tokens(100));
    let request = ledger.request();
    let grant = ledger.granted(request.clone());
    assert_eq!(ledger.settle(&grant, spent(10, 5)).answer, BOOKED);
    assert_eq!(ledger.settle(&grant, spent(10, 5)).answer, NOT_OPEN);
    assert_eq!(ledger.denied(request).reason, DenialReason::NotOpen);
    assert_eq!(ledger.used(), 15);
    let request = Admit {
        max_tokens_out: None,
        ..ledger.request()
    };
    assert_eq!(ledger.granted(request).max_tokens_out.get(), 75);
}

#[test]
fn usage_beyond_the_reservation_is_charged_and_reported() {
    let mut ledger = Ledger::with_quotas(tokens(100));
    let request = ledger.request();
    let grant = ledger.granted(request);
    let output = ledger.settle(&grant, spent(10, 200));
    assert!(output.events.iter().any(|event| matches!(
        event,
        Event::Overrun { excess, .. } if excess.tokens.get() == 110
    )));
    let percents: Vec<u8> = output
        .events
        .iter()
        .filter_map(|event| match event {
            Event::QuotaWarning { percent, .. } => Some(*percent),
            _ => None,
        })
        .collect();
    assert_eq!(percents, [80, 100]);
    let exceeded = output.events.iter().any(|event| {
        matches!(
            event,
            Event::QuotaExceeded { kind: QuotaKind::Tokens, used: 210, limit: 100, request_id, key_id, .. }
                if *request_id == grant.request_id && *key_id == caller().key_id
        )
    });
    assert!(exceeded, "{:?}", output.events);
    assert_eq!(ledger.used(), 210);
}

#[test]
fn a_warning_is_sent_once_per_period_even_after_a_restart() {
    let mut ledger = Ledger::with_quotas(tokens(1000));
    let mut warned = 0;
    for _ in 0..10 {
        let request = Admit {
            max_tokens_out: Some(Tokens::new(80)),
            ..ledger.request()
        };
        let grant = ledger.granted(request);
        warned += ledger.settle(&grant, spent(10, 80)).events.len();
        ledger.restart();
    }
    assert_eq!(warned, 1);
}

#[test]
fn a_released_call_is_not_charged() {
    let mut ledger = Ledger::with_quotas(tokens(100));
    let request = ledger.request();
    let grant = ledger.granted(request);
    let request_id = grant.request_id.clone();
    assert_eq!(ledger.apply(Input::Release { request_id }).answer, BOOKED);
    assert_eq!((ledger.used(), ledger.machine.running()), (0, 0));
    assert_eq!(ledger.settle(&grant, spent(10, 10)).answer, NOT_OPEN);
    let request = ledger.request();
    ledger.granted(request);
}

#[test]
fn a_denied_extension_keeps_the_reservation() {
    let mut ledger = Ledger::with_quotas(tokens(200));
    let request = ledger.request();
    let grant = ledger.granted(request);
    let extend = |tokens_in| {
        Input::Extend(Extend {
            request_id: grant.request_id.clone(),
            ticket: grant.ticket,
            tokens_in: Tokens::new(tokens_in),
            max_tokens_out: None,
            price: None,
            session: None,
            creates_session: false,
            copied: Storage::ZERO,
        })
    };
    for _ in 0..2 {
        let answer = ledger.apply(extend(150)).answer;
        let LedgerAnswer::Extended {
            reserved,
            max_tokens_out,
        } = answer
        else {
            panic!("{answer:?}")
        };
        assert_eq!((reserved.tokens.get(), max_tokens_out.get()), (200, 50));
    }
    let refused = denial(ledger.apply(extend(250)).answer);
    assert_eq!(refused.reason, DenialReason::QuotaUsedUp);
    assert_eq!(ledger.settle(&grant, spent(150, 50)).answer, BOOKED);
    assert_eq!(ledger.used(), 200);
}

#[test]
fn an_extension_raises_the_reserved_price() {
    let mut ledger = Ledger::with_quotas(Quotas {
        micro_dollars_per_month: Some(MicroDollars::new(100)),
        ..Quotas::UNLIMITED
    });
    let request = ledger.request();
    let grant = ledger.granted(request);
    let extend_at = |price| {
        let price = MicroDollars::new(price);
        Input::Extend(Extend {
            request_id: grant.request_id.clone(),
            ticket: grant.ticket,
            tokens_in: Tokens::new(10),
            max_tokens_out: None,
            price: Some(Price {
                input: price,
                output: price,
            }),
            session: None,
            creates_session: false,
            copied: Storage::ZERO,
        })
    };
    let mut extended = |price| match ledger.apply(extend_at(price)).answer {
        LedgerAnswer::Extended {
            reserved,
            max_tokens_out,
        } => (reserved.micro_dollars.get(), max_tokens_out.get()),
        answer => panic!("{answer:?}"),
    };
    // 100 tokens at half a micro-dollar; a lower price later releases nothing.
    assert_eq!(extended(500_000), (50, 90));
    assert_eq!(extended(1000), (50, 90));
    // 10 input tokens for 20 micro-dollars, 40 output tokens for the rest.
    assert_eq!(extended(2_000_000), (100, 40));
    let refused = denial(ledger.apply(extend_at(20_000_000)).answer);
    assert_eq!(refused.reason, DenialReason::QuotaUsedUp);
}

#[test]
fn headers_report_the_remaining_amounts() {
    let limits = Limits {
        requests_per_minute: Some(60),
        burst: Some(3),
        concurrent: None,
        ..Limits::UNLIMITED
    };
    let mut ledger = Ledger::new(LedgerConfig {
        limits,
        ..config(1, tokens(1000))
    });
    let request = ledger.request();
    let headers = ledger.admit(request).headers;
    let requests = headers.requests.expect("limited");
    assert_eq!(
        (requests.limit, requests.remaining, requests.reset.get()),
        (3, 2, 1000)
    );
    let window = headers.tokens.expect("limited");
    assert_eq!((window.limit, window.remaining), (1000, 900));
    assert_eq!(headers.pairs().len(), 6);
}
