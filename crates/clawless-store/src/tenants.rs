//! Tenants.

use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{Tenant, TenantId, Timestamp};
use serde::Deserialize;

use crate::ports::{Sql, SqlError};
use crate::row;
use crate::statement::statements;

statements! {
    FIND = "
        SELECT id, name, tier, status, settings, version, created_at, updated_at
        FROM tenants WHERE id = ?1";
    INSERT = "
        INSERT INTO tenants (id, name, tier, status, settings, version, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
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

/// Stores a new tenant. [`crate::SqlErrorKind::Conflict`] where its id is taken.
pub async fn insert(sql: &impl Sql, tenant: &Tenant) -> Result<(), SqlError> {
    let insert = INSERT.with([
        (&tenant.id).into(),
        tenant.name.as_str().into(),
        row::name_of("tenants.tier", &tenant.tier)?.into(),
        row::name_of("tenants.status", &tenant.status)?.into(),
        row::to_json("tenants.settings", &tenant.settings)?.into(),
        tenant.version.into(),
        tenant.created_at.into(),
        tenant.updated_at.into(),
    ]);
    sql.batch(vec![insert]).await
}
