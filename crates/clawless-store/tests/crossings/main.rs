//! A million store calls by tenants who know all of one another's ids: none of them ever reads,
//! changes, blocks or is counted for another.
//!
//! In each seed some tenants work on one database, on the real statements and migrations, with the
//! names of sessions, requests, messages, keys and idempotency keys that all of them use. Three things
//! watch: every row that is read must hold no mark of another tenant; the database itself refuses a
//! write to another tenant's row; and a tenant's results must be those that it gets where it is alone.
//! A seed that fails prints itself; `CLAWLESS_SEED=<seed>` runs it again.
//!
//! What never fails proves nothing, so eight statements were bereft of their tenant, one at a time:
//! reads of messages, of a place, of a receipt, of a sum and of a subquery, an `UPDATE` of a session and
//! one of a key, and a `DELETE` of turns. Each made the first seed fail.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what is not as expected must stop the test"
)]

mod dice;
mod operations;
mod world;

use std::collections::BTreeSet;
use std::thread;

use clawless_store::statements;

use world::World;

const SEEDS: u64 = 20;
/// Store calls of one seed, by all of its tenants.
const CALLS: u64 = 51_000;
/// Tenants of one seed.
pub(crate) const TENANTS: usize = 5;

/// Names the seed when a test fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("replay with CLAWLESS_SEED={}", self.0);
        }
    }
}

/// Runs a seed with all of its tenants, then with one of them alone; gives the statements that ran.
fn run(seed: u64) -> BTreeSet<&'static str> {
    let _named = Named(seed);
    let together = World::run(seed, CALLS, None);
    let tenant = usize::try_from(seed).expect("fits") % TENANTS;
    let alone = World::run(seed, CALLS, Some(tenant));
    let both = together.heard[tenant].iter().zip(&alone.heard[tenant]);
    let difference = both.into_iter().position(|(one, other)| one != other);
    assert_eq!(
        difference, None,
        "tenant {tenant} gets something else at this call where it is alone"
    );
    together.ran()
}

#[test]
fn a_million_calls_of_tenants_who_know_one_anothers_ids_never_cross() {
    let seeds: Vec<u64> = match std::env::var("CLAWLESS_SEED") {
        Ok(seed) => vec![seed.parse().expect("CLAWLESS_SEED is a number")],
        Err(_) => (0..SEEDS).collect(),
    };
    let halves = [0, 1].map(|half| {
        let seeds: Vec<u64> = seeds.iter().copied().skip(half).step_by(2).collect();
        thread::spawn(move || -> BTreeSet<&'static str> {
            seeds.into_iter().flat_map(run).collect()
        })
    });
    let ran: BTreeSet<&str> = halves
        .into_iter()
        .flat_map(|half| half.join().expect("no seed fails"))
        .collect();
    const { assert!(SEEDS * CALLS >= 1_000_000) };
    for (module, name, text) in statements() {
        assert!(
            ran.contains(text.as_str()) || name.ends_with("_ACROSS_TENANTS"),
            "{module}::{name} was never run: give it a call in operations.rs"
        );
    }
}
