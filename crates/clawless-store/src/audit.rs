//! The audit log: who changed what, when, and how it was before and after.
//!
//! An entry is written in the same batch as the change that it tells of, by the repository that
//! makes the change: neither is ever there without the other. The database refuses to change one.

use clawless_core::json::Json;
use clawless_core::{AuditId, RequestId, TenantId, Timestamp};
use serde::Deserialize;

use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::{Statement, statements};

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
        FROM audit_log WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
}

/// Sorts after every id.
const END: &str = "~";

/// What is noted of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The entry's id; ids sort by time.
    pub id: AuditId,
    /// When it was.
    pub at: Timestamp,
    /// Which operator's token it came with.
    pub actor: String,
    /// What was done, as `key.revoke`.
    pub action: &'static str,
    /// To what; its id.
    pub target: Option<String>,
    /// How it was before; absent for what is new.
    pub before: Option<Json>,
    /// How it is now; absent for what is gone.
    pub after: Option<Json>,
    /// The request.
    pub request_id: RequestId,
}

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// The entry's id.
    pub id: AuditId,
    /// When it was.
    pub at: Timestamp,
    /// Which operator's token it came with.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The tenant that it concerns, if it is about one.
    pub tenant_id: Option<TenantId>,
    /// To what.
    pub target: Option<String>,
    /// How it was before.
    pub before: Option<Json>,
    /// How it was after.
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

impl TryFrom<Row> for StoredEntry {
    type Error = SqlError;

    fn try_from(row: Row) -> Result<Self, SqlError> {
        let json = |text: Option<String>| {
            text.map(|text| row::json("audit_log", &text)).transpose()
        };
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

/// The statement that notes a change of a tenant's, for the batch that makes the change.
pub(crate) fn noting(tenant: &TenantId, entry: &AuditEntry) -> Statement {
    let mut params = vec![tenant.into()];
    params.extend(members(entry));
    INSERT.with_all(params)
}

/// The statement that notes a change of no tenant's.
pub(crate) fn noting_across_tenants(entry: &AuditEntry) -> Statement {
    INSERT_ACROSS_TENANTS.with(members(entry))
}

fn members(entry: &AuditEntry) -> [crate::Value; 8] {
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

/// Notes something that changed nothing, as reading a tenant's messages for support.
pub async fn note(sql: &impl Sql, tenant: &TenantId, entry: &AuditEntry) -> Result<(), SqlError> {
    sql.batch(vec![noting(tenant, entry)]).await
}

/// The entries about a tenant, newest first: at most `limit` of those before `before`.
pub async fn list(
    sql: &impl Sql,
    tenant: &TenantId,
    before: Option<&AuditId>,
    limit: u32,
) -> Result<Vec<StoredEntry>, SqlError> {
    let before = before.map_or(END, AuditId::as_str);
    let rows: Vec<Row> = sql
        .query(LIST.with([tenant.into(), before.into(), limit.into()]))
        .await?;
    rows.into_iter().map(StoredEntry::try_from).collect()
}

/// All entries, newest first: at most `limit` of those before `before`.
pub async fn list_across_tenants(
    sql: &impl Sql,
    before: Option<&AuditId>,
    limit: u32,
) -> Result<Vec<StoredEntry>, SqlError> {
    let before = before.map_or(END, AuditId::as_str);
    let rows: Vec<Row> = sql
        .query(LIST_ACROSS_TENANTS.with([before.into(), limit.into()]))
        .await?;
    rows.into_iter().map(StoredEntry::try_from).collect()
}
