//! Tenants.

use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{Tenant, TenantId, Timestamp};
use serde::Deserialize;

use crate::audit::{AuditEntry, noting};
use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::{Statement, statements};

statements! {
    FIND = "
        SELECT id, name, tier, status, settings, version, created_at, updated_at
        FROM tenants WHERE id = ?1";
    INSERT = "
        INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// Where the record is no longer the expected one, its version becomes NULL, which the column
    /// refuses: the batch fails as a whole.
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

/// The tenant's record, if there is such a tenant.
pub async fn find(sql: &impl Sql, id: &TenantId) -> Result<Option<Tenant>, SqlError> {
    let rows: Vec<TenantRow> = sql.query(FIND.with([id.into()])).await?;
    rows.into_iter().next().map(Tenant::try_from).transpose()
}

/// The tenants, oldest first: at most `limit` of those after `after`.
pub async fn list_across_tenants(
    sql: &impl Sql,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<Tenant>, SqlError> {
    let after = after.map_or("", TenantId::as_str);
    let list = LIST_ACROSS_TENANTS.with([after.into(), limit.into()]);
    let rows: Vec<TenantRow> = sql.query(list).await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

/// Stores a new tenant, without a line in the audit log: for databases that are set up and not
/// operated. [`crate::SqlErrorKind::Conflict`] where its id is taken.
pub async fn insert(sql: &impl Sql, tenant: &Tenant) -> Result<(), SqlError> {
    sql.batch(vec![inserting(tenant)?]).await
}

/// Stores a new tenant.
pub async fn create(
    sql: &impl Sql,
    tenant: &Tenant,
    audit: &AuditEntry,
) -> Result<(), SqlError> {
    sql.batch(vec![inserting(tenant)?, noting(&tenant.id, audit)])
        .await
}

/// Stores a tenant as `after`, whose version is one above that of the record which the change goes
/// by. `false` where that record has changed since: then nothing is stored.
pub async fn update(
    sql: &impl Sql,
    after: &Tenant,
    audit: &AuditEntry,
) -> Result<bool, SqlError> {
    let update = UPDATE.with([
        (&after.id).into(),
        after.name.as_str().into(),
        row::name_of("tenants.tier", &after.tier)?.into(),
        row::name_of("tenants.status", &after.status)?.into(),
        row::to_json("tenants.settings", &after.settings)?.into(),
        after.version.saturating_sub(1).into(),
        after.updated_at.into(),
    ]);
    let batch = vec![update, noting(&after.id, audit)];
    row::unless_changed(sql.batch(batch).await, "tenants.version")
}

fn inserting(tenant: &Tenant) -> Result<Statement, SqlError> {
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
