//! Counts the calls of the database, the cache and the ledger in a turn and measures its time, with
//! and without a session. Prints one JSON array; `cargo xtask bench` shows it.
//!
//! Native: the database is `SQLite` in memory, the cache and the ledger's rows are maps, and the
//! provider responds at once.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the bench"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use serde::Serialize;
use support::operation_counts::{OperationCounts, SessionState, prepare};

/// The measurements of each kind of turn, each in a new deployment.
const ROUNDS: usize = 200;

/// One kind of turn.
#[derive(Serialize)]
struct Turn {
    name: &'static str,
    before: OperationCounts,
    after: OperationCounts,
    /// The shortest of all rounds: other load on the machine only adds time.
    microseconds: f64,
}

fn main() {
    let mut turns = [
        ("stateless", SessionState::None),
        ("hot session", SessionState::Hot),
        ("cold session", SessionState::Cold),
    ]
    .map(|(name, session_state)| {
        let [before, after] = prepare(session_state).call();
        let microseconds = f64::INFINITY;
        let turn = Turn {
            name,
            before,
            after,
            microseconds,
        };
        (session_state, turn)
    });
    // Interleaved, so that load on the machine affects all kinds alike.
    for _ in 0..ROUNDS {
        for (session_state, turn) in &mut turns {
            turn.microseconds = turn.microseconds.min(microseconds(*session_state));
        }
    }
    let turns = turns.map(|(_, turn)| turn);
    println!("{}", serde_json::to_string(&turns).expect("JSON"));
}

fn microseconds(session_state: SessionState) -> f64 {
    let ready = prepare(session_state);
    #[allow(clippy::disallowed_methods, reason = "a native program that times")]
    let started = Instant::now();
    ready.call();
    started.elapsed().as_secs_f64() * 1e6
}
