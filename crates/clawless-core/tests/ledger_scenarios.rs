//! Scenario tests of the ledger: attacks on quotas, clock and alarm faults, sessions, keys.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod scenarios;
