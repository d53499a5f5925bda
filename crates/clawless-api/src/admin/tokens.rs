//! Operators' tokens: the body that creates one, and tokens in responses.

use clawless_core::admin_token::AdminToken;
use clawless_core::{AdminTokenId, ApiError, Timestamp};
use serde::{Deserialize, Serialize};

use super::fields::{check_name, parse_expiry};
use crate::body;

/// The settings of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    name: String,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    name: String,
    #[serde(default)]
    expires_at: Option<u64>,
}

impl NewToken {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, ApiError> {
        let body: TokenBody = body::read_settings(body)?;
        Ok(Self {
            name: check_name(body.name)?,
            expires_at: parse_expiry(body.expires_at, now)?,
        })
    }

    /// The record of the token, created at `now`.
    pub fn into_record(self, id: AdminTokenId, now: Timestamp) -> AdminToken {
        AdminToken {
            id,
            name: self.name,
            expires_at: self.expires_at,
            revoked_at: None,
            created_at: now,
        }
    }
}

/// A token.
#[derive(Debug, Serialize)]
pub struct TokenObject {
    object: &'static str,
    id: AdminTokenId,
    name: String,
    expires_at: Option<u64>,
    revoked_at: Option<u64>,
    created_at: u64,
}

impl TokenObject {
    /// The token's id.
    pub const fn id(&self) -> &AdminTokenId {
        &self.id
    }
}

impl From<AdminToken> for TokenObject {
    fn from(token: AdminToken) -> Self {
        Self {
            object: "admin_token",
            id: token.id,
            name: token.name,
            expires_at: token.expires_at.map(Timestamp::as_secs),
            revoked_at: token.revoked_at.map(Timestamp::as_secs),
            created_at: token.created_at.as_secs(),
        }
    }
}

/// A new token with its text. No other response contains the text.
#[derive(Serialize)]
pub struct CreatedToken<'a> {
    #[serde(flatten)]
    object: TokenObject,
    token: &'a str,
}

impl<'a> CreatedToken<'a> {
    /// A token and its text.
    pub const fn new(object: TokenObject, token: &'a str) -> Self {
        Self { object, token }
    }
}
