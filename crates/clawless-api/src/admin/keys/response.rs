//! Keys in responses.

use clawless_core::api_key::StoredKey;
use clawless_core::limits::KeyLimits;
use clawless_core::{KeyId, KeyKind, Scopes, TenantId, Timestamp};
use serde::Serialize;

/// A key.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ApiKey")
)]
pub struct KeyObject {
    /// Always `api_key`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "api_key")))]
    object: &'static str,
    /// The id.
    id: KeyId,
    /// The tenant.
    tenant_id: TenantId,
    /// The kind.
    kind: KeyKind,
    /// The name.
    name: String,
    /// What it may do.
    scopes: Scopes,
    /// The origins of a public key.
    allowed_origins: Vec<String>,
    /// Limits within those of the tenant.
    limits: KeyLimits,
    /// When it expires, in seconds since 1970 (UTC).
    expires_at: Option<u64>,
    /// When it was revoked, in seconds since 1970 (UTC).
    revoked_at: Option<u64>,
    /// The key that replaced it.
    successor_id: Option<KeyId>,
    /// Accurate to some minutes.
    last_used_at: Option<u64>,
    /// When it was created, in seconds since 1970 (UTC).
    created_at: u64,
}

impl KeyObject {
    /// The key's id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }
}

impl From<StoredKey> for KeyObject {
    fn from(stored: StoredKey) -> Self {
        let StoredKey {
            key,
            successor_id,
            last_used_at,
        } = stored;
        Self {
            object: "api_key",
            id: key.id,
            tenant_id: key.tenant_id,
            kind: key.kind,
            name: key.name,
            scopes: key.scopes,
            allowed_origins: key.allowed_origins,
            limits: key.limits,
            expires_at: key.expires_at.map(Timestamp::as_secs),
            revoked_at: key.revoked_at.map(Timestamp::as_secs),
            successor_id,
            last_used_at: last_used_at.map(Timestamp::as_secs),
            created_at: key.created_at.as_secs(),
        }
    }
}

/// A new key with its text. No other response contains the text.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CreatedApiKey")
)]
pub struct CreatedKey<'a> {
    #[serde(flatten)]
    object: KeyObject,
    /// The key. It is shown only here.
    key: &'a str,
    /// The replaced key with its new expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<KeyObject>,
    /// Whether the new expiry applies already.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_force: Option<bool>,
}

impl<'a> CreatedKey<'a> {
    /// A key and its text.
    pub const fn new(object: KeyObject, key: &'a str) -> Self {
        Self {
            object,
            key,
            replaces: None,
            in_force: None,
        }
    }

    /// Adds the key that this one replaces, with its new expiry.
    ///
    /// `in_force` tells whether the new expiry applies already. `false`: the ledger did not respond,
    /// and a gateway may use the old expiry for up to 30 seconds, the TTL of cached key records.
    #[must_use]
    pub fn replacing(self, replaced: KeyObject, in_force: bool) -> Self {
        Self {
            replaces: Some(replaced),
            in_force: Some(in_force),
            ..self
        }
    }
}
