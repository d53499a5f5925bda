//! API keys as records: whose they are, what they may do, until when.

use serde::{Deserialize, Serialize};

use crate::ids::{KeyId, TenantId};
use crate::time::Timestamp;

/// What a key is for; told by its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// A server's key: does what its scopes say.
    Secret,
    /// A key that stands in a web page: can open a widget session and nothing else.
    Public,
    /// An operator's token for the admin API.
    Admin,
}

impl KeyKind {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Public, Self::Admin];

    /// What every key of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Secret => "cl_sk_",
            Self::Public => "cl_pk_",
            Self::Admin => "cl_at_",
        }
    }

    /// The kind's name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// One thing that a secret key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Ask models.
    #[serde(rename = "chat")]
    Chat,
    /// Read sessions, messages and tool executions.
    #[serde(rename = "sessions:read")]
    SessionsRead,
    /// Create, change and delete sessions.
    #[serde(rename = "sessions:write")]
    SessionsWrite,
    /// Have server tools run.
    #[serde(rename = "tools")]
    Tools,
    /// Read the tenant's own usage.
    #[serde(rename = "usage:read")]
    UsageRead,
}

impl Scope {
    /// Every scope there is.
    pub const ALL: [Self; 5] = [
        Self::Chat,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::Tools,
        Self::UsageRead,
    ];

    /// The scope's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::Tools => "tools",
            Self::UsageRead => "usage:read",
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// All scopes.
    pub fn all() -> Self {
        Self(Scope::ALL.to_vec())
    }

    /// Whether the set holds `scope`.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether every scope of this set is also in `other`.
    pub fn within(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.allow(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(iter: I) -> Self {
        let mut scopes: Vec<Scope> = iter.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

/// Whether a text is an origin as browsers write it in the header `origin`: scheme, host in lower
/// case, and a port only where it is not the scheme's own.
pub fn is_origin(text: &str) -> bool {
    let (rest, own_port) = match text.split_once("://") {
        Some(("https", rest)) => (rest, ":443"),
        Some(("http", rest)) => (rest, ":80"),
        _ => return false,
    };
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    !rest.is_empty()
        && rest.len() <= 253
        && !rest.starts_with(':')
        && !rest.ends_with([':', '.'])
        && !rest.ends_with(own_port)
        && rest.bytes().all(allowed)
}

/// A key's record. The key itself is not in it, nor anywhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The record's id.
    pub id: KeyId,
    /// Whose key it is.
    pub tenant_id: TenantId,
    /// What it is for.
    pub kind: KeyKind,
    /// The operator's name for it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The exact origins from which a public key may be used.
    pub allowed_origins: Vec<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Counts changes of this record, so that the ledger can tell a stale copy.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ApiKey {
    /// Whether the record itself lets the key work at `now`. The ledger has the last word on
    /// revocation.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_its_expiry_and_not_after() {
        let end = Timestamp::from_millis(1000);
        let key = ApiKey {
            id: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
            tenant_id: "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
            kind: KeyKind::Secret,
            name: String::new(),
            scopes: Scopes::all(),
            allowed_origins: Vec::new(),
            expires_at: Some(end),
            revoked_at: None,
            version: 1,
            created_at: Timestamp::default(),
        };
        assert!(key.is_usable(Timestamp::from_millis(999)));
        assert!(!key.is_usable(end));
        let revoked = ApiKey {
            revoked_at: Some(end),
            expires_at: None,
            ..key
        };
        assert!(!revoked.is_usable(Timestamp::default()));
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for origin in [
            "https://example.org",
            "https://a.example.org:8443",
            "http://localhost:3000",
            "http://[::1]:3000",
        ] {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "null",
            "*",
            "",
            "https://",
            "example.org",
            "https://example.org/",
            "https://Example.org",
            "https://example.org:443",
            "https://user@example.org",
            "https://*.example.org",
            "ftp://example.org",
            "https://example.org, https://evil.example",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }

    #[test]
    fn scopes_have_the_names_that_the_documentation_gives() {
        let text = serde_json::to_string(&Scopes::all()).expect("serialises");
        assert_eq!(
            text,
            r#"["chat","sessions:read","sessions:write","tools","usage:read"]"#
        );
        assert!(Scopes::from_iter([Scope::Chat]).within(&Scopes::all()));
        assert!(!Scopes::all().within(&Scopes::from_iter([Scope::Chat])));
    }
}
