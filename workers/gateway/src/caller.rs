//! Who asks: the proof that a request was authenticated.

use clawless_core::keys::KeyDigest;
use clawless_core::ledger;
use clawless_core::{ApiError, ApiKey, ErrorCode, KeyKind, Scope, Tenant};

/// An authenticated caller. Only [`crate::authenticate`] makes one, so a handler that takes a
/// `Caller` cannot run for a stranger.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    tenant: Tenant,
    key: ApiKey,
    /// The key's digest, where it came with the request.
    digest: Option<KeyDigest>,
}

impl Caller {
    /// A caller whose key was found and is usable.
    pub(crate) const fn new(tenant: Tenant, key: ApiKey, digest: Option<KeyDigest>) -> Self {
        Self {
            tenant,
            key,
            digest,
        }
    }

    /// The digest by which the key was found, if that is how.
    pub(crate) const fn digest(&self) -> Option<KeyDigest> {
        self.digest
    }

    /// The caller as the ledger knows it: the versions of the records that we go by, which it
    /// confirms or calls stale.
    pub(crate) fn for_ledger(&self) -> ledger::CallerVersions {
        ledger::CallerVersions {
            key_id: self.key.id.clone(),
            key_version: self.key.version,
            config_version: self.tenant.version,
            config: None,
        }
    }

    /// Whose request it is. Every storage access takes its tenant from here.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The key that the request came with.
    pub const fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Checks that the key may do something.
    ///
    /// # Errors
    /// 403 that names the missing scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        if self.key.kind == KeyKind::Secret && self.key.scopes.allow(scope) {
            return Ok(());
        }
        let scope = scope.as_str();
        Err(ApiError::new(
            ErrorCode::PermissionDenied,
            format!("This API key lacks the scope `{scope}`."),
        ))
    }
}
