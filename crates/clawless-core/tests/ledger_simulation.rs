//! The ledger against everything that can happen to it.
//!
//! Each seed drives one tenant's ledger through calls, deaths at every step, restarts that lose
//! what was not written, clocks that step by an hour, late, doubled and lost messages, and an
//! operator who changes limits under way. A plain book-keeper beside it checks every answer. A seed
//! that fails prints itself; `CLAWLESS_SEED=<seed>` runs it alone.
//!
//! A simulation that never fails proves nothing, so the machine was broken on purpose, in one place
//! at a time; each of these makes a seed fail:
//! a settlement of any ticket closes · time runs on when the clock steps back · no jump of the clock
//! is swallowed · one call too many at once · a lane lets two in · a parked turn leaves its lane open
//! · open reservations do not count against quotas · excess is forgotten · an acknowledgement removes
//! any revision · a correction adds instead of replacing · filed sums, receipts or a suspension are
//! not written · a swept session keeps its head · nobody wakes a waiter · a woken waiter's key is not
//! asked for again · lanes are free after a restart · a blind closing is forgotten at once.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

#[allow(unreachable_pub, reason = "shared by the files of one test")]
mod simulation;

use simulation::world::World;

const SEEDS: u64 = 100;
/// Things that happen in one seed. More inputs than that reach the ledger.
const STEPS: u64 = 10_000;

/// Names the seed when a test fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with CLAWLESS_SEED={}", self.0);
        }
    }
}

fn run(seed: u64) -> World {
    let _named = Named(seed);
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.end();
    world
}

#[test]
fn the_books_are_right_whatever_happens() {
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
        let world = run(seed);
        operations += world.operations;
        crashes += world.crashes;
        overruns += world.oracle.overruns;
        receipts += world.database.receipts.len();
        for (reason, count) in world.oracle.denials {
            *denials.entry(format!("{reason:?}")).or_insert(0) += count;
        }
    }
    println!(
        "{operations} operations, {crashes} crashes, {receipts} receipts, {overruns} overruns"
    );
    println!("{denials:?}");
    assert!(all.end - all.start == 1 || operations >= 1_000_000);
}
