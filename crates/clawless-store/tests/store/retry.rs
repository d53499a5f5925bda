//! Retries of database calls.

use std::cell::Cell;

use clawless_core::Millis;
use clawless_store::{Backoff, SqlError, retry};
use clawless_testkit::{Fault, InstantTimer, SeededEntropy, block_on};

#[test]
fn delays_are_random_below_a_bound_that_doubles() {
    for seed in 0..100 {
        let timer = InstantTimer::default();
        let failed: Result<(), _> = block_on(retry(
            Backoff::DATABASE,
            &timer,
            &SeededEntropy::new(seed),
            async || Err(SqlError::from_message(Fault::CONNECTION_LOST)),
        ));
        assert!(failed.is_err());
        let delays = timer.slept();
        assert_eq!(delays.len(), 4, "five tries have four delays");
        for (delay, bound) in delays.iter().zip([50, 100, 200, 400]) {
            assert!(*delay <= Millis::new(bound), "{delay:?} of {bound}");
        }
    }
}

#[test]
fn permanent_error_is_not_retried() {
    let tries = Cell::new(0);
    let failed: Result<(), _> = block_on(retry(
        Backoff::DATABASE,
        &InstantTimer::default(),
        &SeededEntropy::new(1),
        async || {
            tries.set(tries.get() + 1);
            Err(SqlError::from_message("D1_ERROR: no such table: turns"))
        },
    ));
    assert!(failed.is_err());
    assert_eq!(tries.get(), 1);
}
