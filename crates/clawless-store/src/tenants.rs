//! Tenants.

use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{Tenant, TenantId, Timestamp};
use serde::Deserialize;

use crate::audit::{self, AuditEntry};
use crate::page;
use crate::ports::{Sql, SqlError, Statement};
use crate::row;
use crate::statements::statements;

statements! {
    FIND = "
        SELECT id, name, tier, status, settings, version, created_at, updated_at
        FROM tenants WHERE id = ?1";
    INSERT = "
        INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// Sets the version to NULL if the record has changed, which the column rejects: the batch
    /// fails.
    UPDATE = "
        UPDATE tenants SET name = ?2, tier = ?3, status = ?4, settings = ?5,
                           version = iif(version = ?6, version + 1, NULL), updated_at = ?7
        WHERE id = ?1";
    /// Oldest first.
    LIST_ACROSS_TENANTS = "
        SELECT id, name, tier, status, settings, version, created_at, updated_at
        FROM tenants WHERE id > ?1 ORDER BY id LIMIT ?2";
}

/// A tenant's row.
#[derive(Deserialize)]
pub(crate) struct TenantRow {
    id: TenantId,
    name: String,
    tier: Tier,
    status: TenantStatus,
    settings: String,
    version: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = SqlError;

    fn try_from(row: TenantRow) -> Result<Self, SqlError> {
        let settings: TenantSettings = row::json("tenants.settings", &row.settings)?;
        Ok(Self {
            id: row.id,
            name: row.name,
            tier: row.tier,
            status: row.status,
            settings,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The tenant's record, if it exists.
pub async fn find(sql: &impl Sql, id: &TenantId) -> Result<Option<Tenant>, SqlError> {
    let rows: Vec<TenantRow> = sql.query(FIND.with([id.into()])).await?;
    rows.into_iter().next().map(Tenant::try_from).transpose()
}

/// Up to `limit` tenants after `after`, oldest first.
pub async fn list_across_tenants(
    sql: &impl Sql,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, SqlError> {
    let list = LIST_ACROSS_TENANTS.with([page::after(after), limit.into()]);
    let rows: Vec<TenantRow> = sql.query(list).await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

/// Stores a new tenant without an audit entry, for tests and seeds. Fails with
/// [`crate::SqlErrorKind::Conflict`] if the id exists.
pub async fn insert(sql: &impl Sql, tenant: &Tenant) -> Result<(), SqlError> {
    sql.batch(vec![insert_statement(tenant)?]).await
}

/// Stores a new tenant and its audit entry.
pub async fn create(sql: &impl Sql, tenant: &Tenant, entry: &AuditEntry) -> Result<(), SqlError> {
    sql.batch(vec![
        insert_statement(tenant)?,
        audit::insert(&tenant.id, entry),
    ])
    .await
}

/// Replaces a tenant's record by `after`, whose version is one above that of the record it is based
/// on. `false` if the record has changed since, and then nothing is stored.
pub async fn update(sql: &impl Sql, after: &Tenant, entry: &AuditEntry) -> Result<bool, SqlError> {
    let update = UPDATE.with([
        (&after.id).into(),
        after.name.as_str().into(),
        row::name_of("tenants.tier", &after.tier)?.into(),
        row::name_of("tenants.status", &after.status)?.into(),
        row::to_json("tenants.settings", &after.settings)?.into(),
        after.version.saturating_sub(1).into(),
        after.updated_at.into(),
    ]);
    let batch = vec![update, audit::insert(&after.id, entry)];
    row::unless_changed(sql.batch(batch).await, "tenants.version")
}

fn insert_statement(tenant: &Tenant) -> Result<Statement, SqlError> {
    Ok(INSERT.with([
        (&tenant.id).into(),
        tenant.name.as_str().into(),
        row::name_of("tenants.tier", &tenant.tier)?.into(),
        row::name_of("tenants.status", &tenant.status)?.into(),
        row::to_json("tenants.settings", &tenant.settings)?.into(),
        tenant.version.into(),
        tenant.created_at.into(),
        tenant.updated_at.into(),
    ]))
}
