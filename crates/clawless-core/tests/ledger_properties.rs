//! Property tests of the ledger with arbitrary numbers and orders of events.

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
use clawless_core::limits::{KeyLimits, Limits, Quotas, StorageLimits};
use clawless_core::tenant::TenantStatus;
use clawless_core::{MicroDollars, Storage, Timestamp, Tokens};
use proptest::prelude::*;

const START: u64 = 1_738_366_200_000;

/// Edge cases and ordinary numbers.
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
            limits: Limits { requests_per_minute, burst, concurrent, ..Limits::UNLIMITED },
            quotas: Quotas {
                messages_per_month,
                tokens_per_month: tokens.map(Tokens::new),
                micro_dollars_per_month: money.map(MicroDollars::new),
            },
            storage: Some(StorageLimits::UNLIMITED),
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
            key_limits: KeyLimits::default(),
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
        storage: Storage::ZERO,
    }
}

proptest! {
    /// No number makes the account overflow, become inconsistent, or exceed a quota at admission.
    #[test]
    fn arbitrary_numbers_keep_the_account_consistent(
        config in config(),
        calls in proptest::collection::vec(call(), 1..20),
    ) {
        let mut machine = Machine::default();
        machine.apply(Timestamp::from_millis(START), Input::Configure(config));
        for (number, call) in calls.iter().enumerate() {
            let now = Timestamp::from_millis(call.now);
            let admission = admit(number as u64, call);
            let output = machine.apply(now, Input::Admit(Box::new(admission)));
            let period = machine.period();
            let account = machine.statement(period);
            let LedgerAnswer::Granted(grant) = output.answer else { continue };
            let taken = account.closed.used().plus(&account.open);
            let quotas = config.quotas;
            prop_assert!(quotas.tokens_per_month.is_none_or(|limit| taken.tokens <= limit));
            prop_assert!(
                quotas.micro_dollars_per_month.is_none_or(|limit| taken.micro_dollars <= limit)
            );
            let settle = Settle {
                request_id: grant.request_id,
                ticket: grant.ticket,
                spent: call.spent,
                provenance: Provenance::Provider,
                model: None,
                stored: Storage::ZERO,
                session: None,
            };
            let before = account.closed.used();
            let output = machine.apply(now, Input::Settle(Box::new(settle)));
            prop_assert_eq!(output.answer, LedgerAnswer::Closed(Closing::Booked));
            let account = machine.statement(period);
            let parts = account.closed.settled.plus(&account.closed.released).plus(&account.open);
            prop_assert_eq!(account.granted, parts);
            let after = account.closed.used();
            prop_assert!(after.tokens >= before.tokens && after.tokens.get() < 1 << 53);
            prop_assert!(after.micro_dollars >= before.micro_dollars);
        }
        let rows = machine.rows().expect("plain data");
        let texts: Vec<_> = rows.iter().filter_map(|write| match write {
            Write::Put { table, key, value } => Some((*table, key.as_str(), value.as_str())),
            Write::Delete { .. } => None,
        }).collect();
        let reloaded = Machine::load(texts.iter().rev().copied()).expect("valid rows");
        prop_assert_eq!(reloaded.rows().expect("plain data"), rows);
    }

    /// For any clock, a bucket admits at most its burst plus its refill over the elapsed time.
    #[test]
    fn clock_steps_do_not_refill_a_bucket_twice(
        steps in proptest::collection::vec(0..3_600_000_u64, 1..200),
    ) {
        let limits = Limits { requests_per_minute: Some(60), burst: Some(5), ..Limits::UNLIMITED };
        let config = LedgerConfig {
            version: 1,
            status: TenantStatus::Active,
            limits,
            quotas: Quotas::UNLIMITED,
            storage: Some(StorageLimits::UNLIMITED),
        };
        let call = Call {
            now: 0,
            tokens_in: 0,
            max_tokens_out: None,
            answers: 1,
            price: Price::default(),
            spent: Spent::default(),
        };
        // The clock shows its latest time first, so no later reading is new time.
        let latest = START + 3_600_000;
        let mut machine = Machine::default();
        machine.apply(Timestamp::from_millis(latest), Input::Configure(config));
        let mut granted = 0_u64;
        let mut short_moves = 0;
        let mut previous = latest;
        for (number, step) in steps.iter().enumerate() {
            let now = START + step;
            // A step of up to one minute may be elapsed time.
            if now > previous && now - previous <= 60_000 {
                short_moves += now - previous;
            }
            previous = now;
            let input = Input::Admit(Box::new(admit(number as u64, &call)));
            let output = machine.apply(Timestamp::from_millis(now), input);
            granted += u64::from(matches!(output.answer, LedgerAnswer::Granted(_)));
        }
        prop_assert!(granted <= 5 + short_moves / 1000 + 1, "{granted} granted");
    }

    /// A period contains its moments and round-trips through its name.
    #[test]
    fn a_period_round_trips_through_its_name(moment in 0..253_402_300_800_000_u64) {
        let moment = Timestamp::from_millis(moment);
        let period = Period::of(moment);
        prop_assert!(period.begins_at() <= moment && moment < period.ends_at());
        prop_assert_eq!(period.to_string().parse(), Ok(period));
    }
}
