//! Signatures for values that clients return unchanged, such as cursors.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The length of a signature, in bytes.
pub const TAG_BYTES: usize = 32;

/// The HMAC-SHA256 key of the deployment. `Debug` redacts it, and it has no `Display` or
/// `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

/// A secret is too short for a signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected at least {} characters", SigningKey::MIN_BYTES)]
pub struct WeakSigningKey;

impl SigningKey {
    /// The minimum length of a secret: 32 characters, which is 128 bits in hexadecimal.
    pub const MIN_BYTES: usize = 32;

    /// A key from a secret in any alphabet.
    pub fn new(secret: &str) -> Result<Self, WeakSigningKey> {
        if secret.len() < Self::MIN_BYTES {
            return Err(WeakSigningKey);
        }
        Ok(Self(secret.as_bytes().to_vec()))
    }

    /// Signs a list of byte strings for a purpose. A signature is valid for that purpose only.
    pub fn sign(&self, purpose: &str, parts: &[&[u8]]) -> [u8; TAG_BYTES] {
        self.mac(purpose, parts).finalize().into_bytes().into()
    }

    /// Verifies a signature in constant time.
    pub fn verifies(&self, purpose: &str, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.mac(purpose, parts).verify_slice(tag).is_ok()
    }

    /// Each part is prefixed with its length, so that different lists never have the same encoding.
    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
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
    fn signature_is_valid_for_its_purpose_and_parts_only() {
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
    fn short_secret_is_rejected_and_debug_output_is_redacted() {
        assert_eq!(SigningKey::new("short"), Err(WeakSigningKey));
        assert!(!format!("{:?}", key()).contains("0123"));
    }
}
