//! The variables of a template.

/// A variable of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable<'t> {
    /// The local date, such as `2026-01-31`.
    Date,
    /// The time zone, such as `UTC` or `UTC+05:30`.
    TimeZone,
    /// The tenant's name.
    TenantName,
    /// The session's title.
    SessionTitle,
    /// The value of the session's metadata under this key.
    SessionMetadata(&'t str),
    /// The end user that the request names.
    User,
}

const DATE: &str = "date";
const TIME_ZONE: &str = "time_zone";
const TENANT_NAME: &str = "tenant.name";
const SESSION_TITLE: &str = "session.title";
const SESSION_METADATA: &str = "session.metadata.";
const USER: &str = "user";

impl<'t> Variable<'t> {
    /// The variable of this name.
    pub fn parse(name: &'t str) -> Option<Self> {
        Some(match name {
            DATE => Self::Date,
            TIME_ZONE => Self::TimeZone,
            TENANT_NAME => Self::TenantName,
            SESSION_TITLE => Self::SessionTitle,
            USER => Self::User,
            _ => {
                let key = name.strip_prefix(SESSION_METADATA)?;
                let is_key = !key.is_empty() && !key.contains(['{', '}', '\n']);
                return is_key.then_some(Self::SessionMetadata(key));
            }
        })
    }
}

/// The names of all variables, for an error message.
pub(super) fn list() -> String {
    let names = [DATE, TIME_ZONE, TENANT_NAME, SESSION_TITLE];
    let names = names.map(|name| format!("`{name}`")).join(", ");
    format!("{names}, `{SESSION_METADATA}KEY` and `{USER}`")
}
