//! What an isolate remembers between requests. Nothing here decides anything: the ledger confirms
//! the records' versions, and everything else is a hint that saves work.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use clawless_core::keys::KeyDigest;
use clawless_core::routing::breaker::Breakers;
use clawless_core::time::{Millis, Timestamp};
use clawless_core::{ApiKey, Tenant};

use crate::http::dependencies::Health;

/// How long a key's record is gone by before it is read again.
const KEY_LIFE: Millis = Millis::from_secs(30);
/// How many keys are remembered; more than one isolate sees within that time.
const MAX_KEYS: usize = 1024;
/// How long an address that guessed keys is refused without asking anybody. The rate-limit
/// binding counts by the minute.
const BLOCKED_LIFE: Millis = Millis::from_secs(60);
/// How many such addresses are remembered.
const MAX_BLOCKED: usize = 4096;

/// How long what a health check found is said again, so that nobody can hammer storage with checks.
const HEALTH_LIFE: Millis = Millis::from_secs(3);

/// What an isolate remembers.
#[derive(Debug, Default)]
pub struct Memory {
    keys: RefCell<HashMap<KeyDigest, Remembered>>,
    blocked: RefCell<HashMap<String, Timestamp>>,
    health: Cell<Option<(Health, Timestamp)>>,
    /// The circuit breakers of the models. Never borrowed across an `await`.
    pub breakers: RefCell<Breakers>,
}

#[derive(Debug)]
struct Remembered {
    key: ApiKey,
    tenant: Tenant,
    until: Timestamp,
}

impl Memory {
    /// The records of a key that was found lately.
    pub(crate) fn key(&self, digest: KeyDigest, now: Timestamp) -> Option<(ApiKey, Tenant)> {
        let keys = self.keys.borrow();
        let found = keys.get(&digest).filter(|found| now < found.until)?;
        Some((found.key.clone(), found.tenant.clone()))
    }

    /// Remembers the records of a key.
    pub(crate) fn remember_key(
        &self,
        digest: KeyDigest,
        key: ApiKey,
        tenant: Tenant,
        now: Timestamp,
    ) {
        let mut keys = self.keys.borrow_mut();
        if keys.len() >= MAX_KEYS {
            keys.retain(|_, remembered| now < remembered.until);
        }
        if keys.len() < MAX_KEYS {
            let until = now.plus(KEY_LIFE);
            keys.insert(digest, Remembered { key, tenant, until });
        }
    }

    /// Forgets the records of a key that turned out to be out of date.
    pub(crate) fn forget_key(&self, digest: KeyDigest) {
        self.keys.borrow_mut().remove(&digest);
    }

    /// What was found lately of the dependencies' health. Whoever gets nothing looks again; others are
    /// told what was found before for as long as that takes.
    pub(crate) fn health(&self, now: Timestamp) -> Option<Health> {
        let (found, until) = self.health.get()?;
        if now < until {
            return Some(found);
        }
        self.remember_health(found, now);
        None
    }

    /// Remembers what was found of the dependencies' health.
    pub(crate) fn remember_health(&self, found: Health, now: Timestamp) {
        self.health.set(Some((found, now.plus(HEALTH_LIFE))));
    }

    /// How long an address is still blocked for guessing keys.
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
            blocked.insert(address.to_owned(), now.plus(BLOCKED_LIFE));
        }
        BLOCKED_LIFE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_looked_at_by_one_at_a_time_and_not_all_the_time() {
        let memory = Memory::default();
        let at = Timestamp::from_millis;
        assert_eq!(memory.health(at(0)), None);
        let (bad, good) = (
            Health::default(),
            Health {
                database: true,
                ..Health::default()
            },
        );
        memory.remember_health(bad, at(0));
        assert_eq!(memory.health(at(2_999)), Some(bad));
        assert_eq!(memory.health(at(3_000)), None, "one looks again");
        assert_eq!(
            memory.health(at(3_001)),
            Some(bad),
            "others are told the old news"
        );
        memory.remember_health(good, at(3_500));
        assert_eq!(memory.health(at(3_501)), Some(good));
    }
}
