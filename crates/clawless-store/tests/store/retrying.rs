//! Trying again: how often, and how patiently.

use std::cell::Cell;

use clawless_core::Millis;
use clawless_store::{Backoff, SqlError, retry};
use clawless_testkit::{Fault, InstantTimer, SeededEntropy, block_on};

#[test]
fn pauses_are_random_below_a_ceiling_that_doubles() {
    for seed in 0..100 {
        let timer = InstantTimer::default();
        let failed: Result<(), _> = block_on(retry(
            Backoff::DATABASE,
            &timer,
            &SeededEntropy::new(seed),
            async || Err(SqlError::from_message(Fault::LOST)),
        ));
        assert!(failed.is_err());
        let slept = timer.slept();
        assert_eq!(slept.len(), 4, "five tries have four pauses");
        for (pause, ceiling) in slept.iter().zip([50, 100, 200, 400]) {
            assert!(*pause <= Millis::new(ceiling), "{pause:?} of {ceiling}");
        }
    }
}

#[test]
fn what_cannot_get_better_is_not_tried_again() {
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
