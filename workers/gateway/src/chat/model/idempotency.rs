//! Idempotency keys and the claims on them.

use clawless_core::{ApiError, ErrorCode, KeyId, RequestId, SessionId, TenantId};
use clawless_edge::http::RequestHead;
use clawless_store::idempotency::{self, ClaimKey, StoredResponse};

/// The header that carries an idempotency key.
pub const HEADER: &str = "idempotency-key";
/// The header that changes what a body means.
const FEATURES_HEADER: &str = "anthropic-beta";
/// The longest key, in characters.
const MAX_KEY_CHARS: usize = 255;

/// The idempotency key of a request, with the digest of what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    key: String,
    /// The route of the request. Each route has its own keys.
    route: &'static str,
    digest: String,
}

impl IdempotencyKey {
    /// Reads the header; `None` if it is absent.
    ///
    /// # Errors
    /// 400 if the key is empty or too long.
    pub fn parse(
        head: &RequestHead,
        route: &'static str,
        session: Option<&SessionId>,
        body: &[u8],
    ) -> Result<Option<Self>, ApiError> {
        let Some(key) = head.header(HEADER) else {
            return Ok(None);
        };
        if key.is_empty() || key.chars().count() > MAX_KEY_CHARS {
            let message = format!("An `Idempotency-Key` has 1 to {MAX_KEY_CHARS} characters.");
            return Err(ApiError::new(ErrorCode::InvalidValue, message).param(HEADER));
        }
        Ok(Some(Self {
            key: key.to_owned(),
            route,
            digest: idempotency::digest(
                session.map(SessionId::as_str),
                head.header(FEATURES_HEADER),
                body,
            ),
        }))
    }
}

/// A request's claim on its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    /// The request that runs the turn.
    pub request: RequestId,
    /// The tenant.
    pub tenant: TenantId,
    /// The API key.
    pub key: KeyId,
    idempotency_key: IdempotencyKey,
}

impl IdempotencyClaim {
    /// The claim of a request on its idempotency key.
    pub const fn new(
        request: RequestId,
        tenant: TenantId,
        key: KeyId,
        idempotency_key: IdempotencyKey,
    ) -> Self {
        Self {
            request,
            tenant,
            key,
            idempotency_key,
        }
    }

    /// The key of the claim's row.
    pub fn claim_key(&self) -> ClaimKey<'_> {
        ClaimKey {
            key: &self.key,
            route: self.idempotency_key.route,
            idempotency_key: &self.idempotency_key.key,
        }
    }

    /// The digest of the request's session, features and body.
    pub fn digest(&self) -> &str {
        &self.idempotency_key.digest
    }

    /// The record that replays `response`.
    pub fn record(&self, response: String) -> StoredResponse {
        StoredResponse {
            key: self.key.clone(),
            route: self.idempotency_key.route.to_owned(),
            idempotency_key: self.idempotency_key.key.clone(),
            response,
        }
    }
}
