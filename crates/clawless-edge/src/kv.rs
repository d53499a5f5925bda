//! The cache port over Workers KV.

use clawless_core::time::Millis;
use clawless_store::ports::{Kv, KvError, KvKey, KvPage, KvPrefix};
use worker::KvStore;

/// The shortest TTL of Workers KV, in seconds.
const MIN_TTL_SECS: u64 = 60;

/// A KV namespace; every call fails if its binding is absent.
pub struct EdgeKv(Option<KvStore>);

impl EdgeKv {
    /// A namespace over a binding, which may be absent.
    pub const fn new(binding: Option<KvStore>) -> Self {
        Self(binding)
    }

    /// Whether the binding is there.
    pub const fn is_bound(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the namespace responds to a read.
    pub async fn ping(&self) -> bool {
        let Ok(store) = self.store() else {
            return false;
        };
        store.get("ping").text().await.is_ok()
    }

    fn store(&self) -> Result<&KvStore, KvError> {
        self.0.as_ref().ok_or_else(|| KvError {
            internal: "the cache binding is absent".to_owned(),
        })
    }
}

impl Kv for EdgeKv {
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError> {
        self.store()?
            .get(key.as_str())
            .text()
            .await
            .map_err(failure)
    }

    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError> {
        let seconds = ttl.ceil_secs().max(MIN_TTL_SECS);
        let put = self.store()?.put(key.as_str(), value).map_err(failure)?;
        put.expiration_ttl(seconds).execute().await.map_err(failure)
    }

    async fn delete(&self, key: &KvKey) -> Result<(), KvError> {
        self.store()?.delete(key.as_str()).await.map_err(failure)
    }

    async fn list(
        &self,
        prefix: &KvPrefix,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<KvPage, KvError> {
        let list = self.store()?.list().prefix(prefix.as_str().to_owned());
        let list = list.limit(limit.into());
        let list = match cursor {
            Some(cursor) => list.cursor(cursor.to_owned()),
            None => list,
        };
        let found = list.execute().await.map_err(failure)?;
        let names = found.keys.into_iter().map(|key| key.name);
        Ok(KvPage {
            keys: names.filter_map(|name| prefix.key(name)).collect(),
            next: found.cursor.filter(|_| !found.list_complete),
        })
    }
}

fn failure(error: impl std::fmt::Display) -> KvError {
    KvError {
        internal: error.to_string(),
    }
}
