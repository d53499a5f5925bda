//! The authenticated caller of a request.

use clawless_core::keys::KeyDigest;
use clawless_core::ledger;
use clawless_core::widget::Visitor;
use clawless_core::{ApiError, ApiKey, ErrorCode, KeyKind, Scope, Tenant};
use clawless_edge::logging;

/// An authenticated caller. Only [`crate::authenticate`] creates one, so a handler that takes a
/// `Caller` cannot run without authentication.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    tenant: Tenant,
    key: ApiKey,
    /// The key's digest, if the request carried the key.
    digest: Option<KeyDigest>,
    /// The visitor, if the request carried a token of the public key instead of a key.
    visitor: Option<Visitor>,
}

impl Caller {
    /// Creates a caller whose key was found and is usable. From here on all log lines of the request name
    /// its tenant.
    pub(crate) fn new(tenant: Tenant, key: ApiKey, digest: Option<KeyDigest>) -> Self {
        logging::set_tenant(&tenant.id);
        Self {
            tenant,
            key,
            digest,
            visitor: None,
        }
    }

    /// The caller as a visitor who has a token of its public key.
    pub(crate) fn with_visitor(self, visitor: Option<Visitor>) -> Self {
        Self { visitor, ..self }
    }

    /// The visitor, if the caller has a visitor's token instead of a key.
    pub const fn visitor(&self) -> Option<&Visitor> {
        self.visitor.as_ref()
    }

    /// The digest by which the key was found, if it was.
    pub(crate) const fn digest(&self) -> Option<KeyDigest> {
        self.digest
    }

    /// The caller for the ledger: the versions of its records, which the ledger confirms or calls
    /// stale.
    pub(crate) fn for_ledger(&self) -> ledger::CallerVersions {
        ledger::CallerVersions {
            key_id: self.key.id.clone(),
            key_version: self.key.version,
            key_limits: self.key.limits,
            config_version: self.tenant.version,
            config: None,
        }
    }

    /// The tenant. Every storage access takes its tenant from here.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The API key.
    pub const fn key(&self) -> &ApiKey {
        &self.key
    }

    /// Checks that the key, or the visitor's token, has a scope.
    ///
    /// # Errors
    /// 403 that names the missing scope.
    pub fn require(&self, scope: Scope) -> Result<(), ApiError> {
        let may = match &self.visitor {
            Some(visitor) => visitor.scopes.allow(scope),
            None => self.key.kind == KeyKind::Secret && self.key.scopes.allow(scope),
        };
        if may {
            return Ok(());
        }
        let scope = scope.as_str();
        Err(ApiError::new(
            ErrorCode::PermissionDenied,
            format!("This API key lacks the scope `{scope}`."),
        ))
    }
}
