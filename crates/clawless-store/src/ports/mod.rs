//! The two storage ports, [`Sql`] (D1 in production, `SQLite` in tests) and [`Kv`], and their
//! types.

mod kv;
mod kv_key;
mod sql;
mod sql_error;
mod statement;
mod value;

pub use kv::{Kv, KvError, KvPage};
pub use kv_key::{KvKey, KvPrefix};
pub use sql::Sql;
pub use sql_error::{SqlError, SqlErrorKind, classify};
pub use statement::{SqlText, Statement};
pub use value::{SafeInteger, Value};
