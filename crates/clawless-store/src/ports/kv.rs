//! The port to a key-value cache, which may be stale or unavailable.

use clawless_core::Millis;

use super::kv_key::{KvKey, KvPrefix};

/// A best-effort cache: it may lose values, return stale ones and fail at any time. Decisions that
/// must be correct do not depend on it.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, so no caller needs to name the future or its `Send`"
)]
pub trait Kv {
    /// The value of the key, if the cache has it.
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError>;

    /// Stores a value for at least `ttl`. Cloudflare's KV stores it for at least 60 s.
    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError>;

    /// Deletes the key. Other locations may still read the value for a minute.
    async fn delete(&self, key: &KvKey) -> Result<(), KvError>;

    /// Up to `limit` keys under a prefix, at most 1,000, from the cursor of an earlier page on. Keys
    /// that were written or deleted within the last minute may be missing or still be listed.
    async fn list(
        &self,
        prefix: &KvPrefix,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<KvPage, KvError>;
}

/// A page of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KvPage {
    /// The keys.
    pub keys: Vec<KvKey>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl<K: Kv + ?Sized> Kv for &K {
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError> {
        (**self).get(key).await
    }

    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError> {
        (**self).put(key, value, ttl).await
    }

    async fn delete(&self, key: &KvKey) -> Result<(), KvError> {
        (**self).delete(key).await
    }

    async fn list(
        &self,
        prefix: &KvPrefix,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<KvPage, KvError> {
        (**self).list(prefix, limit, cursor).await
    }
}

/// The cache failed. Callers continue without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cache error")]
pub struct KvError {
    /// The cache's message, for logs only.
    pub internal: String,
}
