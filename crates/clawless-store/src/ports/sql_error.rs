//! Database errors, classified by what the caller can do.

use std::fmt;

use clawless_core::retry::Transient;
use clawless_core::{ApiError, ErrorCode, Millis};

/// The `retry-after` of a response when the database is unavailable.
const RETRY_AFTER_UNAVAILABLE: Millis = Millis::from_secs(2);

/// The kind of a database error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlErrorKind {
    /// A row with this key exists; the text lists the columns, as `turns.request_id`.
    Conflict(String),
    /// The row violates another constraint, which the text names. Not retryable.
    Constraint(String),
    /// The database is overloaded. An immediate retry would make that worse.
    Overloaded,
    /// The connection or the database failed. The statement may or may not have run, so only
    /// idempotent ones may be retried.
    Retryable,
    /// A bug or an unknown message. Not retryable.
    Other,
}

/// A database error: its kind, and the database's message for logs.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("database error: {kind}")]
pub struct SqlError {
    /// The kind.
    pub kind: SqlErrorKind,
    internal: String,
}

impl SqlError {
    /// Classifies the database's message.
    pub fn from_message(message: impl Into<String>) -> Self {
        let internal = message.into();
        Self {
            kind: classify(&internal),
            internal,
        }
    }

    /// A stored value that cannot be read.
    pub fn corrupt(what: impl fmt::Display) -> Self {
        Self {
            kind: SqlErrorKind::Other,
            internal: format!("stored row is corrupt: {what}"),
        }
    }

    /// The database's message, for logs only.
    pub fn internal(&self) -> &str {
        &self.internal
    }
}

impl Transient for SqlError {
    fn is_transient(&self) -> bool {
        self.kind == SqlErrorKind::Retryable
    }
}

impl fmt::Display for SqlErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict(_) => "conflict",
            Self::Constraint(_) => "constraint",
            Self::Overloaded => "overloaded",
            Self::Retryable => "connection",
            Self::Other => "other",
        })
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlError({:?}: {})", self.kind, self.internal)
    }
}

impl From<SqlError> for ApiError {
    fn from(error: SqlError) -> Self {
        match error.kind {
            SqlErrorKind::Overloaded | SqlErrorKind::Retryable => Self::new(
                ErrorCode::ServiceUnavailable,
                "The database is not available at the moment. Please repeat the request.",
            )
            .retry_after(RETRY_AFTER_UNAVAILABLE)
            .with_internal(error.internal),
            SqlErrorKind::Conflict(_) | SqlErrorKind::Constraint(_) | SqlErrorKind::Other => {
                Self::internal(error.internal)
            }
        }
    }
}

/// `SQLite`'s message for a key that exists.
const UNIQUE: &str = "UNIQUE constraint failed: ";

/// `SQLite`'s messages for the other constraints.
const CONSTRAINTS: [&str; 4] = [
    "NOT NULL constraint failed",
    "CHECK constraint failed",
    "FOREIGN KEY constraint failed",
    "SQLITE_CONSTRAINT",
];

/// D1's messages for an overload, or a reset that the statement itself caused. (Cloudflare's list
/// of D1 errors advises against a retry.)
const OVERLOADED: [&str; 6] = [
    "is overloaded",
    "Too many requests queued",
    "Requests queued for too long",
    "exceeded timeout which caused object to be reset",
    "exceeded its memory limit",
    "exceeded its CPU time limit",
];

/// D1's messages for transient failures, and `SQLite`'s for a lock that another process holds.
/// (Cloudflare's list of D1 errors advises a retry.)
const RETRYABLE: [&str; 8] = [
    "Network connection lost",
    "storage caused object to be reset",
    "reset because its code was updated",
    "due to transient issue on remote node",
    "because client disconnected",
    "internal error; reference",
    "database is locked",
    "SQLITE_BUSY",
];

