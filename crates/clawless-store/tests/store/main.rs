//! Tests of the repositories: the real statements on the real migrations, in `SQLite`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code: a failed setup must stop the test"
)]

mod admin_tokens;
mod commit;
mod commit_faults;
mod erasure;
mod expiry;
mod fixture;
mod history;
mod hot;
mod idempotency;
mod isolation;
mod key_changes;
mod keys;
mod message_list;
mod migrations;
mod receipts;
mod records;
mod responses;
mod retry;
mod sends;
mod session_changes;
mod session_list;
mod sessions;
mod statements;
mod storage;
mod tenant_changes;
mod tenant_guard;
mod tool_executions;
mod usage;
mod widgets;
