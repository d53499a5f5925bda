//! The repositories over the testkit's `SQLite`: the real statements on the real migrations.

mod commit;
mod commit_faults;
mod history;
mod isolation;
mod keys;
mod migrations;
mod retrying;
mod sessions;
mod statements;
mod world;
