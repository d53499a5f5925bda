//! What a turn asks of the database, the cache and the ledger, and how long the gateway takes for one,
//! with a session and without. Prints one JSON array; `cargo xtask bench` shows it.
//!
//! Native: the database is `SQLite` in memory, the cache and the ledger's rows are maps, and the
//! provider answers at once.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected must stop the bench"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use serde::Serialize;
use support::asked::{Asked, Past, ready};

/// How often each call is timed, each time in a deployment of its own.
const ROUNDS: usize = 200;

/// One kind of call.
#[derive(Serialize)]
struct Turn {
    name: &'static str,
    before: Asked,
    after: Asked,
    /// The shortest of all rounds: whatever else runs on the machine only ever adds.
    microseconds: f64,
}

fn main() {
    let mut turns = [
        ("stateless", Past::None),
        ("hot session", Past::Hot),
        ("cold session", Past::Cold),
    ]
    .map(|(name, past)| {
        let [before, after] = ready(past).call();
        let microseconds = f64::INFINITY;
        let turn = Turn {
            name,
            before,
            after,
            microseconds,
        };
        (past, turn)
    });
    // In turns, so that a machine that is busy for a while is so for all of them.
    for _ in 0..ROUNDS {
        for (past, turn) in &mut turns {
            turn.microseconds = turn.microseconds.min(microseconds(*past));
        }
    }
    let turns = turns.map(|(_, turn)| turn);
    println!("{}", serde_json::to_string(&turns).expect("JSON"));
}

fn microseconds(past: Past) -> f64 {
    let ready = ready(past);
    #[allow(clippy::disallowed_methods, reason = "a native program that times")]
    let started = Instant::now();
    ready.call();
    started.elapsed().as_secs_f64() * 1e6
}
