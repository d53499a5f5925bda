//! The tenant's configuration as the ledger goes by it.

use serde::{Deserialize, Serialize};

use crate::limits::{Limits, Quotas};
use crate::tenant::{Tenant, TenantStatus};

/// What the ledger needs of a tenant's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerConfig {
    /// The record's version.
    pub version: u64,
    /// Whether the tenant is served.
    pub status: TenantStatus,
    /// How fast it may ask.
    pub limits: Limits,
    /// How much it may use in a month.
    pub quotas: Quotas,
}

impl From<&Tenant> for LedgerConfig {
    fn from(tenant: &Tenant) -> Self {
        Self {
            version: tenant.version,
            status: tenant.status,
            limits: tenant.limits(),
            quotas: tenant.quotas(),
        }
    }
}

/// The configuration and whether the tenant was suspended since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ConfigState {
    pub(super) config: Option<LedgerConfig>,
    pub(super) suspended: bool,
}

impl ConfigState {
    /// Takes over a newer configuration, which also lifts a suspension unless it says otherwise.
    /// `false`: known or older.
    pub(super) fn configure(&mut self, config: LedgerConfig) -> bool {
        if self.version().is_some_and(|known| known >= config.version) {
            return false;
        }
        *self = Self {
            config: Some(config),
            suspended: false,
        };
        true
    }

    /// The version of the configuration in force.
    pub(super) fn version(&self) -> Option<u64> {
        self.config.map(|config| config.version)
    }

    /// Whether nothing is served.
    pub(super) fn is_closed(&self) -> bool {
        self.suspended
            || self
                .config
                .is_some_and(|config| config.status != TenantStatus::Active)
    }

    /// The limits; nothing passes before the ledger was configured.
    pub(super) fn limits(&self) -> Limits {
        self.config.map_or(Limits::NOTHING, |config| config.limits)
    }

    /// The quotas; nothing may be used before the ledger was configured.
    pub(super) fn quotas(&self) -> Quotas {
        self.config.map_or(Quotas::NOTHING, |config| config.quotas)
    }
}
