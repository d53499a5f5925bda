//! Repositories for D1 and KV.
//!
//! Repositories are plain `async fn`s over the ports [`Sql`] and [`Kv`]. There is no repository
//! trait and nothing to mock: the testkit runs the same statements on the same migrations in
//! `SQLite`. Every function takes a [`clawless_core::TenantId`] and reads or changes rows of that
//! tenant only; the exceptions say `across_tenants` in their names.

pub mod admin_tokens;
pub mod api_keys;
pub mod audit;
pub mod erasure;
pub mod expiry;
pub mod health;
pub mod hot;
pub mod idempotency;
pub mod messages;
mod page;
pub mod ports;
pub mod receipts;
pub mod records;
mod row;
pub mod sends;
pub mod sessions;
mod statements;
pub mod storage;
pub mod tenants;
pub mod tool_executions;
pub mod turns;
pub mod usage;
pub mod widget_sessions;
pub mod widgets;

pub use clawless_core::retry::{Backoff, Transient, retry};
pub use ports::{
    Kv, KvError, KvKey, KvPage, KvPrefix, SafeInteger, Sql, SqlError, SqlErrorKind, SqlText,
    Statement, Value,
};

/// Every statement of the store, by repository and name. The compiler reports a repository that
/// is missing here: its list is dead code.
pub fn statements() -> Vec<(&'static str, &'static str, SqlText)> {
    let repositories = [
        ("admin_tokens", admin_tokens::STATEMENTS),
        ("api_keys", api_keys::STATEMENTS),
        ("audit", audit::STATEMENTS),
        ("erasure", erasure::STATEMENTS),
        ("expiry", expiry::STATEMENTS),
        ("health", health::STATEMENTS),
        ("idempotency", idempotency::STATEMENTS),
        ("messages", messages::STATEMENTS),
        ("receipts", receipts::STATEMENTS),
        ("records", records::STATEMENTS),
        ("sends", sends::STATEMENTS),
        ("sessions", sessions::STATEMENTS),
        ("storage", storage::STATEMENTS),
        ("tenants", tenants::STATEMENTS),
        ("tool_executions", tool_executions::STATEMENTS),
        ("turns", turns::STATEMENTS),
        ("usage", usage::STATEMENTS),
        ("widget_sessions", widget_sessions::STATEMENTS),
        ("widgets", widgets::STATEMENTS),
    ];
    repositories
        .iter()
        .flat_map(|(repository, list)| list.iter().map(|(name, text)| (*repository, *name, *text)))
        .collect()
}
