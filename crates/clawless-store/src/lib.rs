//! The repositories of Clawless: what stands in D1 and in KV, and how it is read and written.
//!
//! Repositories are plain `async fn`s over the ports [`Sql`] and [`Kv`]: there is no repository
//! trait and nothing to mock, because the testkit runs the same statements on the same migrations
//! in `SQLite`. Every function takes a [`clawless_core::TenantId`] and reads or changes rows of that
//! tenant only; the few that cannot say `across_tenants` in their names.

pub mod hot;
pub mod ports;
mod row;
mod statement;

pub use clawless_core::retry::{Backoff, Transient, retry};
pub use ports::{Kv, KvError, KvKey, SafeInteger, Sql, SqlError, SqlErrorKind, Value};
pub use statement::{SqlText, Statement};

use statement::repositories;

repositories! {
    /// The operators' tokens.
    pub mod admin_tokens;
    /// API keys: looked up by digest, minted, rotated, revoked.
    pub mod api_keys;
    /// The audit log: who changed what.
    pub mod audit;
    /// A tenant's data, deleted piece by piece.
    pub mod erasure;
    /// Whether the database answers.
    pub mod health;
    /// Answers to requests with an idempotency key.
    pub mod idempotency;
    /// Messages: the history of a session.
    pub mod messages;
    /// A tenant's rows as JSON, for operators.
    pub mod records;
    /// Receipts of the ledger.
    pub mod receipts;
    /// Messages from session to session.
    pub mod sends;
    /// Sessions.
    pub mod sessions;
    /// Tenants.
    pub mod tenants;
    /// Tool executions: what server tools did.
    pub mod tool_executions;
    /// What tenants used, by day, model and key.
    pub mod usage;
    /// Turns: the one way in which a conversation grows.
    pub mod turns;
}
