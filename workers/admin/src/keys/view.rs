//! A key in responses.

use clawless_core::keys::KeyText;
use clawless_core::{ApiError, KeyId, KeyKind, Scopes, TenantId, Timestamp};
use clawless_edge::http::HttpResponse;
use clawless_store::api_keys::StoredKey;
use serde::Serialize;

/// Times are in seconds since 1970 (UTC).
#[derive(Debug, Serialize)]
pub(super) struct View {
    object: &'static str,
    pub(super) id: KeyId,
    tenant_id: TenantId,
    kind: KeyKind,
    name: String,
    scopes: Scopes,
    allowed_origins: Vec<String>,
    expires_at: Option<u64>,
    revoked_at: Option<u64>,
    successor_id: Option<KeyId>,
    /// Accurate to some minutes.
    last_used_at: Option<u64>,
    created_at: u64,
}

impl From<StoredKey> for View {
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
            expires_at: key.expires_at.map(Timestamp::as_secs),
            revoked_at: key.revoked_at.map(Timestamp::as_secs),
            successor_id,
            last_used_at: last_used_at.map(Timestamp::as_secs),
            created_at: key.created_at.as_secs(),
        }
    }
}

/// A new key in clear text. No other response contains it.
#[derive(Serialize)]
pub(super) struct Minted<'a> {
    #[serde(flatten)]
    pub(super) view: View,
    key: &'a str,
    /// The key that this one replaces, with its new expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<View>,
    /// Whether the new expiry of the replaced key applies already. `false`: the ledger did not respond,
    /// and a gateway may use the old expiry for up to 30 seconds, the TTL of cached key records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) in_force: Option<bool>,
}

impl<'a> Minted<'a> {
    /// A key and its text.
    pub(super) fn new(view: View, text: &'a KeyText) -> Self {
        Self {
            view,
            key: text.reveal(),
            replaces: None,
            in_force: None,
        }
    }

    /// The response 201 with the key.
    pub(super) fn respond(&self) -> Result<HttpResponse, ApiError> {
        Ok(HttpResponse::of(self)?.with_status(201))
    }
}
