//! Entries of the audit log in responses.

use clawless_core::audit::AuditRecord;
use clawless_core::json::Json;
use clawless_core::{AuditId, RequestId, TenantId};
use serde::Serialize;

/// An entry of the log.
#[derive(Debug, Serialize)]
pub struct AuditObject {
    object: &'static str,
    id: AuditId,
    at: u64,
    actor: String,
    action: String,
    tenant_id: Option<TenantId>,
    target: Option<String>,
    before: Option<Json>,
    after: Option<Json>,
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
