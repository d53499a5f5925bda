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
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Tenant")
)]
pub struct TenantObject {
    /// Always `tenant`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "tenant")))]
    object: &'static str,
    /// The id.
    id: TenantId,
    #[serde(flatten)]
    settings: TenantSettingsObject,
    /// The version, as in the `etag`.
    version: u64,
    /// When it was created, in seconds since 1970 (UTC).
    created_at: u64,
    /// When it last changed, in seconds since 1970 (UTC).
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
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "StoredTenantSettings")
)]
pub(super) struct TenantSettingsObject {
    /// A name for people.
    name: String,
    /// The tier, which sets the default limits and quotas.
    tier: Tier,
    /// Whether requests are served.
    status: TenantStatus,
    /// Rate limits that differ from the tier.
    limits: LimitOverrides,
    /// Monthly quotas that differ from the tier.
    quotas: QuotaOverrides,
    /// Limits of stored content that differ from the tier.
    storage: StorageOverrides,
    /// The model or alias for `auto`; the router decides if it is absent.
    default_model: Option<String>,
    /// The reasoning effort for requests and sessions without one.
    thinking: Option<ReasoningEffort>,
    /// The models that the tenant may use; all if absent.
    allowed_models: Option<Vec<String>>,
    /// The system prompt before every conversation.
    system_prompt: Option<String>,
    /// The time zone of dates in system prompts; UTC if absent.
    time_zone: Option<TimeZone>,
    /// The enabled server tools.
    tools: Vec<String>,
    /// The fallback models: one list, or one per request class.
    fallback: Fallback,
    /// How the request classifier decides.
    classifier: ClassifierSettings,
    /// Whether `session_id` in the body of a request names no session.
    ignore_body_session_id: bool,
    /// The age in days at which messages and unused sessions are deleted; unlimited if absent.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeletionProgress<'a> {
    /// Always `tenant`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "tenant")))]
    object: &'static str,
    /// The id.
    id: &'a TenantId,
    /// Whether all data is deleted. If not, repeat the request.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErasureProgress<'a> {
    /// Always `tenant`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "tenant")))]
    object: &'static str,
    /// The id.
    id: &'a TenantId,
    /// Whether everything is erased.
    erased: bool,
    /// The `cursor` of the next request.
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