/// Classifies a message of D1 or `SQLite`.
pub fn classify(message: &str) -> SqlErrorKind {
    let contains = |text: &str| message.contains(text);
    if let Some((_, after)) = message.split_once(UNIQUE) {
        return SqlErrorKind::Conflict(constraint_name(after));
    }
    if let Some(prefix) = CONSTRAINTS.into_iter().find(|prefix| contains(prefix)) {
        let after = message.split_once(prefix).map_or("", |(_, after)| after);
        return SqlErrorKind::Constraint(format!("{prefix}{}", name_after_colon(after)));
    }
    if OVERLOADED.into_iter().any(contains) {
        return SqlErrorKind::Overloaded;
    }
    if RETRYABLE.into_iter().any(contains) {
        return SqlErrorKind::Retryable;
    }
    SqlErrorKind::Other
}

/// The constraint that a message names, without the codes and the stack that D1 appends.
fn constraint_name(after: &str) -> String {
    let end = after.find([':', '\n', '(']).unwrap_or(after.len());
    after.get(..end).unwrap_or(after).trim().to_owned()
}

/// As [`constraint_name`], if `after` starts with a colon and a name.
fn name_after_colon(after: &str) -> String {
    match after.strip_prefix(": ") {
        Some(rest) if !rest.starts_with("SQLITE_") => format!(": {}", constraint_name(rest)),
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn existing_key_is_a_conflict_that_names_the_columns() {
        for message in [
            "UNIQUE constraint failed: turns.tenant_id, turns.request_id",
            "D1_ERROR: UNIQUE constraint failed: turns.tenant_id, turns.request_id: SQLITE_CONSTRAINT",
            "Error: D1_ERROR: UNIQUE constraint failed: turns.tenant_id, turns.request_id: \
             SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_UNIQUE)\n    at D1Database._send",
        ] {
            let kind = SqlErrorKind::Conflict("turns.tenant_id, turns.request_id".to_owned());
            assert_eq!(classify(message), kind, "{message}");
        }
    }

    #[test]
    fn other_constraints_are_named() {
        for (message, expected) in [
            (
                "D1_ERROR: NOT NULL constraint failed: sessions.head: SQLITE_CONSTRAINT",
                "NOT NULL constraint failed: sessions.head",
            ),
            (
                "FOREIGN KEY constraint failed",
                "FOREIGN KEY constraint failed",
            ),
            (
                "D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT",
                "FOREIGN KEY constraint failed",
            ),
            (
                "CHECK constraint failed: status IN ('complete')",
                "CHECK constraint failed: status IN",
            ),
            (
                "D1_ERROR: audit log: SQLITE_CONSTRAINT",
                "SQLITE_CONSTRAINT",
            ),
        ] {
            let kind = SqlErrorKind::Constraint(expected.to_owned());
            assert_eq!(classify(message), kind, "{message}");
        }
    }

    #[test]
    fn transient_failure_is_retryable_and_overload_is_not() {
        for message in [
            "D1_ERROR: Network connection lost.",
            "D1_ERROR: D1 DB reset because its code was updated.",
            "D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.",
            "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
            "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
            "D1_ERROR: Can't read from request stream because client disconnected.",
            "D1_ERROR: internal error; reference = 0123456789",
            "database is locked: SQLITE_BUSY",
        ] {
            assert_eq!(classify(message), SqlErrorKind::Retryable, "{message}");
        }
        for message in [
            "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
            "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
            "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
            "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
            "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.",
        ] {
            assert_eq!(classify(message), SqlErrorKind::Overloaded, "{message}");
        }
        for message in ["D1_ERROR: no such table: turns: SQLITE_ERROR", ""] {
            assert_eq!(classify(message), SqlErrorKind::Other, "{message}");
        }
    }

    #[test]
    fn database_messages_are_not_sent_to_clients() {
        for message in [
            "D1_ERROR: no such table: turns",
            "UNIQUE constraint failed: turns.seq",
            "D1_ERROR: Network connection lost.",
        ] {
            let error = SqlError::from_message(message);
            assert!(!error.to_string().contains("turns"));
            let api = ApiError::from(error);
            let public = format!("{} {:?}", api.message, api.param);
            assert!(!public.contains("turns") && !public.contains("D1"));
            assert_eq!(api.internal.as_deref(), Some(message));
        }
    }
}
