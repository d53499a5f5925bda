//! The port to a key-value cache, which may be stale or unavailable.

use clawless_core::Millis;

use super::kv_key::KvKey;

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
}

/// The cache failed. Callers continue without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cache error")]
pub struct KvError {
    /// The cache's message, for logs only.
    pub internal: String,
}
