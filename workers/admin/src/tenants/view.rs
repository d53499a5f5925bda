//! A tenant in responses.

use clawless_core::chat::ReasoningEffort;
use clawless_core::limits::{LimitOverrides, QuotaOverrides};
use clawless_core::routing::Fallback;
use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{ApiError, Tenant, TenantId};
use clawless_edge::http::HttpResponse;
use serde::Serialize;

/// Times are in seconds since 1970 (UTC).
#[derive(Debug, Serialize)]
pub(super) struct View {
    object: &'static str,
    pub(super) id: TenantId,
    #[serde(flatten)]
    settable: Settable,
    version: u64,
    created_at: u64,
    updated_at: u64,
}

/// The settings that an operator can change, in the shape of the request.
#[derive(Debug, Serialize)]
pub(super) struct Settable {
    name: String,
    tier: Tier,
    status: TenantStatus,
    limits: LimitOverrides,
    quotas: QuotaOverrides,
    default_model: Option<String>,
    thinking: Option<ReasoningEffort>,
    allowed_models: Option<Vec<String>>,
    system_prompt: Option<String>,
    tools: Vec<String>,
    fallback: Fallback,
    ignore_body_session_id: bool,
    retention_days: Option<u32>,
}

impl From<&Tenant> for Settable {
    fn from(tenant: &Tenant) -> Self {
        // Without `..`, so that a new setting is not forgotten here.
        let TenantSettings {
            default_model,
            thinking,
            allowed_models,
            system_prompt,
            tools,
            fallback,
            ignore_body_session_id,
            retention_days,
            limits,
            quotas,
        } = tenant.settings.clone();
        Self {
            name: tenant.name.clone(),
            tier: tenant.tier,
            status: tenant.status,
            limits,
            quotas,
            default_model,
            thinking,
            allowed_models,
            system_prompt,
            tools,
            fallback,
            ignore_body_session_id,
            retention_days,
        }
    }
}

impl From<&Tenant> for View {
    fn from(tenant: &Tenant) -> Self {
        Self {
            object: "tenant",
            id: tenant.id.clone(),
            settable: Settable::from(tenant),
            version: tenant.version,
            created_at: tenant.created_at.as_secs(),
            updated_at: tenant.updated_at.as_secs(),
        }
    }
}

/// The version of a record, as `if-match` names it.
pub(super) fn etag(tenant: &Tenant) -> String {
    format!("\"{}\"", tenant.version)
}

/// The response with one tenant.
pub(super) fn respond(tenant: &Tenant) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::of(&View::from(tenant))?.with_header("etag", etag(tenant)))
}
