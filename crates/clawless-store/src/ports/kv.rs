//! The port to a key-value cache. Nothing depends on its being fresh, or there at all.

use clawless_core::Millis;

use super::KvKey;

/// A cache that may forget, serve what is old, refuse and fail at any time. Nothing that must be
/// right is decided by what it says.
#[allow(
    async_fn_in_trait,
    reason = "every use is generic, so no caller needs to name the future or its `Send`"
)]
pub trait Kv {
    /// What was put under the key, if the cache still has it.
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError>;

    /// Puts a value under the key for at least `ttl`; Cloudflare's KV keeps it 60 s at least.
    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError>;

    /// Forgets the key. Other places may still see the value for a minute.
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

/// The cache failed. There is one thing to do: go on without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cache error")]
pub struct KvError {
    /// The cache's own message: for the log, never for a client.
    pub internal: String,
}
