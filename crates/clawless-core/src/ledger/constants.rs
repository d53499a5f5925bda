//! Bounds and timeouts of the ledger.

use crate::time::Millis;

/// Lifetime of a reservation, renewals included: the total deadline of a request (10 minutes) plus
/// 60 seconds for its commit.
pub const RESERVATION_TTL: Millis = Millis::from_secs(660);
/// How long a reservation lasts after its grant, an extension or a renewal. Then the sweep looks for
/// the call's outcome: an aborted call blocks its tenant no longer than this.
pub const RESERVATION_LEASE: Millis = Millis::from_secs(60);
/// How often a running call renews its reservation. Two renewals may be lost or late.
pub const RENEWAL_INTERVAL: Millis = Millis::from_secs(25);
/// Longest time that a turn waits for the previous turn of its session.
pub const LANE_WAIT_TIMEOUT: Millis = Millis::from_secs(10);
/// Time that new turns queue behind a parked turn. After that they are rejected with 503.
pub const PARKED_GRACE: Millis = Millis::from_secs(60);
/// Most turns that wait for one session. Further turns are rejected.
pub const MAX_WAITERS: usize = 16;
/// Most sessions whose head is cached. The least recently used ones are evicted; their next turn
/// reads the head from D1.
pub const MAX_SESSIONS: usize = 8192;
/// Size limit of one parked turn in bytes, below the 2 MB limit of a row.
pub const MAX_PARKED_TURN_BYTES: usize = 1_900_000;
/// Size limit of all parked turns in bytes.
pub const MAX_PARKED_BYTES: usize = 32 * 1024 * 1024;
/// Upper bound of the tokens, and of the micro-dollars, that one call is charged. Far above any
/// real call, and small enough below 2^53 that D1 and JSON represent every sum exactly.
pub const MAX_CALL_AMOUNT: u64 = 1 << 40;
