//! An in-memory cache that expires by the test's clock and simulates failures.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;

use clawless_core::{Clock, Millis, Timestamp};
use clawless_store::{Kv, KvError, KvKey, KvPage, KvPrefix};

/// How the cache behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvMode {
    /// Consistent and available.
    #[default]
    Normal,
    /// Reads return the state at the time of [`MemoryKv::set_mode`]; writes succeed and are visible
    /// in the next mode.
    Stale,
    /// Every call fails.
    Failing,
    /// No call ever returns.
    Hanging,
}

/// The values and when they expire.
type Entries = BTreeMap<KvKey, (String, Timestamp)>;

/// An in-memory cache.
#[derive(Debug)]
pub struct MemoryKv<C> {
    clock: C,
    entries: RefCell<Entries>,
    stale: RefCell<Entries>,
    mode: Cell<KvMode>,
    reads: Cell<u32>,
    writes: Cell<u32>,
}

impl<C: Clock> MemoryKv<C> {
    /// An empty cache.
    pub fn new(clock: C) -> Self {
        Self {
            clock,
            entries: RefCell::default(),
            stale: RefCell::default(),
            mode: Cell::default(),
            reads: Cell::default(),
            writes: Cell::default(),
        }
    }

    /// Changes how the cache behaves.
    pub fn set_mode(&self, mode: KvMode) {
        self.stale.replace(self.entries.borrow().clone());
        self.mode.set(mode);
    }

    /// The number of reads, failures included.
    pub fn reads(&self) -> u32 {
        self.reads.get()
    }

    /// The number of writes, failures included.
    pub fn writes(&self) -> u32 {
        self.writes.get()
    }

    /// All keys.
    pub fn keys(&self) -> Vec<KvKey> {
        self.entries.borrow().keys().cloned().collect()
    }

    async fn read(&self) -> Result<&RefCell<Entries>, KvError> {
        self.reads.set(self.reads.get() + 1);
        match self.mode.get() {
            KvMode::Normal => Ok(&self.entries),
            KvMode::Stale => Ok(&self.stale),
            KvMode::Failing => Err(error()),
            KvMode::Hanging => pending().await,
        }
    }

    async fn write(&self, change: impl FnOnce(&mut Entries)) -> Result<(), KvError> {
        self.writes.set(self.writes.get() + 1);
        match self.mode.get() {
            KvMode::Normal | KvMode::Stale => {}
            KvMode::Failing => return Err(error()),
            KvMode::Hanging => return pending().await,
        }
        change(&mut self.entries.borrow_mut());
        Ok(())
    }
}

impl<C: Clock> Kv for MemoryKv<C> {
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError> {
        let entries = self.read().await?.borrow();
        let now = self.clock.now();
        let live = entries.get(key).filter(|(_, end)| now < *end);
        Ok(live.map(|(value, _)| value.clone()))
    }

    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError> {
        let end = self.clock.now().plus(ttl);
        self.write(|entries| {
            entries.insert(key.clone(), (value, end));
        })
        .await
    }

    async fn delete(&self, key: &KvKey) -> Result<(), KvError> {
        self.write(|entries| {
            entries.remove(key);
        })
        .await
    }

    async fn list(
        &self,
        prefix: &KvPrefix,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<KvPage, KvError> {
        let entries = self.read().await?.borrow();
        let now = self.clock.now();
        let live = entries.iter().filter(|(_, (_, end))| now < *end);
        let names = live.map(|(key, _)| key.as_str().to_owned());
        let rest = names.filter(|name| cursor.is_none_or(|cursor| name.as_str() > cursor));
        let mut keys: Vec<KvKey> = rest.filter_map(|name| prefix.key(name)).collect();
        let limit = limit as usize;
        let has_more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| has_more);
        let next = next.map(|key| key.as_str().to_owned());
        Ok(KvPage { keys, next })
    }
}

fn error() -> KvError {
    KvError {
        internal: "KV GET failed: 429 Too Many Requests".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clawless_core::session::SessionHead;

    use super::*;
    use crate::{FixedClock, block_on};

    fn key() -> KvKey {
        let tenant = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id");
        KvKey::history(&tenant, &"chat".parse().expect("name"), SessionHead::EMPTY)
    }

    #[test]
    fn value_expires_after_its_ttl() {
        let clock = FixedClock::default();
        let kv = MemoryKv::new(&clock);
        block_on(kv.put(&key(), "v".to_owned(), Millis::from_secs(60))).expect("stored");
        clock.advance(Millis::new(59_999));
        assert_eq!(block_on(kv.get(&key())), Ok(Some("v".to_owned())));
        clock.advance(Millis::new(1));
        assert_eq!(block_on(kv.get(&key())), Ok(None));
    }

    #[test]
    fn stale_cache_returns_old_values_and_failing_cache_returns_errors() {
        let kv = MemoryKv::new(FixedClock::default());
        let put = |value: &str| block_on(kv.put(&key(), value.to_owned(), Millis::from_secs(60)));
        kv.set_mode(KvMode::Stale);
        put("new").expect("stored");
        assert_eq!(block_on(kv.get(&key())), Ok(None));
        kv.set_mode(KvMode::Normal);
        assert_eq!(block_on(kv.get(&key())), Ok(Some("new".to_owned())));
        kv.set_mode(KvMode::Failing);
        assert!(put("newer").is_err() && block_on(kv.get(&key())).is_err());
    }
}
