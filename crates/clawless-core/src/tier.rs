//! The tiers that tenants pay for.

use serde::{Deserialize, Serialize};

/// The tier of a tenant. It sets the default limits and quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
