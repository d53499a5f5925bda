//! Tenants and their settings.

use serde::{Deserialize, Serialize};

use crate::chat::ReasoningEffort;
use crate::ids::TenantId;
use crate::limits::{
    LimitOverrides, Limits, QuotaOverrides, Quotas, StorageLimits, StorageOverrides,
};
use crate::routing::fallback::Fallback;
use crate::routing::{ClassifierRules, QueryClass, SIMPLE_THRESHOLD};
use crate::time::Timestamp;
use crate::time_zone::TimeZone;

pub use crate::tier::Tier;

/// Whether requests of a tenant are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TenantStatus {
    /// Served.
    #[default]
    Active,
    /// Requests are rejected with 403 until an operator resumes the tenant.
    Suspended,
    /// Requests are rejected while the data of the tenant is deleted.
    Deleting,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// A name for operators.
    pub name: String,
    /// The tier.
    pub tier: Tier,
    /// Whether requests are served.
    pub status: TenantStatus,
    /// The settings.
    #[serde(flatten)]
    pub settings: TenantSettings,
    /// Incremented with each change of this record, so that the ledger can detect a stale copy.
    pub version: u64,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// The settings of a tenant. Stored as one JSON document: a new setting needs no migration, and
/// absent members take their defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// The model or alias for `auto`. The router decides if it is absent.
    pub default_model: Option<String>,
    /// The reasoning effort for requests and sessions that do not set one.
    pub thinking: Option<ReasoningEffort>,
    /// The models that the tenant may use. All if absent.
    pub allowed_models: Option<Vec<String>>,
    /// The template of the system prompt before every conversation.
    pub system_prompt: Option<String>,
    /// The time zone of its prompts; UTC if absent.
    pub time_zone: Option<TimeZone>,
    /// The enabled server tools.
    pub tools: Vec<String>,
    /// The fallback models in order, for all requests or by request class.
    pub fallback: Fallback,
    /// Whether `session_id` in a request's body names no session. Clients of other services send it
    /// as a label, with the whole conversation.
    pub ignore_body_session_id: bool,
    /// How the request classifier decides.
    pub classifier: ClassifierSettings,
    /// The age in days at which messages are deleted, and sessions that have not changed since.
    /// Unlimited if absent.
    pub retention_days: Option<u32>,
    /// Limits that differ from the tier's defaults.
    pub limits: LimitOverrides,
    /// Quotas that differ from the tier's defaults.
    pub quotas: QuotaOverrides,
    /// Limits of stored content that differ from the tier's defaults.
    pub storage: StorageOverrides,
}

/// A tenant's settings of the request classifier.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierSettings {
    /// Probability from which a request counts as simple, from 0 to 1. The default is
    /// [`SIMPLE_THRESHOLD`].
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1)))]
    pub simple_threshold: Option<f32>,
    /// Classes that are not used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<QueryClass>,
}

impl ClassifierSettings {
    /// The rules for the classifier.
    pub fn rules(&self) -> ClassifierRules<'_> {
        ClassifierRules {
            simple_threshold: self.simple_threshold.unwrap_or(SIMPLE_THRESHOLD),
            off: &self.off,
        }
    }
}

impl Tenant {
    /// The tenant's rate limits.
    pub fn limits(&self) -> Limits {
        self.settings.limits.resolve(self.tier)
    }

    /// The tenant's quotas for a month.
    pub fn quotas(&self) -> Quotas {
        self.settings.quotas.resolve(self.tier)
    }

    /// The first setting that differs from `before` and that a tenant's own admin may not change: what
    /// the tenant may use, and what it costs.
    pub fn changed_grant(&self, before: &Self) -> Option<&'static str> {
        let (new, old) = (&self.settings, &before.settings);
        let grants = [
            ("tier", self.tier != before.tier),
            ("status", self.status != before.status),
            ("limits", new.limits != old.limits),
            ("quotas", new.quotas != old.quotas),
            ("storage", new.storage != old.storage),
            ("allowed_models", new.allowed_models != old.allowed_models),
        ];
        let mut changed = grants.into_iter().filter(|(_, is_changed)| *is_changed);
        changed.next().map(|(name, _)| name)
    }

    /// The tenant's limits of stored content.
    pub fn storage(&self) -> StorageLimits {
        self.settings.storage.resolve(self.tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Tokens;

    #[test]
    fn absent_override_is_the_default_and_null_is_unlimited() {
        let text = r#"{"limits":{"burst":null,"concurrent":2},"quotas":{"tokens_per_month":0}}"#;
        let settings: TenantSettings = serde_json::from_str(text).expect("valid");
        let limits = settings.limits.resolve(Tier::Free);
        let default = Tier::Free.plan();
        assert_eq!(
            limits.requests_per_minute,
            default.limits.requests_per_minute
        );
        assert_eq!((limits.burst, limits.concurrent), (None, Some(2)));
        let quotas = settings.quotas.resolve(Tier::Free);
        assert_eq!(quotas.tokens_per_month, Some(Tokens::ZERO));
        assert_eq!(quotas.messages_per_month, default.quotas.messages_per_month);

        let serialized = serde_json::to_value(&settings).expect("serialises");
        assert_eq!(
            serialized["limits"].to_string(),
            r#"{"burst":null,"concurrent":2}"#
        );
        assert_eq!(
            serde_json::from_value::<TenantSettings>(serialized).expect("reads"),
            settings
        );
    }
}
