//! The audit log: who changed what and when, with the values before and after.
//!
//! The repository that makes a change writes the entry in the same batch, so neither is stored
//! without the other. The database rejects changes of entries.

use clawless_core::audit::AuditRecord;
use clawless_core::json::Json;
use clawless_core::{AuditId, RequestId, TenantId, Timestamp};
use serde::Deserialize;

use crate::page;
use crate::ports::{Sql, SqlError, Statement, Value};
use crate::row;
use crate::statements::statements;

statements! {
    INSERT = "
        INSERT INTO audit_log (tenant_id, id, at, actor, action, target, before_json, after_json,
                               request_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    INSERT_ACROSS_TENANTS = "
        INSERT INTO audit_log (id, at, actor, action, target, before_json, after_json, request_id)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// Newest first.
    LIST = "
        SELECT id, at, actor, action, tenant_id, target, before_json, after_json, request_id
        FROM audit_log WHERE tenant_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    LIST_ACROSS_TENANTS = "
        SELECT id, at, actor, action, tenant_id, target, before_json, after_json, request_id
        FROM audit_log WHERE id < ?1 AND (?3 OR action NOT GLOB 'token.*') ORDER BY id DESC LIMIT ?2";
    /// Only if the token, which is the target, is not yet revoked.
    INSERT_REVOCATION_ACROSS_TENANTS = "
        INSERT INTO audit_log (id, at, actor, action, target, before_json, after_json, request_id)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM admin_tokens WHERE id = ?5 AND revoked_at IS NULL";
}

/// A new entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The entry's id; ids sort by time.
    pub id: AuditId,
    /// When the change was made.
    pub at: Timestamp,
    /// The operator's token.
    pub actor: String,
    /// The action, as `key.revoke`.
    pub action: &'static str,
    /// The id of the changed record.
    pub target: Option<String>,
    /// The record before; absent if it is new.
    pub before: Option<Json>,
    /// The record after; absent if it was deleted.
    pub after: Option<Json>,
    /// The request.
    pub request_id: RequestId,
}

#[derive(Deserialize)]
struct Row {
    id: AuditId,
    at: Timestamp,
    actor: String,
    action: String,
    tenant_id: Option<TenantId>,
    target: Option<String>,
    before_json: Option<String>,
    after_json: Option<String>,
    request_id: RequestId,
}

impl TryFrom<Row> for AuditRecord {
    type Error = SqlError;

    fn try_from(row: Row) -> Result<Self, SqlError> {
        let json =
            |text: Option<String>| text.map(|text| row::json("audit_log", &text)).transpose();
        Ok(Self {
            id: row.id,
            at: row.at,
            actor: row.actor,
            action: row.action,
            tenant_id: row.tenant_id,
            target: row.target,
            before: json(row.before_json)?,
            after: json(row.after_json)?,
            request_id: row.request_id,
        })
    }
}

/// The statement that records a change of a tenant's data, for the batch that makes the change.
pub(crate) fn insert(tenant: &TenantId, entry: &AuditEntry) -> Statement {
    let mut params = vec![tenant.into()];
    params.extend(columns(entry));
    INSERT.with_all(params)
}

/// The statement that records a change that belongs to no tenant.
pub(crate) fn insert_across_tenants(entry: &AuditEntry) -> Statement {
    INSERT_ACROSS_TENANTS.with(columns(entry))
}

/// The statement that records that an admin token is revoked, before the one that revokes it.
pub(crate) fn insert_revocation_across_tenants(entry: &AuditEntry) -> Statement {
    INSERT_REVOCATION_ACROSS_TENANTS.with(columns(entry))
}

fn columns(entry: &AuditEntry) -> [Value; 8] {
    [
        (&entry.id).into(),
        entry.at.into(),
        entry.actor.as_str().into(),
        entry.action.into(),
        entry.target.as_deref().into(),
        entry.before.as_ref().map(Json::as_str).into(),
        entry.after.as_ref().map(Json::as_str).into(),
        (&entry.request_id).into(),
    ]
}

/// Records an access that changed nothing, as reading a tenant's messages for support.
pub async fn record(sql: &impl Sql, tenant: &TenantId, entry: &AuditEntry) -> Result<(), SqlError> {
    sql.batch(vec![insert(tenant, entry)]).await
}

/// Up to `limit` of a tenant's entries before `before`, newest first.
pub async fn list(
    sql: &impl Sql,
    tenant: &TenantId,
    before: Option<&AuditId>,
    limit: u32,
) -> Result<Vec<AuditRecord>, SqlError> {
    let list = LIST.with([tenant.into(), page::before(before), limit.into()]);
    let rows: Vec<Row> = sql.query(list).await?;
    rows.into_iter().map(AuditRecord::try_from).collect()
}

/// Up to `limit` of all entries before `before`, newest first; those of admin tokens if `with_tokens`.
pub async fn list_across_tenants(
    sql: &impl Sql,
    before: Option<&AuditId>,
    limit: u32,
    with_tokens: bool,
) -> Result<Vec<AuditRecord>, SqlError> {
    let with_tokens = u32::from(with_tokens);
    let list = LIST_ACROSS_TENANTS.with([page::before(before), limit.into(), with_tokens.into()]);
    let rows: Vec<Row> = sql.query(list).await?;
    rows.into_iter().map(AuditRecord::try_from).collect()
}
