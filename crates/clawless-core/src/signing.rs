//! The deployment's own signature, for what is handed to a client and must come back unchanged.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The length of a signature, in bytes.
pub const TAG_BYTES: usize = 32;

/// A deployment's secret, with which it signs (HMAC-SHA256). `Debug` hides it, and it has no
/// `Display` or `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

/// A secret is too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected at least {} characters", SigningKey::MIN_BYTES)]
pub struct WeakSigningKey;

impl SigningKey {
    /// The shortest secret: 32 characters, in hexadecimal 128 bits.
    pub const MIN_BYTES: usize = 32;

    /// Takes a secret text, whatever its alphabet.
    pub fn new(secret: &str) -> Result<Self, WeakSigningKey> {
        if secret.len() < Self::MIN_BYTES {
            return Err(WeakSigningKey);
        }
        Ok(Self(secret.as_bytes().to_vec()))
    }

    /// Signs a list of texts under a purpose, so that what is signed for one is worth nothing for
    /// another.
    pub fn sign(&self, purpose: &str, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        self.mac(purpose, parts).finalize().into_bytes().into()
    }

    /// Whether `tag` is the signature, in constant time.
    pub fn verifies(&self, purpose: &str, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.mac(purpose, parts).verify_slice(tag).is_ok()
    }

    /// Each part goes in with its length before it: no two lists are signed as the same bytes.
    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        // HMAC takes keys of any length; the error exists for other algorithms.
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::new("0123456789abcdef0123456789abcdef").expect("long enough")
    }

    #[test]
    fn a_signature_is_good_for_its_purpose_and_its_parts_alone() {
        let tag = key().sign("a", &[b"b", b"c"]);
        assert!(key().verifies("a", &[b"b", b"c"], &tag));
        let other = SigningKey::new("0123456789abcdef0123456789abcdeF").expect("long enough");
        assert!(!other.verifies("a", &[b"b", b"c"], &tag));
        let others: [(&str, &[&[u8]]); 5] = [
            ("x", &[b"b", b"c"]),
            ("a", &[b"bc"]),
            ("a", &[b"b", b"c", b""]),
            ("ab", &[b"", b"c"]),
            ("a", &[b"c", b"b"]),
        ];
        for (purpose, parts) in others {
            assert!(!key().verifies(purpose, parts, &tag), "{purpose} {parts:?}");
        }
        for wrong in [&tag[..31], &[], &[0; 32]] {
            assert!(!key().verifies("a", &[b"b", b"c"], wrong));
        }
    }

    #[test]
    fn a_short_secret_is_refused_and_none_is_shown() {
        assert_eq!(SigningKey::new("short"), Err(WeakSigningKey));
        assert!(!format!("{:?}", key()).contains("0123"));
    }
}
