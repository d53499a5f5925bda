//! The ledger of one tenant: it decides on money, quotas, rate limits, concurrency, revoked keys,
//! configuration versions and the order of turns in a session.
//!
//! The ledger is a state machine without clock, randomness or I/O. [`Machine::apply`] takes the
//! time and an [`Input`] and returns an [`Output`]; [`Machine::take_writes`] returns the row changes
//! since the last call; [`Machine::load`] rebuilds the machine from rows. One Durable Object per
//! tenant owns one machine, applies inputs in order of arrival, commits the writes of each batch of
//! inputs atomically, and sends no output before its writes are durable.
//! `tests/ledger_simulation.rs` checks the accounts under every other failure.
//!
//! | part | file |
//! |---|---|
//! | state, accessors | `machine.rs`, inputs dispatched in `apply.rs` |
//! | rate limiter | `buckets.rs` |
//! | storage quota | `storage.rs`, checked in `storage_quota.rs` |
//! | quotas | `quotas.rs`, months in `period.rs`, prices in `price.rs` |
//! | reservations | `reservations.rs`, opened in `admission.rs`, closed in `closing.rs` |
//! | sessions: one turn at a time, heads, token totals | `lanes.rs`, waiters in `wait_queue.rs` |
//! | receipts and turns not yet in D1 | `outbox.rs` |
//! | revoked keys, configuration | `revocations.rs`, `config.rs` |
//! | last use of keys | `key_usage.rs` |
//! | monotonic time | `clock.rs` |
//! | persistence | `persistence.rs`, row types in `rows.rs` |

mod admission;
mod apply;
mod buckets;
mod clock;
mod closing;
mod config;
mod constants;
mod headers;
mod input;
mod key_usage;
mod lanes;
mod machine;
mod outbox;
mod output;
mod period;
mod persistence;
mod price;
mod quotas;
mod reservations;
mod revocations;
mod rows;
mod storage;
mod storage_quota;
mod wait_queue;
mod warnings;

pub use crate::money::Provenance;
pub use buckets::EndpointClass;
pub use config::LedgerConfig;
pub use constants::{
    LANE_WAIT_TIMEOUT, MAX_CALL_AMOUNT, MAX_PARKED_BYTES, MAX_PARKED_TURN_BYTES, MAX_SESSIONS,
    MAX_WAITERS, PARKED_GRACE, RENEWAL_INTERVAL, RESERVATION_LEASE, RESERVATION_TTL,
};
pub use headers::{RateHeaders, Window};
pub use input::{
    Admit, CallerVersions, Extend, Input, Park, Pass, ReceiptKey, Resolution, Resolve,
    SessionState, Settle, Spent, StorageChange, StorageCount, Ticket,
};
pub use key_usage::KEY_USAGE_RESOLUTION;
pub use machine::{Machine, Statement};
pub use outbox::{ParkedTurn, Receipt};
pub use output::{
    Closing, Denial, DenialReason, Event, Grant, LedgerAnswer, Output, Overdue, QuotaUse, Stale,
    StorageReport, StorageUse, Woken,
};
pub use period::Period;
pub use price::Price;
pub use quotas::{Amounts, QuotaKind, Tally};
pub use rows::{LoadError, Write};
pub use storage::{MIN_RECOUNT_INTERVAL, RECOUNT_INTERVAL};
