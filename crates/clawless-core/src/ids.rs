//! Typed ids: a prefix for the type, then a ULID. Ids sort by creation time and are safe in URLs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use ulid::Ulid;

use crate::entropy::Entropy;
use crate::time::Timestamp;

/// A text is not an id of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form `{expected}`")]
pub struct InvalidId {
    /// The expected form, for the error message.
    pub expected: &'static str,
}

/// Generates a ULID for the time `at`.
fn generate(at: Timestamp, entropy: &impl Entropy) -> Ulid {
    Ulid::from_parts(at.as_millis(), u128::from_be_bytes(entropy.bytes()))
}

/// Whether `text` is a ULID in canonical form. Other spellings would be aliases of an id.
fn is_canonical_ulid(text: &str) -> bool {
    Ulid::from_string(text).is_ok_and(|ulid| ulid.to_string() == text)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The prefix of ids of this type.
            pub const PREFIX: &'static str = $prefix;

            /// Generates an id that sorts after all ids generated before `at`.
            pub fn generate(at: Timestamp, entropy: &impl Entropy) -> Self {
                Self(format!("{}{}", $prefix, generate(at, entropy)))
            }

            /// An id that sorts before all ids generated at `at` or later, and after earlier ones.
            pub fn first_at(at: Timestamp) -> Self {
                Self(format!("{}{}", $prefix, Ulid::from_parts(at.as_millis(), 0)))
            }

            /// The id without its prefix.
            pub fn bare(&self) -> &str {
                self.0.strip_prefix($prefix).unwrap_or(&self.0)
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix($prefix) {
                    Some(ulid) if is_canonical_ulid(ulid) => Ok(Self(text.to_owned())),
                    _ => Err(InvalidId { expected: concat!($prefix, "01ARZ3NDEKTSV4RRFFQ69G5FAV") }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id! {
    /// A tenant.
    TenantId, "ten_"
}
id! {
    /// The record of an API key (not the key itself).
    KeyId, "key_"
}
id! {
    /// A stored message.
    MessageId, "msg_"
}
id! {
    /// A request.
    RequestId, "req_"
}
id! {
    /// An execution of a tool.
    ToolExecutionId, "tex_"
}

id! {
    /// A message from one session to another.
    SendId, "snd_"
}

id! {
    /// The record of an admin token (not the token itself).
    AdminTokenId, "adm_"
}
id! {
    /// An entry of the audit log.
    AuditId, "aud_"
}

/// The id of a session, unique within its tenant: generated (`ses_` and a ULID), or chosen by the
/// client, which may already have an id for the conversation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SessionId(String);

impl SessionId {
    /// The prefix of generated ids.
    pub const PREFIX: &'static str = "ses_";
    /// The maximum length, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Generates an id that sorts after all ids generated before `at`.
    pub fn generate(at: Timestamp, entropy: &impl Entropy) -> Self {
        Self(format!("{}{}", Self::PREFIX, generate(at, entropy)))
    }

    /// Generates the id of a visitor's conversation in the widget. Like one that a client has chosen, its
    /// session is created at its first turn: most visitors open the widget and write nothing.
    pub fn generate_for_visitor(at: Timestamp, entropy: &impl Entropy) -> Self {
        Self(format!("web_{}", generate(at, entropy)))
    }

    /// Whether the id has the generated form. A session with such an id must exist before its use;
    /// a session with an id chosen by the client is created at its first use.
    pub fn is_generated(&self) -> bool {
        self.0
            .strip_prefix(Self::PREFIX)
            .is_some_and(is_canonical_ulid)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An id that was stored. Earlier versions accepted `.` and `..`, which no URL can address.
    ///
    /// # Errors
    /// A text that was never an id.
    pub fn from_stored(text: &str) -> Result<Self, InvalidId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Self::INVALID)
        }
    }

    const INVALID: InvalidId = InvalidId {
        expected: "1 to 128 characters of A-Z a-z 0-9 _ - . :, but not . or ..",
    };
}

/// An id that a client chose. `.` and `..` are rejected: URL parsers remove such segments of a path,
/// however they are escaped.
impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "." | ".." => Err(Self::INVALID),
            _ => Self::from_stored(text),
        }
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads stored ids. Ids from clients are parsed from text.
impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_stored(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn ids_sort_by_creation_time() {
        let early = RequestId::generate(Timestamp::from_millis(1), &Zeros);
        let late = RequestId::generate(Timestamp::from_millis(2_000_000_000_000), &Zeros);
        assert!(early < late);
        assert_eq!(late.as_str().parse(), Ok(late.clone()));
        let bound = RequestId::first_at(Timestamp::from_millis(2_000_000_000_000));
        assert!(early < bound && bound <= late);
    }

    #[test]
    fn id_has_one_spelling() {
        let id = TenantId::generate(Timestamp::from_millis(2_000_000_000_000), &Zeros);
        assert!(id.as_str().to_lowercase().parse::<TenantId>().is_err());
        assert!(
            id.as_str()
                .replace("ten_", "key_")
                .parse::<TenantId>()
                .is_err()
        );
        assert!(format!("{id}\n").parse::<TenantId>().is_err());
    }

    #[test]
    fn client_may_choose_a_valid_session_id() {
        let chosen: SessionId = "user-42:chat.1".parse().expect("a plain name");
        assert!(!chosen.is_generated());
        assert!(SessionId::generate(Timestamp::from_millis(1), &Zeros).is_generated());
        let visitor = SessionId::generate_for_visitor(Timestamp::from_millis(1), &Zeros);
        assert!(!visitor.is_generated() && visitor.as_str().parse() == Ok(visitor.clone()));
        for bad in ["", "a b", "a\0", "a\r\nx: y", "é", &"a".repeat(129)] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad:?} was accepted");
        }
        for good in ["...", ".a", "a.", ".-", ":", "a..b"] {
            assert!(good.parse::<SessionId>().is_ok(), "{good:?} was rejected");
        }
    }

    #[test]
    fn a_stored_id_that_clients_can_no_longer_choose_is_readable() {
        for name in [".", ".."] {
            assert!(name.parse::<SessionId>().is_err());
            let stored: SessionId = serde_json::from_value(name.into()).expect("a stored id");
            assert_eq!(stored.as_str(), name);
        }
    }
}
