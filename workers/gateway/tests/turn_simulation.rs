//! Simulates turns, sessions and the ledger together under injected faults.
//!
//! In each seed, clients of two tenants use two isolates of the gateway (its real pipeline) over one
//! database and a ledger per tenant. The database and the ledger fail before and after their work,
//! the provider is slow, breaks and hangs, isolates are killed with all their tasks, and clients
//! disconnect, retry and send the same request twice at once. At the end the stored conversations,
//! the receipts and the provider's log are compared with what the clients received. A failing seed
//! is printed; `CLAWLESS_SEED=<seed>` replays it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

#[allow(unreachable_pub, reason = "shared by the files of one test")]
mod simulation;
mod support;

use simulation::{invariants, world};

const SEEDS: u64 = 1000;
const PARTS: usize = 4;

/// Prints the seed when a test fails.
struct ReplayHint(u64);

impl Drop for ReplayHint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with CLAWLESS_SEED={}", self.0);
        }
    }
}

/// Counts over some seeds, so that a simulation in which nothing happens fails.
#[derive(Debug, Default)]
struct Tally {
    responses: usize,
    broken: usize,
    calls: usize,
    deaths: u32,
    turns: i64,
}

fn run(seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let _hint = ReplayHint(seed);
        let world = world::simulate(seed);
        invariants::check(&world);
        tally.responses += world.responses.len();
        tally.broken += world
            .responses
            .iter()
            .filter(|response| !response.is_whole)
            .count();
        tally.calls += world.provider.log.borrow().len();
        tally.deaths += world.deaths;
        tally.turns += world.deployment.sql.count("SELECT count(*) FROM turns");
    }
    tally
}

/// Runs one of the [`PARTS`] parts of all seeds; the test runner runs them in parallel.
fn run_part(part: usize) {
    let all = run((0..SEEDS).skip(part).step_by(PARTS));
    println!("part {part} of {SEEDS} seeds: {all:?}");
    assert!(all.responses > 1200 && all.turns > 700, "{all:?}");
    assert!(all.broken > 5 && all.calls > 1200, "{all:?}");
    assert!(all.deaths > 250, "{all:?}");
}

#[test]
fn no_turn_is_lost_doubled_or_interleaved_and_every_token_is_charged_once() {
    match std::env::var("CLAWLESS_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("CLAWLESS_SEED is a number");
            println!("{:?}", run(std::iter::once(seed)));
        }
        Err(_) => run_part(0),
    }
}

#[test]
fn all_invariants_hold_for_the_second_part_of_the_seeds() {
    run_part(1);
}

#[test]
fn all_invariants_hold_for_the_third_part_of_the_seeds() {
    run_part(2);
}

#[test]
fn all_invariants_hold_for_the_fourth_part_of_the_seeds() {
    run_part(3);
}
