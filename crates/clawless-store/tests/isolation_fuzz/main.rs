//! Isolation fuzz test: a million store calls by tenants who share all their ids. No tenant ever
//! reads, changes, blocks or is charged for another.
//!
//! In each seed several tenants use one database, with the real statements and migrations and the
//! same ids of sessions, requests, messages, keys and idempotency keys. Three checks run: a row
//! that is read must not contain the mark of another tenant; the database rejects a write to
//! another tenant's row; and a tenant's results must equal those that it gets alone. A failing seed
//! is printed; `CLAWLESS_SEED=<seed>` runs it again.
//!
//! To test the test, the tenant was removed from eight statements, one at a time: reads of
//! messages, of a position, of a receipt, of a sum and of a subquery, an `UPDATE` of a session and
//! one of a key, and a `DELETE` of turns. The first seed failed each time.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an unexpected result must stop the test"
)]

mod fixture;
mod operations;
mod random;

use std::collections::BTreeSet;
use std::thread;

use clawless_store::statements;

use fixture::Fixture;

const SEEDS: u64 = 20;
/// Store calls of one seed, by all of its tenants.
const CALLS: u64 = 51_000;
/// Tenants of one seed.
pub(crate) const TENANTS: usize = 5;

/// Prints the seed if the test fails.
struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("replay with CLAWLESS_SEED={}", self.0);
        }
    }
}

/// Runs a seed with all tenants, then with one of them alone. Returns the statements that were run.
fn run_seed(seed: u64) -> BTreeSet<&'static str> {
    let _print_seed = PrintSeed(seed);
    let together = Fixture::run(seed, CALLS, None);
    let tenant = usize::try_from(seed).expect("fits") % TENANTS;
    let alone = Fixture::run(seed, CALLS, Some(tenant));
    let pairs = together.results[tenant].iter().zip(&alone.results[tenant]);
    let difference = pairs.into_iter().position(|(one, other)| one != other);
    assert_eq!(
        difference, None,
        "tenant {tenant} gets another result alone at this call"
    );
    together.executed_statements()
}

#[test]
fn million_calls_with_shared_ids_never_cross_tenants() {
    let seeds: Vec<u64> = match std::env::var("CLAWLESS_SEED") {
        Ok(seed) => vec![seed.parse().expect("CLAWLESS_SEED is a number")],
        Err(_) => (0..SEEDS).collect(),
    };
    let halves = [0, 1].map(|half| {
        let seeds: Vec<u64> = seeds.iter().copied().skip(half).step_by(2).collect();
        thread::spawn(move || -> BTreeSet<&'static str> {
            seeds.into_iter().flat_map(run_seed).collect()
        })
    });
    let executed: BTreeSet<&str> = halves
        .into_iter()
        .flat_map(|half| half.join().expect("no seed fails"))
        .collect();
    const { assert!(SEEDS * CALLS >= 1_000_000) };
    let never_run: Vec<String> = statements()
        .into_iter()
        .filter(|(_, name, text)| {
            !executed.contains(text.as_str()) && !name.ends_with("_ACROSS_TENANTS")
        })
        .map(|(module, name, _)| format!("{module}::{name}"))
        .collect();
    assert!(
        never_run.is_empty(),
        "never run: {never_run:?}; add calls to operations.rs"
    );
}
