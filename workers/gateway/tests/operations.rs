//! The number of database, cache and ledger calls of a turn.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

mod support;

use support::operation_counts::{OperationCounts, SessionState, prepare};

const ONLY_THE_LEDGER: OperationCounts = OperationCounts {
    database: 0,
    cache_reads: 0,
    cache_writes: 0,
    ledger: 1,
};

/// The calls of every turn of a session after its first byte.
const EACH_STORE_ONCE: OperationCounts = OperationCounts {
    database: 1,
    cache_writes: 1,
    ..ONLY_THE_LEDGER
};

#[test]
fn a_stateless_call_calls_only_the_ledger_once_before_and_once_after() {
    assert_eq!(
        prepare(SessionState::None).call(),
        [ONLY_THE_LEDGER, ONLY_THE_LEDGER]
    );
}

#[test]
fn a_turn_of_a_hot_session_reads_the_cache_before_it_and_writes_each_store_once_after_it() {
    let before = OperationCounts {
        cache_reads: 1,
        ..ONLY_THE_LEDGER
    };
    assert_eq!(prepare(SessionState::Hot).call(), [before, EACH_STORE_ONCE]);
}

#[test]
fn a_turn_of_a_cold_session_reads_the_database_before_it() {
    // The session, the size of its history, and its messages.
    let before = OperationCounts {
        database: 3,
        cache_reads: 1,
        ..ONLY_THE_LEDGER
    };
    assert_eq!(
        prepare(SessionState::Cold).call(),
        [before, EACH_STORE_ONCE]
    );
}
