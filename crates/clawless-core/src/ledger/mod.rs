//! The ledger: the one place that decides money, quotas, rates, concurrency, revoked keys,
//! configuration versions and whose turn it is in a session.
//!
//! It is a machine without clock, randomness or I/O: [`Machine::apply`] takes the time and an
//! [`Input`] and gives an [`Output`]; [`Machine::take_writes`] gives the row changes since the
//! last call, and [`Machine::load`] rebuilds the machine from rows. One Durable Object per tenant
//! holds one machine, applies the inputs as they come, commits the writes of all inputs that came
//! together at once, and lets no output leave before its writes are durable. That is the whole
//! contract; `tests/ledger_simulation.rs` breaks everything else and checks the books.
//!
//! | part | file |
//! |---|---|
//! | rate limiter | `buckets.rs` |
//! | quota manager | `quotas.rs`, months in `period.rs`, prices in `price.rs` |
//! | reservations | `reservations.rs`, opened in `admission.rs`, closed in `closing.rs` |
//! | sessions: one turn at a time, heads, token totals | `lanes.rs`, woken in `waking.rs` |
//! | receipts and turns on their way to D1 | `outbox.rs` |
//! | revoked keys, configuration | `revocations.rs`, `config.rs` |
//! | when keys were last used | `uses.rs` |
//! | time that never runs backwards | `clock.rs` |
//! | persistence | `rows.rs` |

mod admission;
mod buckets;
mod clock;
mod closing;
mod config;
mod headers;
mod input;
mod lanes;
mod machine;
mod outbox;
mod output;
mod period;
mod price;
mod quotas;
mod reservations;
mod revocations;
mod rows;
mod uses;
mod wait_queue;

pub use crate::money::Provenance;
pub use buckets::EndpointClass;
pub use config::LedgerConfig;
pub use headers::{RateHeaders, Window};
pub use input::{
    Admit, CallerVersions, Extend, Input, Park, Pass, ReceiptKey, Resolution, Resolve,
    SessionState, Settle, Spent, Ticket,
};
pub use machine::{Machine, Statement};
pub use outbox::{ParkedTurn, Receipt};
pub use output::{
    Closing, Denial, DenialReason, Event, Grant, LedgerAnswer, Output, Overdue, QuotaUse, Stale,
    Woken,
};
pub use period::Period;
pub use price::Price;
pub use quotas::{Amounts, QuotaKind, Tally};
pub use rows::{LoadError, Write};
pub use uses::USE_RESOLUTION;

use crate::time::Millis;

/// How long a reservation may stay open before the sweep asks what became of it: the total
/// deadline of a request (10 minutes) and 60 seconds for its commit.
pub const RESERVATION_SPAN: Millis = Millis::from_secs(660);
/// How long a turn waits for the turn before it.
pub const LANE_WAIT: Millis = Millis::from_secs(10);
/// How long new turns wait for a session whose last turn D1 has not taken yet; after that they
/// are refused at once with 503.
pub const PARKED_GRACE: Millis = Millis::from_secs(60);
/// How many turns may wait for one session; more are refused at once.
pub const MAX_WAITERS: usize = 16;
/// How many sessions' heads are remembered. The least recently used are forgotten; the next turn
/// of such a session reads D1.
pub const MAX_SESSIONS: usize = 8192;
/// The largest turn that can be parked, in bytes; below the 2 MB that a row may have.
pub const MAX_PARKED_TURN: usize = 1_900_000;
/// How many bytes of turns can be parked together.
pub const MAX_PARKED: usize = 32 * 1024 * 1024;
/// The most tokens, and the most micro-dollars, that one call can be booked with: far above any
/// real call, and far enough below 2^53 that D1 and JSON hold every sum exactly.
pub const MAX_CALL: u64 = 1 << 40;
