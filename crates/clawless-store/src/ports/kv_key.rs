//! Cache keys: one constructor for each kind of cached value.

use std::fmt::Write;

use clawless_core::session::SessionHead;
use clawless_core::{SessionId, TenantId};
use sha2::{Digest, Sha256};

/// A cache key. Every key starts with the tenant that owns the value, so [`KvPrefix`] finds all of a
/// tenant's. Each part is prefixed with its length, so different parts never give the same key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KvKey(String);

impl KvKey {
    /// The longest key that Cloudflare's KV accepts, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// The history of a session under a head. The value never changes: every change of a session
    /// moves its head.
    pub fn history(tenant: &TenantId, session: &SessionId, head: SessionHead) -> Self {
        Self::of_tenant(
            tenant,
            "history",
            &[session.as_str(), &head.seq().to_string()],
        )
    }

    fn of_tenant(tenant: &TenantId, kind: &str, parts: &[&str]) -> Self {
        let mut all = vec![tenant.as_str(), kind];
        all.extend_from_slice(parts);
        Self::join("tenant", &all)
    }

    /// Joins the parts, each as `length:text`. A part that is too long is replaced by its digest,
    /// with a prefix that no other part has.
    fn join(space: &str, parts: &[&str]) -> Self {
        const MAX_PART: usize = 128;
        let mut key = space.to_owned();
        for part in parts {
            // Writing to a string cannot fail.
            let _ = if part.len() <= MAX_PART {
                write!(key, "/{}:{part}", part.len())
            } else {
                write!(key, "/#{:x}", Sha256::digest(part.as_bytes()))
            };
        }
        Self(key)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The beginning of all keys of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvPrefix(String);

impl KvPrefix {
    /// The prefix of a tenant's keys.
    pub fn of_tenant(tenant: &TenantId) -> Self {
        let KvKey(prefix) = KvKey::join("tenant", &[tenant.as_str()]);
        Self(prefix + "/")
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of this name, if it has the prefix.
    pub fn key(&self, name: String) -> Option<KvKey> {
        name.starts_with(&self.0).then_some(KvKey(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV";

    #[test]
    fn attack_20_parts_that_join_to_the_same_text_give_distinct_keys() {
        assert_ne!(
            KvKey::join("x", &["a:b", "c"]),
            KvKey::join("x", &["a", "b:c"])
        );
        assert_ne!(
            KvKey::join("x", &["1:a/1:b"]),
            KvKey::join("x", &["a", "b"])
        );
        assert_ne!(
            KvKey::join("x", &["a/1:b", "c"]),
            KvKey::join("x", &["a", "b/1:c"])
        );
        assert_ne!(KvKey::join("x", &["", "a"]), KvKey::join("x", &["a", ""]));
        let long = "a".repeat(129);
        let digest = format!("#{:x}", Sha256::digest(long.as_bytes()));
        assert_ne!(KvKey::join("x", &[&long]), KvKey::join("x", &[&digest]));
    }

    #[test]
    fn attack_20_session_names_that_end_in_a_number_do_not_collide() {
        let tenant: TenantId = TENANT.parse().expect("id");
        let key = |session: &str, head| {
            KvKey::history(
                &tenant,
                &session.parse().expect("name"),
                SessionHead::new(head),
            )
        };
        assert_ne!(key("a", 11), key("a1", 1));
        assert_ne!(key("a:1", 1), key("a", 1));
        assert_ne!(key("a", 1), key("a", 2));
    }

    #[test]
    fn tenants_never_share_a_key() {
        let one: TenantId = TENANT.parse().expect("id");
        let other: TenantId = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().expect("id");
        let session: SessionId = "same".parse().expect("name");
        assert_ne!(
            KvKey::history(&one, &session, SessionHead::EMPTY),
            KvKey::history(&other, &session, SessionHead::EMPTY)
        );
        let key = KvKey::history(&one, &session, SessionHead::EMPTY);
        let name = key.as_str().to_owned();
        assert_eq!(KvPrefix::of_tenant(&one).key(name.clone()), Some(key));
        assert_eq!(KvPrefix::of_tenant(&other).key(name), None);
    }

    #[test]
    fn longest_key_fits() {
        let tenant: TenantId = TENANT.parse().expect("id");
        let session: SessionId = "s".repeat(SessionId::MAX_BYTES).parse().expect("name");
        let key = KvKey::history(&tenant, &session, SessionHead::new(u64::MAX));
        assert!(key.as_str().len() <= KvKey::MAX_BYTES);
    }
}
