//! The memory of an isolate, shared by its requests. It decides nothing: the ledger confirms the
//! versions of records, and everything else is a hint that saves work.

use std::cell::RefCell;
use std::collections::HashMap;

use clawless_core::keys::KeyDigest;
use clawless_core::routing::breaker::Breakers;
use clawless_core::time::{Millis, Timestamp};
use clawless_core::{ApiKey, Tenant, TenantId};
use clawless_edge::health::Problem;

use super::health::Health;

/// TTL of cached key records.
const KEY_TTL: Millis = Millis::from_secs(30);
/// The most cached keys; more than one isolate sees within the TTL.
const MAX_KEYS: usize = 1024;
/// How long an address that guessed keys is refused without a storage read. The rate-limit binding
/// counts by the minute.
const BLOCKED_TTL: Millis = Millis::from_secs(60);
/// The most such addresses.
const MAX_BLOCKED: usize = 4096;

/// The most tenants whose logged settings are remembered. Above it they are logged again.
const MAX_NOTED: usize = 1024;

/// TTL of a health check's result: checks must not load storage.
const HEALTH_TTL: Millis = Millis::from_secs(3);

/// The memory of an isolate.
#[derive(Debug, Default)]
pub struct Memory {
    keys: RefCell<HashMap<KeyDigest, CachedKey>>,
    blocked: RefCell<HashMap<String, Timestamp>>,
    health: RefCell<Option<(Health, Timestamp)>>,
    /// The versions of tenants' settings whose problems have been logged.
    noted_settings: RefCell<HashMap<TenantId, u64>>,
    /// The circuit breakers of the models. Never borrowed across an `await`.
    pub breakers: RefCell<Breakers>,
}

#[derive(Debug)]
struct CachedKey {
    key: ApiKey,
    tenant: Tenant,
    until: Timestamp,
}

impl Memory {
    /// The cached records of a key.
    pub(crate) fn key(&self, digest: KeyDigest, now: Timestamp) -> Option<(ApiKey, Tenant)> {
        let keys = self.keys.borrow();
        let found = keys.get(&digest).filter(|found| now < found.until)?;
        Some((found.key.clone(), found.tenant.clone()))
    }

    /// Caches the records of a key.
    pub(crate) fn cache_key(&self, digest: KeyDigest, key: ApiKey, tenant: Tenant, now: Timestamp) {
        let mut keys = self.keys.borrow_mut();
        if keys.len() >= MAX_KEYS {
            keys.retain(|_, cached| now < cached.until);
        }
        if keys.len() < MAX_KEYS {
            let until = now.plus(KEY_TTL);
            keys.insert(digest, CachedKey { key, tenant, until });
        }
    }

    /// Removes the records of a key that are out of date.
    pub(crate) fn forget_key(&self, digest: KeyDigest) {
        self.keys.borrow_mut().remove(&digest);
    }

    /// Notes that the problems of a tenant's settings are logged; `false` if they were before.
    pub(crate) fn note_settings(&self, tenant: &TenantId, version: u64) -> bool {
        let mut noted = self.noted_settings.borrow_mut();
        if noted.len() >= MAX_NOTED {
            noted.clear();
        }
        noted.insert(tenant.clone(), version) != Some(version)
    }

    /// The cached health. A caller that gets `None` checks again; others get the old result
    /// meanwhile.
    pub(crate) fn health(&self, now: Timestamp) -> Option<Health> {
        let mut cached = self.health.borrow_mut();
        let (found, until) = cached.as_mut()?;
        if now < *until {
            return Some(found.clone());
        }
        *until = now.plus(HEALTH_TTL);
        None
    }

    /// Caches the result of a health check. Returns the problems that the result before did not have.
    pub(crate) fn cache_health(&self, found: Health, now: Timestamp) -> Vec<Problem> {
        let until = now.plus(HEALTH_TTL);
        let before = self.health.replace(Some((found.clone(), until)));
        let before = before.map(|(health, _)| health).unwrap_or_default();
        let mut problems = found.problems;
        problems.retain(|problem| !before.problems.contains(problem));
        problems
    }

    /// The remaining time for which an address is blocked.
    pub(crate) fn blocked_for(&self, address: &str, now: Timestamp) -> Option<Millis> {
        let until = *self.blocked.borrow().get(address)?;
        (now < until).then(|| until.since(now))
    }

    /// Blocks an address that guessed too many keys.
    pub(crate) fn block(&self, address: &str, now: Timestamp) -> Millis {
        let mut blocked = self.blocked.borrow_mut();
        if blocked.len() >= MAX_BLOCKED {
            blocked.retain(|_, until| now < *until);
        }
        if blocked.len() < MAX_BLOCKED {
            blocked.insert(address.to_owned(), now.plus(BLOCKED_TTL));
        }
        BLOCKED_TTL
    }
}

#[cfg(test)]
mod tests {
    use clawless_edge::health::Part;

    use super::*;

    #[test]
    fn one_caller_at_a_time_checks_health_once_per_ttl() {
        let memory = Memory::default();
        let at = Timestamp::from_millis;
        assert_eq!(memory.health(at(0)), None);
        let problem = Problem {
            worker: "gateway".to_owned(),
            part: Part::Database,
            name: "DB".to_owned(),
            reason: "it does not respond".to_owned(),
        };
        let (good, bad) = (
            Health::default(),
            Health {
                problems: vec![problem.clone()],
            },
        );
        assert_eq!(memory.cache_health(bad.clone(), at(0)), [problem]);
        assert_eq!(memory.health(at(2_999)), Some(bad.clone()));
        assert_eq!(memory.health(at(3_000)), None, "one caller checks again");
        assert_eq!(
            memory.health(at(3_001)),
            Some(bad.clone()),
            "other callers get the old result"
        );
        assert_eq!(memory.cache_health(bad, at(3_400)), [], "known already");
        assert_eq!(memory.cache_health(good.clone(), at(3_500)), []);
        assert_eq!(memory.health(at(3_501)), Some(good));
    }
}
