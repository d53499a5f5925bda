//! The tenant configuration that the ledger enforces.

use serde::{Deserialize, Serialize};

use crate::limits::{Limits, Quotas, StorageLimits};
use crate::tenant::{Tenant, TenantStatus};

/// The part of a tenant record that the ledger needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerConfig {
    /// Version of the record.
    pub version: u64,
    /// Whether the tenant is served.
    pub status: TenantStatus,
    /// Rate and concurrency limits.
    pub limits: Limits,
    /// Monthly quotas.
    pub quotas: Quotas,
    /// Limits of stored content. Absent in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageLimits>,
}

impl From<&Tenant> for LedgerConfig {
    fn from(tenant: &Tenant) -> Self {
        Self {
            version: tenant.version,
            status: tenant.status,
            limits: tenant.limits(),
            quotas: tenant.quotas(),
            storage: Some(tenant.storage()),
        }
    }
}

impl LedgerConfig {
    /// The versions of an epoch. A restore of a backup sets the version of a record to its time in
    /// seconds, times this: above every version that the ledger knows, and recognisable as a jump.
    pub const EPOCH: u64 = 1 << 20;

    /// The time of the last restore, in seconds; 0 without one.
    pub(super) const fn epoch(&self) -> u64 {
        self.version / Self::EPOCH
    }
}

/// Effect of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Configured {
    /// The version is known, or older than the known one.
    Known,
    /// The settings have changed.
    Changed,
    /// The record comes from a restored backup: what is known of the tenant's sessions is obsolete.
    Restored,
}

/// The configuration, and whether the tenant was suspended after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct ConfigState {
    pub(super) config: Option<LedgerConfig>,
    pub(super) suspended: bool,
}

impl ConfigState {
    /// Applies a newer configuration, which also lifts a suspension unless its status says
    /// otherwise.
    pub(super) fn configure(&mut self, config: LedgerConfig) -> Configured {
        let is_known = self.config.is_some_and(|known| {
            let is_complete = known.storage.is_some() || config.storage.is_none();
            known.version > config.version || known.version == config.version && is_complete
        });
        if is_known {
            return Configured::Known;
        }
        let is_restored = self
            .config
            .is_some_and(|known| known.epoch() != config.epoch());
        *self = Self {
            config: Some(config),
            suspended: false,
        };
        if is_restored {
            Configured::Restored
        } else {
            Configured::Changed
        }
    }

    /// Whether the configuration comes from an older version and lacks limits.
    pub(super) fn is_incomplete(&self) -> bool {
        self.config.is_some_and(|config| config.storage.is_none())
    }

    /// Version of the current configuration.
    pub(super) fn version(&self) -> Option<u64> {
        self.config.map(|config| config.version)
    }

    /// Whether the tenant is suspended or being deleted.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended
            || self
                .config
                .is_some_and(|config| config.status != TenantStatus::Active)
    }

    /// The limits; zero before the first configuration.
    pub(super) fn limits(&self) -> Limits {
        self.config.map_or(Limits::NOTHING, |config| config.limits)
    }

    /// The limits of stored content; zero before the first configuration.
    pub(super) fn storage(&self) -> StorageLimits {
        let storage = self.config.map(|config| config.storage);
        // Incomplete configurations are refused as stale before content is admitted.
        storage.map_or(StorageLimits::NOTHING, |storage| {
            storage.unwrap_or(StorageLimits::UNLIMITED)
        })
    }

    /// The quotas; zero before the first configuration.
    pub(super) fn quotas(&self) -> Quotas {
        self.config.map_or(Quotas::NOTHING, |config| config.quotas)
    }
}
