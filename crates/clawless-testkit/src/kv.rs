//! A cache in memory that ages by the test's clock and misbehaves when told to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::pending;

use clawless_core::{Clock, Millis, Timestamp};
use clawless_store::{Kv, KvError, KvKey};

/// How the cache behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weather {
    /// As one would wish.
    #[default]
    Fine,
    /// Reads show what was there when the weather turned, absent keys included; writes succeed and
    /// are seen only once the weather is fine again.
    Stale,
    /// Everything fails.
    Down,
    /// Nothing is ever answered, and nothing done.
    Silent,
}

/// The values and until when they stand.
type Entries = BTreeMap<KvKey, (String, Timestamp)>;

/// A cache in memory.
#[derive(Debug)]
pub struct MemoryKv<C> {
    clock: C,
    entries: RefCell<Entries>,
    seen: RefCell<Entries>,
    weather: Cell<Weather>,
    reads: Cell<u32>,
    writes: Cell<u32>,
}

impl<C: Clock> MemoryKv<C> {
    /// An empty cache.
    pub fn new(clock: C) -> Self {
        Self {
            clock,
            entries: RefCell::default(),
            seen: RefCell::default(),
            weather: Cell::default(),
            reads: Cell::default(),
            writes: Cell::default(),
        }
    }

    /// Changes how the cache behaves.
    pub fn set_weather(&self, weather: Weather) {
        self.seen.replace(self.entries.borrow().clone());
        self.weather.set(weather);
    }

    /// How often it was read, failures included.
    pub fn reads(&self) -> u32 {
        self.reads.get()
    }

    /// How often it was written, failures included.
    pub fn writes(&self) -> u32 {
        self.writes.get()
    }

    /// Every key that it holds.
    pub fn keys(&self) -> Vec<KvKey> {
        self.entries.borrow().keys().cloned().collect()
    }

    async fn write(&self, change: impl FnOnce(&mut Entries)) -> Result<(), KvError> {
        self.writes.set(self.writes.get() + 1);
        match self.weather.get() {
            Weather::Fine | Weather::Stale => {}
            Weather::Down => return Err(down()),
            Weather::Silent => return pending().await,
        }
        change(&mut self.entries.borrow_mut());
        Ok(())
    }
}

impl<C: Clock> Kv for MemoryKv<C> {
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError> {
        self.reads.set(self.reads.get() + 1);
        let entries = match self.weather.get() {
            Weather::Fine => &self.entries,
            Weather::Stale => &self.seen,
            Weather::Down => return Err(down()),
            Weather::Silent => return pending().await,
        };
        let now = self.clock.now();
        let entries = entries.borrow();
        let living = entries.get(key).filter(|(_, end)| now < *end);
        Ok(living.map(|(value, _)| value.clone()))
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
}

fn down() -> KvError {
    KvError {
        internal: "KV GET failed: 429 Too Many Requests".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FixedClock, block_on};

    fn key() -> KvKey {
        KvKey::tenant(&"ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"))
    }

    #[test]
    fn a_value_ends_with_its_time() {
        let clock = FixedClock::default();
        let kv = MemoryKv::new(&clock);
        block_on(kv.put(&key(), "v".to_owned(), Millis::from_secs(60))).expect("fine");
        clock.advance(Millis::new(59_999));
        assert_eq!(block_on(kv.get(&key())), Ok(Some("v".to_owned())));
        clock.advance(Millis::new(1));
        assert_eq!(block_on(kv.get(&key())), Ok(None));
    }

    #[test]
    fn a_stale_cache_shows_the_past_and_a_broken_one_nothing() {
        let kv = MemoryKv::new(FixedClock::default());
        let put = |value: &str| block_on(kv.put(&key(), value.to_owned(), Millis::from_secs(60)));
        kv.set_weather(Weather::Stale);
        put("new").expect("accepted");
        assert_eq!(block_on(kv.get(&key())), Ok(None));
        kv.set_weather(Weather::Fine);
        assert_eq!(block_on(kv.get(&key())), Ok(Some("new".to_owned())));
        kv.set_weather(Weather::Down);
        assert!(put("newer").is_err() && block_on(kv.get(&key())).is_err());
    }
}
