//! Tenants: who Clawless serves, and how each wants it.

use serde::{Deserialize, Serialize};

use crate::chat::ReasoningEffort;
use crate::ids::TenantId;
use crate::limits::{LimitOverrides, QuotaOverrides};
use crate::routing::Fallback;
use crate::time::Timestamp;

/// What a tenant pays for; sets the defaults of its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The default.
    #[default]
    Free,
    /// Paid.
    Pro,
    /// Negotiated.
    Enterprise,
}

/// Whether a tenant is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Served.
    #[default]
    Active,
    /// Refused with 403 until an operator resumes it.
    Suspended,
    /// Being deleted; refused, and its data is going away.
    Deleting,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// The operator's name for it.
    pub name: String,
    /// What it pays for.
    pub tier: Tier,
    /// Whether it is served.
    pub status: TenantStatus,
    /// How it wants to be served.
    #[serde(flatten)]
    pub settings: TenantSettings,
    /// Counts changes of this record, so that the ledger can tell a stale copy.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a tenant's operator can set. Stored as one JSON document, so that a new setting needs no
/// migration; absent members take their defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// The model or alias for requests that ask for `auto`; the router decides where it is absent.
    pub default_model: Option<String>,
    /// How much models think where neither the request nor its session says.
    pub thinking: Option<ReasoningEffort>,
    /// The models that the tenant may use; all where it is absent.
    pub allowed_models: Option<Vec<String>>,
    /// Placed before every conversation.
    pub system_prompt: Option<String>,
    /// The server tools that are switched on.
    pub tools: Vec<String>,
    /// The models to fall back to, in order: for every request, or by its class.
    pub fallback: Fallback,
    /// Days after which messages are deleted; kept where it is absent.
    pub retention_days: Option<u32>,
    /// How fast it may ask, where that differs from its tier's limits.
    pub limits: LimitOverrides,
    /// How much it may use in a month, where that differs from its tier's quotas.
    pub quotas: QuotaOverrides,
}
