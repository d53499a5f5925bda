//! Records of API keys: tenant, scopes, expiry.

use serde::{Deserialize, Serialize};

use crate::ids::{KeyId, TenantId};
use crate::limits::KeyLimits;
use crate::time::Timestamp;

/// The kind of a key, encoded in its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// A key for servers, limited by its scopes.
    Secret,
    /// A key for web pages. It can only open a widget session.
    Public,
    /// An operator token for the admin API.
    Admin,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Public, Self::Admin];

    /// The prefix of keys of this kind.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Secret => "cl_sk_",
            Self::Public => "cl_pk_",
            Self::Admin => "cl_at_",
        }
    }

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Public => "public",
            Self::Admin => "admin",
        }
    }
}

/// A permission of a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Scope {
    /// Send chat requests.
    #[serde(rename = "chat")]
    Chat,
    /// Read sessions, messages and tool executions.
    #[serde(rename = "sessions:read")]
    SessionsRead,
    /// Create, change and delete sessions.
    #[serde(rename = "sessions:write")]
    SessionsWrite,
    /// Use server tools.
    #[serde(rename = "tools")]
    Tools,
    /// Read the usage of the tenant.
    #[serde(rename = "usage:read")]
    UsageRead,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [
        Self::Chat,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::Tools,
        Self::UsageRead,
    ];

    /// The name.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// All scopes.
    pub fn all() -> Self {
        Self(Scope::ALL.to_vec())
    }

    /// Whether the set contains `scope`.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// The scopes, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    /// Whether every scope of this set is also in `other`.
    pub fn within(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.allow(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(iter: I) -> Self {
        let scopes: Vec<Scope> = iter.into_iter().collect();
        // In their order and each once, with less code than sorting.
        let scopes = Scope::ALL
            .into_iter()
            .filter(|scope| scopes.contains(scope));
        Self(scopes.collect())
    }
}

/// Whether a text is an origin as browsers send it in the `origin` header: scheme, lower-case host,
/// and the port if it is not the default of the scheme.
pub fn is_origin(text: &str) -> bool {
    let (rest, default_port) = match text.split_once("://") {
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
        && !rest.ends_with(default_port)
        && rest.bytes().all(allowed)
}

/// The record of an API key. The key itself is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// The id of the record.
    pub id: KeyId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The kind.
    pub kind: KeyKind,
    /// A name for operators.
    pub name: String,
    /// The permissions.
    pub scopes: Scopes,
    /// The limits of this key, within those of the tenant.
    #[serde(default)]
    pub limits: KeyLimits,
    /// The exact origins that may use a public key.
    pub allowed_origins: Vec<String>,
    /// The time of expiry.
    pub expires_at: Option<Timestamp>,
    /// The time of revocation.
    pub revoked_at: Option<Timestamp>,
    /// Incremented with each change of this record, so that the ledger can detect a stale copy.
    pub version: u64,
    /// The time of creation.
    pub created_at: Timestamp,
}

impl ApiKey {
    /// Whether the key is neither revoked nor expired at `now`, by this record. The ledger may know
    /// of a later revocation.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A key's record with the columns that only operators read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The record.
    pub key: ApiKey,
    /// The key that replaced it, if it was rotated.
    pub successor_id: Option<KeyId>,
    /// When it was last used, accurate to minutes.
    pub last_used_at: Option<Timestamp>,
}

impl StoredKey {
    /// A new key.
    pub const fn new(key: ApiKey) -> Self {
        Self {
            key,
            successor_id: None,
            last_used_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_unusable_from_its_expiry_on() {
        let end = Timestamp::from_millis(1000);
        let key = ApiKey {
            id: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
            tenant_id: "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
            kind: KeyKind::Secret,
            name: String::new(),
            scopes: Scopes::all(),
            limits: KeyLimits::default(),
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
    fn origin_has_the_form_that_browsers_send() {
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
    fn scopes_have_the_documented_names() {
        let text = serde_json::to_string(&Scopes::all()).expect("serialises");
        assert_eq!(
            text,
            r#"["chat","sessions:read","sessions:write","tools","usage:read"]"#
        );
        assert!(Scopes::from_iter([Scope::Chat]).within(&Scopes::all()));
        assert!(!Scopes::all().within(&Scopes::from_iter([Scope::Chat])));
        let repeated = [Scope::UsageRead, Scope::Chat, Scope::UsageRead];
        let text = serde_json::to_string(&Scopes::from_iter(repeated)).expect("serialises");
        assert_eq!(text, r#"["chat","usage:read"]"#);
    }
}
