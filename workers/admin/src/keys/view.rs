//! A key as operators see it.

use clawless_core::keys::KeyText;
use clawless_core::{ApiError, KeyId, KeyKind, Scopes, TenantId, Timestamp};
use clawless_edge::response::HttpResponse;
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
    /// To within some minutes.
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

/// A new key, with itself in the clear: the one answer that ever holds it.
#[derive(Serialize)]
pub(super) struct Minted<'a> {
    #[serde(flatten)]
    pub(super) view: View,
    key: &'a str,
    /// The key that this one replaces, and until when that still works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<View>,
    /// Whether the end of the replaced key holds already. `false`: the ledger did not answer, and
    /// a gateway may go by an older end for up to 30 seconds, which is how long it remembers a key.
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

    /// The answer that shows it.
    pub(super) fn answer(&self) -> Result<HttpResponse, ApiError> {
        Ok(HttpResponse {
            status: 201,
            ..HttpResponse::of(self)?
        })
    }
}
