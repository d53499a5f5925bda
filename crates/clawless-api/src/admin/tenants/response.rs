//! Tenants in responses.

use clawless_core::chat::ReasoningEffort;
use clawless_core::limits::{LimitOverrides, QuotaOverrides, StorageOverrides};
use clawless_core::routing::Fallback;
use clawless_core::tenant::{ClassifierSettings, TenantSettings, TenantStatus, Tier};
use clawless_core::time_zone::TimeZone;
use clawless_core::{SessionId, Tenant, TenantId};
use serde::Serialize;

/// A tenant.
#[derive(Debug, Serialize)]
pub struct TenantObject {
    object: &'static str,
    id: TenantId,
    #[serde(flatten)]
    settings: TenantSettingsObject,
    version: u64,
    created_at: u64,
    updated_at: u64,
}

impl TenantObject {
    /// The tenant's id.
    pub const fn id(&self) -> &TenantId {
        &self.id
    }
}

/// The settings that an operator can change, in the shape of the request.
#[derive(Debug, Serialize)]
pub(super) struct TenantSettingsObject {
    name: String,
    tier: Tier,
    status: TenantStatus,
    limits: LimitOverrides,
    quotas: QuotaOverrides,
    storage: StorageOverrides,
    default_model: Option<String>,
    thinking: Option<ReasoningEffort>,
    allowed_models: Option<Vec<String>>,
    system_prompt: Option<String>,
    time_zone: Option<TimeZone>,
    tools: Vec<String>,
    fallback: Fallback,
    classifier: ClassifierSettings,
    ignore_body_session_id: bool,
    retention_days: Option<u32>,
}

impl From<&Tenant> for TenantSettingsObject {
    fn from(tenant: &Tenant) -> Self {
        // Without `..`, so that a new setting is not forgotten here.
        let TenantSettings {
            default_model,
            thinking,
            allowed_models,
            system_prompt,
            time_zone,
            tools,
            fallback,
            classifier,
            ignore_body_session_id,
            retention_days,
            limits,
            quotas,
            storage,
        } = tenant.settings.clone();
        Self {
            name: tenant.name.clone(),
            tier: tenant.tier,
            status: tenant.status,
            limits,
            quotas,
            storage,
            default_model,
            thinking,
            allowed_models,
            system_prompt,
            time_zone,
            tools,
            fallback,
            classifier,
            ignore_body_session_id,
            retention_days,
        }
    }
}

impl From<&Tenant> for TenantObject {
    fn from(tenant: &Tenant) -> Self {
        Self {
            object: "tenant",
            id: tenant.id.clone(),
            settings: TenantSettingsObject::from(tenant),
            version: tenant.version,
            created_at: tenant.created_at.as_secs(),
            updated_at: tenant.updated_at.as_secs(),
        }
    }
}

/// The progress of a deletion.
#[derive(Debug, Serialize)]
pub struct DeletionProgress<'a> {
    object: &'static str,
    id: &'a TenantId,
    deleted: bool,
}

impl<'a> DeletionProgress<'a> {
    /// The progress for the tenant `id`: whether all of it is deleted.
    pub const fn new(id: &'a TenantId, deleted: bool) -> Self {
        Self {
            object: "tenant",
            id,
            deleted,
        }
    }
}

/// The progress of an erasure of a tenant's content.
#[derive(Debug, Serialize)]
pub struct ErasureProgress<'a> {
    object: &'static str,
    id: &'a TenantId,
    erased: bool,
    next_cursor: Option<SessionId>,
}

impl<'a> ErasureProgress<'a> {
    /// The progress for the tenant `id`: whether everything is erased, else where the next request
    /// continues.
    pub const fn new(id: &'a TenantId, erased: bool, next_cursor: Option<SessionId>) -> Self {
        Self {
            object: "tenant",
            id,
            erased,
            next_cursor,
        }
    }
}
