//! Entries of the audit log in responses.

use clawless_core::audit::AuditRecord;
use clawless_core::json::Json;
use clawless_core::{AuditId, RequestId, TenantId};
use serde::Serialize;

/// An entry of the log.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AuditEntry")
)]
pub struct AuditObject {
    /// Always `audit_entry`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "audit_entry")))]
    object: &'static str,
    /// The id.
    id: AuditId,
    /// When it happened, in seconds since 1970 (UTC).
    at: u64,
    /// The id of the token; `bootstrap` for the secret of the deployment.
    actor: String,
    /// What happened, such as `tenant.update`.
    action: String,
    /// The tenant.
    tenant_id: Option<TenantId>,
    /// The id of the changed or read object.
    target: Option<String>,
    /// The object before the change.
    before: Option<Json>,
    /// The object after the change.
    after: Option<Json>,
    /// The request.
    request_id: RequestId,
}

impl AuditObject {
    /// The entry's id.
    pub const fn id(&self) -> &AuditId {
        &self.id
    }
}

impl From<AuditRecord> for AuditObject {
    fn from(entry: AuditRecord) -> Self {
        Self {
            object: "audit_entry",
            id: entry.id,
            at: entry.at.as_secs(),
            actor: entry.actor,
            action: entry.action,
            tenant_id: entry.tenant_id,
            target: entry.target,
            before: entry.before,
            after: entry.after,
            request_id: entry.request_id,
        }
    }
}
