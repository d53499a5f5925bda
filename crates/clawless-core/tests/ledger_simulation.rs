//! Randomised simulation of the ledger.
//!
//! Each seed drives one tenant's ledger through calls, crashes at every step, restarts that lose
//! unwritten state, clock steps of an hour, delayed, repeated and lost messages, and configuration
//! changes. An independent model checks every answer. A failing seed is printed;
//! `CLAWLESS_SEED=<seed>` runs it alone.
//!
//! Mutation check: each of these bugs, introduced one at a time, makes a seed fail: a settlement with
//! any ticket closes a call; time advances when the clock steps back; clock corrections count as time;
//! the concurrency limit is off by one; a lane admits two turns; a parked turn does not lock its lane;
//! open reservations do not count against quotas; excess is ignored; an acknowledgement removes any
//! revision; a correction adds instead of replacing; acknowledged totals, receipts or a suspension are
//! not persisted; a swept session keeps its head; waiters are not woken; a woken waiter's key is not
//! checked again; lanes are free after a restart; a call closed without outcome is not rechecked.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[allow(unreachable_pub, reason = "shared by the files of one test")]
mod simulation;

use simulation::harness::Harness;

const SEEDS: u64 = 100;
/// Events per seed. Some events send several inputs.
const EVENTS: u64 = 10_000;

/// Prints the seed if the test fails.
struct SeedReport(u64);

impl Drop for SeedReport {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with CLAWLESS_SEED={}", self.0);
        }
    }
}

fn run(seed: u64) -> Harness {
    let _report = SeedReport(seed);
    let mut harness = Harness::new(seed);
    for _ in 0..EVENTS {
        harness.step();
    }
    harness.finish();
    harness
}

#[test]
fn accounts_are_correct_under_random_faults() {
    let seeds = match std::env::var("CLAWLESS_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("CLAWLESS_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..SEEDS,
    };
    let all = seeds.clone();
    let (mut operations, mut crashes, mut receipts, mut overruns) = (0, 0, 0, 0);
    let mut denials = std::collections::BTreeMap::new();
    for seed in seeds {
        let harness = run(seed);
        operations += harness.operations;
        crashes += harness.crashes;
        overruns += harness.model.overruns;
        receipts += harness.database.receipts.len();
        for (reason, count) in harness.model.denials {
            *denials.entry(format!("{reason:?}")).or_insert(0) += count;
        }
    }
    println!(
        "{operations} operations, {crashes} crashes, {receipts} receipts, {overruns} overruns"
    );
    println!("{denials:?}");
    assert!(all.end - all.start == 1 || operations >= 1_000_000);
}
