//! Records of operators' tokens for the admin API.

use serde::Deserialize;

use crate::admin_role::AdminRole;
use crate::ids::AdminTokenId;
use crate::time::Timestamp;

/// A token's record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AdminToken {
    /// The record's id, which the audit log refers to.
    pub id: AdminTokenId,
    /// The operator's name.
    pub name: String,
    /// What it may do.
    pub role: AdminRole,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl AdminToken {
    /// Whether the token is valid at `now`.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}
