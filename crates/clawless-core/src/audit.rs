//! Entries of the audit log.

use crate::ids::{AuditId, RequestId, TenantId};
use crate::json::Json;
use crate::time::Timestamp;

/// A stored entry: who changed what and when, with the values before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The entry's id.
    pub id: AuditId,
    /// When the change was made.
    pub at: Timestamp,
    /// The operator's token.
    pub actor: String,
    /// The action.
    pub action: String,
    /// The tenant, if the change belongs to one.
    pub tenant_id: Option<TenantId>,
    /// The id of the changed record.
    pub target: Option<String>,
    /// The record before.
    pub before: Option<Json>,
    /// The record after.
    pub after: Option<Json>,
    /// The request.
    pub request_id: RequestId,
}
