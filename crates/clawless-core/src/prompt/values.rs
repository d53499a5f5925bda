//! The values of a template's variables.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::variable::Variable;
use crate::session::Session;
use crate::time::Timestamp;
use crate::time_zone::TimeZone;

/// The values for one request. A value that is absent is an empty text.
#[derive(Debug, Clone, Copy)]
pub struct PromptValues<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// The time zone of the tenant, if the session has none.
    pub time_zone: TimeZone,
    /// The tenant's name.
    pub tenant_name: &'a str,
    /// The session, if the request has one that exists.
    pub session: Option<SessionValues<'a>>,
    /// The end user that the request names.
    pub user: Option<&'a str>,
}

/// The values of a session.
#[derive(Debug, Clone, Copy)]
pub struct SessionValues<'a> {
    /// Its title.
    pub title: Option<&'a str>,
    /// Its metadata.
    pub metadata: &'a BTreeMap<String, String>,
    /// Its time zone.
    pub time_zone: Option<TimeZone>,
}

impl<'a> From<&'a Session> for SessionValues<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            title: session.title.as_deref(),
            metadata: &session.metadata,
            time_zone: session.time_zone,
        }
    }
}

impl PromptValues<'_> {
    /// Appends the value of a variable.
    pub(super) fn write(&self, variable: Variable<'_>, text: &mut String) {
        let zone = self.session.and_then(|session| session.time_zone);
        let zone = zone.unwrap_or(self.time_zone);
        let value = match variable {
            Variable::Date => {
                let local = zone.local(self.now);
                let (year, month, day) = (local.year, local.month, local.day);
                // Writing to a string cannot fail.
                let _ = write!(text, "{year:04}-{month:02}-{day:02}");
                return;
            }
            Variable::TimeZone => {
                if zone != TimeZone::default() {
                    text.push_str("UTC");
                }
                let _ = write!(text, "{zone}");
                return;
            }
            Variable::TenantName => Some(self.tenant_name),
            Variable::SessionTitle => self.session.and_then(|session| session.title),
            Variable::SessionMetadata(key) => {
                let metadata = self.session.map(|session| session.metadata);
                metadata
                    .and_then(|metadata| metadata.get(key))
                    .map(String::as_str)
            }
            Variable::User => self.user,
        };
        text.push_str(value.unwrap_or_default());
    }
}
