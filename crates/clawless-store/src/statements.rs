//! The macro that defines a repository's statements.

/// Defines statements as constants and lists them as `STATEMENTS`, so that a test can read them
/// all.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: $crate::ports::SqlText =
            $crate::ports::SqlText::listed($sql);)*

        /// Every statement of this repository, by name.
        pub(crate) const STATEMENTS: &[(&str, $crate::ports::SqlText)] =
            &[$((stringify!($name), $name),)*];
    };
}
pub(crate) use statements;

/// SQL: whether a row of `sessions` has expired at the time `$now`, a parameter such as `"?3"`: its
/// own expiry has passed, or it has not changed for as long as its tenant `?1` keeps messages.
macro_rules! has_expired {
    ($now:literal) => {
        concat!(
            "(coalesce(expires_at <= ",
            $now,
            ", 0) OR coalesce(updated_at <= ",
            $now,
            " - 86400000 * (
              SELECT json_extract(settings, '$.retention_days') FROM tenants WHERE id = ?1), 0))"
        )
    };
}
pub(crate) use has_expired;

/// SQL: whether the session with the id `$session`, a column or a parameter, has expired at the
/// time `$now` and is not deleted yet.
macro_rules! of_expired_session {
    ($session:literal, $now:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM sessions WHERE tenant_id = ?1 AND id = ",
            $session,
            " AND deleted_at IS NULL AND ",
            $crate::statements::has_expired!($now),
            ")"
        )
    };
}
pub(crate) use of_expired_session;

/// SQL: the assignments that delete a session's content and settings at the time `$now`. Its name and
/// head remain; the head moves to the next era, so that cached copies of the old history are not read.
macro_rules! soft_deleted {
    ($now:literal) => {
        concat!(
            "head = (head / 1048576 + 1) * 1048576, token_total = 0, title = NULL, metadata = '{}',
             system_prompt = NULL, model = NULL, thinking_level = NULL, tools = NULL,
             time_zone = NULL, expires_at = NULL, deleted_at = ",
            $now,
            ", updated_at = max(updated_at, ",
            $now,
            ")"
        )
    };
}
pub(crate) use soft_deleted;

/// SQL: the bytes of a session's settings, as `Session::settings_bytes` counts them.
macro_rules! settings_bytes {
    () => {
        "length(CAST(coalesce(title, '') || coalesce(nullif(metadata, '{}'), '')
           || coalesce(system_prompt, '') || coalesce(model, '') || coalesce(tools, '') AS BLOB))"
    };
}
pub(crate) use settings_bytes;
