//! The ledger's promises, one by one: the attacks on money and the faults of clocks and alarms.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod stories;
