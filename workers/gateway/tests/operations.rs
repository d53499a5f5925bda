//! How often a turn asks the database, the cache and the ledger: counts, not timings.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected must stop the test"
)]

mod support;

use support::asked::{Asked, Past, ready};

const ONLY_THE_LEDGER: Asked = Asked {
    database: 0,
    cache_reads: 0,
    cache_writes: 0,
    ledger: 1,
};

/// What every turn of a session asks after its first byte.
const EACH_STORE_ONCE: Asked = Asked {
    database: 1,
    cache_writes: 1,
    ..ONLY_THE_LEDGER
};

#[test]
fn a_stateless_call_calls_only_the_ledger_once_before_and_once_after() {
    assert_eq!(ready(Past::None).call(), [ONLY_THE_LEDGER, ONLY_THE_LEDGER]);
}

#[test]
fn a_turn_of_a_hot_session_reads_the_cache_before_it_and_writes_each_store_once_after_it() {
    let before = Asked {
        cache_reads: 1,
        ..ONLY_THE_LEDGER
    };
    assert_eq!(ready(Past::Hot).call(), [before, EACH_STORE_ONCE]);
}

#[test]
fn a_turn_of_a_session_that_no_cache_has_any_more_reads_the_database_before_it() {
    // The session, and what was said in it.
    let before = Asked {
        database: 2,
        cache_reads: 1,
        ..ONLY_THE_LEDGER
    };
    assert_eq!(ready(Past::Cold).call(), [before, EACH_STORE_ONCE]);
}
