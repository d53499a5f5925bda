//! The values that a statement's parameters can have.

use clawless_core::ids::{
    AdminTokenId, AuditId, KeyId, MessageId, RequestId, SendId, SessionId, TenantId,
    ToolExecutionId,
};
use clawless_core::keys::KeyDigest;
use clawless_core::session::SessionHead;
use clawless_core::{MicroDollars, Millis, Timestamp, Tokens};
use serde::{Serialize, Serializer};

/// A parameter of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// An integer.
    Integer(SafeInteger),
    /// Text, stored byte for byte.
    Text(String),
}

/// An integer that D1 transfers exactly. It passes through a JavaScript number, so it is within
/// ±(2^53 − 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeInteger(i64);

impl SafeInteger {
    /// JavaScript's `Number.MAX_SAFE_INTEGER`.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The number, if it is in range.
    pub const fn new(number: i64) -> Option<Self> {
        if number.unsigned_abs() <= Self::MAX.0.unsigned_abs() {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The count, or [`MAX`](Self::MAX) if it is out of range.
    pub fn saturating(count: u64) -> Self {
        i64::try_from(count).map_or(Self::MAX, |count| Self(count.min(Self::MAX.0)))
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// As in the rows of one parameter that `json_each` reads.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Integer(number) => serializer.serialize_i64(number.get()),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Integer(SafeInteger::saturating(count))
    }
}

impl From<u32> for Value {
    fn from(count: u32) -> Self {
        u64::from(count).into()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        at.as_millis().into()
    }
}

impl From<SessionHead> for Value {
    fn from(head: SessionHead) -> Self {
        head.seq().into()
    }
}

impl From<KeyDigest> for Value {
    fn from(digest: KeyDigest) -> Self {
        digest.to_hex().into()
    }
}

macro_rules! from_quantity {
    ($($name:ident),*) => {
        $(impl From<$name> for Value {
            fn from(quantity: $name) -> Self {
                quantity.get().into()
            }
        })*
    };
}
from_quantity!(MicroDollars, Millis, Tokens);

macro_rules! from_id {
    ($($name:ident),*) => {
        $(impl From<&$name> for Value {
            fn from(id: &$name) -> Self {
                id.as_str().into()
            }
        })*
    };
}
from_id!(
    AdminTokenId,
    AuditId,
    KeyId,
    MessageId,
    RequestId,
    SendId,
    SessionId,
    TenantId,
    ToolExecutionId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_that_javascript_would_round_is_rejected() {
        assert_eq!(SafeInteger::new((1 << 53) - 1), Some(SafeInteger::MAX));
        for unsafe_number in [1 << 53, -(1 << 53), i64::MAX, i64::MIN] {
            assert_eq!(SafeInteger::new(unsafe_number), None);
        }
    }

    #[test]
    fn count_out_of_range_saturates() {
        assert_eq!(SafeInteger::saturating(u64::MAX), SafeInteger::MAX);
        assert_eq!(SafeInteger::saturating(7).get(), 7);
    }
}
