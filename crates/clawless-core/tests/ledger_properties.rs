//! Properties of the ledger for numbers and orders that nobody would think of.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use clawless_core::ledger::{
    Admit, CallerVersions, Closing, EndpointClass, Input, LedgerAnswer, LedgerConfig, Machine,
    Period, Price, Provenance, Settle, Spent, Write,
};
use clawless_core::limits::{Limits, Quotas};
use clawless_core::tenant::TenantStatus;
use clawless_core::{MicroDollars, Timestamp, Tokens};
use proptest::prelude::*;

const START: u64 = 1_738_366_200_000;

/// Numbers that break things, and ordinary ones.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1),
        Just((1 << 53) + 1),
        Just(1 << 63),
        Just(u64::MAX),
        0..2000_u64,
        any::<u64>(),
    ]
}

fn limit() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(number())
}

prop_compose! {
    fn config()(
        requests_per_minute in limit(),
        burst in limit(),
        concurrent in limit(),
        messages_per_month in limit(),
        tokens in limit(),
        money in limit(),
    ) -> LedgerConfig {
        LedgerConfig {
            version: 1,
            status: TenantStatus::Active,
            limits: Limits { requests_per_minute, burst, concurrent },
            quotas: Quotas {
                messages_per_month,
                tokens_per_month: tokens.map(Tokens::new),
                micro_dollars_per_month: money.map(MicroDollars::new),
            },
        }
    }
}

#[derive(Debug, Clone)]
struct Call {
    now: u64,
    tokens_in: u64,
    max_tokens_out: Option<u64>,
    answers: u32,
    price: Price,
    spent: Spent,
}

prop_compose! {
    fn call()(
        now in prop_oneof![number(), START..START + 7_200_000],
        tokens_in in number(),
        max_tokens_out in limit(),
        answers in any::<u32>(),
        input in number(),
        output in number(),
        used in (number(), number(), number()),
    ) -> Call {
        Call {
            now,
            tokens_in,
            max_tokens_out,
            answers,
            price: Price { input: MicroDollars::new(input), output: MicroDollars::new(output) },
            spent: Spent {
                tokens_in: Tokens::new(used.0),
                tokens_out: Tokens::new(used.1),
                cost: MicroDollars::new(used.2),
            },
        }
    }
}

fn admit(number: u64, call: &Call) -> Admit {
    let id = ulid::Ulid::from_parts(START, u128::from(number));
    Admit {
        request_id: format!("req_{id}").parse().expect("id"),
        caller: CallerVersions {
            key_id: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
            key_version: 1,
            config_version: 1,
            config: None,
        },
        class: EndpointClass::Chat,
        session_id: None,
        model: "m".to_owned(),
        tokens_in: Tokens::new(call.tokens_in),
        max_tokens_out: call.max_tokens_out.map(Tokens::new),
        default_tokens_out: Tokens::new(4096),
        answers: call.answers,
        price: call.price,
    }
}

proptest! {
    /// No number makes the books wrap, stop adding up, or exceed a quota at admission.
    #[test]
    fn hostile_numbers_leave_the_books_whole(
        config in config(),
        calls in proptest::collection::vec(call(), 1..20),
    ) {
        let mut machine = Machine::default();
        machine.apply(Timestamp::from_millis(START), Input::Configure(config));
        for (number, call) in calls.iter().enumerate() {
            let now = Timestamp::from_millis(call.now);
            let asked = admit(number as u64, call);
            let output = machine.apply(now, Input::Admit(Box::new(asked)));
            let period = machine.period();
            let books = machine.statement(period);
            let LedgerAnswer::Granted(grant) = output.answer else { continue };
            let taken = books.closed.used().plus(&books.open);
            let quotas = config.quotas;
            prop_assert!(quotas.tokens_per_month.is_none_or(|most| taken.tokens <= most));
            prop_assert!(
                quotas.micro_dollars_per_month.is_none_or(|most| taken.micro_dollars <= most)
            );
            let settle = Settle {
                request_id: grant.request_id,
                ticket: grant.ticket,
                spent: call.spent,
                provenance: Provenance::Provider,
                model: None,
                session: None,
            };
            let before = books.closed.used();
            let output = machine.apply(now, Input::Settle(Box::new(settle)));
            prop_assert_eq!(output.answer, LedgerAnswer::Closed(Closing::Booked));
            let books = machine.statement(period);
            let parts = books.closed.settled.plus(&books.closed.released).plus(&books.open);
            prop_assert_eq!(books.granted, parts);
            let after = books.closed.used();
            prop_assert!(after.tokens >= before.tokens && after.tokens.get() < 1 << 53);
            prop_assert!(after.micro_dollars >= before.micro_dollars);
        }
        let rows = machine.rows().expect("plain data");
        let texts: Vec<_> = rows.iter().filter_map(|write| match write {
            Write::Put { table, key, value } => Some((*table, key.as_str(), value.as_str())),
            Write::Delete { .. } => None,
        }).collect();
        let again = Machine::load(texts.iter().rev().copied()).expect("own rows");
        prop_assert_eq!(again.rows().expect("plain data"), rows);
    }

    /// Whatever a clock shows, a bucket gives no more than its burst and what the time brought.
    #[test]
    fn no_order_of_times_refills_a_bucket_twice(
        steps in proptest::collection::vec(0..3_600_000_u64, 1..200),
    ) {
        let limits = Limits { requests_per_minute: Some(60), burst: Some(5), concurrent: None };
        let config = LedgerConfig {
            version: 1,
            status: TenantStatus::Active,
            limits,
            quotas: Quotas::UNLIMITED,
        };
        let call = Call {
            now: 0,
            tokens_in: 0,
            max_tokens_out: None,
            answers: 1,
            price: Price::default(),
            spent: Spent::default(),
        };
        // The clock shows its latest time first, so nothing after it is new.
        let latest = START + 3_600_000;
        let mut machine = Machine::default();
        machine.apply(Timestamp::from_millis(latest), Input::Configure(config));
        let mut passed = 0_u64;
        let mut short_moves = 0;
        let mut seen = latest;
        for (number, step) in steps.iter().enumerate() {
            let now = START + step;
            // A move of up to a minute may be time that really went by.
            if now > seen && now - seen <= 60_000 {
                short_moves += now - seen;
            }
            seen = now;
            let asked = Input::Admit(Box::new(admit(number as u64, &call)));
            let output = machine.apply(Timestamp::from_millis(now), asked);
            passed += u64::from(matches!(output.answer, LedgerAnswer::Granted(_)));
        }
        prop_assert!(passed <= 5 + short_moves / 1000 + 1, "{passed} passed");
    }

    /// A month is the same whether it is told by its name or by any of its moments.
    #[test]
    fn a_period_is_what_its_name_says(moment in 0..253_402_300_800_000_u64) {
        let moment = Timestamp::from_millis(moment);
        let period = Period::of(moment);
        prop_assert!(period.begins_at() <= moment && moment < period.ends_at());
        prop_assert_eq!(period.to_string().parse(), Ok(period));
    }
}
