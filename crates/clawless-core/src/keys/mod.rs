//! API keys as text: `cl_sk_…` (secret), `cl_pk_…` (public, widget only), `cl_at_…` (admin token).
//!
//! A key consists of its prefix, 27 random base62 characters (160.7 bits) and a CRC32 of both in six
//! characters. The checksum lets the gateway reject malformed keys without a storage read, and lets
//! secret scanners recognise leaked keys.

mod base62;

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api_key::KeyKind;
use crate::entropy::Entropy;

/// Random characters in a key: 27 × log2(62) = 160.7 bits.
const RANDOM_CHARS: usize = 27;
/// Characters of the checksum: 62^6 > 2^32.
const CHECKSUM_CHARS: usize = 6;

/// A text is not a key: invalid prefix, length, alphabet or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed API key")]
pub struct MalformedKey;

/// A well-formed key in plain text. `Debug` redacts it, and it has no `Display` or `Serialize`, so
/// that it cannot reach a log or a response by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText {
    kind: KeyKind,
    text: String,
}

impl KeyText {
    /// Generates a key.
    pub fn generate(kind: KeyKind, entropy: &impl Entropy) -> Self {
        let mut text = kind.prefix().to_owned();
        base62::push_random(&mut text, RANDOM_CHARS, entropy);
        let checksum = crc32fast::hash(text.as_bytes());
        base62::push_number(&mut text, checksum, CHECKSUM_CHARS);
        Self { kind, text }
    }

    /// Parses a key.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        let kind = KeyKind::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
            .ok_or(MalformedKey)?;
        let expected_len = kind.prefix().len() + RANDOM_CHARS + CHECKSUM_CHARS;
        if text.len() != expected_len || !text.is_ascii() {
            return Err(MalformedKey);
        }
        let (body, checksum) = text.split_at(expected_len - CHECKSUM_CHARS);
        let mut expected = String::with_capacity(CHECKSUM_CHARS);
        base62::push_number(
            &mut expected,
            crc32fast::hash(body.as_bytes()),
            CHECKSUM_CHARS,
        );
        let random = body.get(kind.prefix().len()..).unwrap_or_default();
        if checksum != expected || !random.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(MalformedKey);
        }
        Ok(Self {
            kind,
            text: text.to_owned(),
        })
    }

    /// The kind of the key.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The plain text. Only for the response to the request that created the key.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The SHA-256 digest: the only form in which a key is stored or looked up.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::from_secret(&self.text)
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.kind.prefix())
    }
}

/// The SHA-256 digest of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of any secret, such as a bootstrap token that an operator chose.
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(secret.as_ref()).into())
    }

    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Parses the form of [`Self::to_hex`].
    pub fn parse_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * bytes.len() || !text.bytes().all(is_lower_hex) {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The digest in lower-case hexadecimal, the form in the database.
    pub fn to_hex(self) -> String {
        use fmt::Write;
        self.0
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter;

    impl Entropy for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            for (byte, value) in bytes.iter_mut().zip(0..) {
                *byte = value;
            }
        }
    }

    #[test]
    fn generated_key_parses_and_keeps_its_kind() {
        for kind in KeyKind::ALL {
            let key = KeyText::generate(kind, &Counter);
            assert_eq!(KeyText::parse(key.reveal()), Ok(key.clone()));
            assert_eq!(key.kind(), kind);
            assert_eq!(key.digest().to_hex().len(), 64);
        }
    }

    #[test]
    fn changed_key_is_malformed() {
        let key = KeyText::generate(KeyKind::Secret, &Counter);
        for at in 0..key.reveal().len() {
            let mut bytes = key.reveal().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(KeyText::parse(&changed), Err(MalformedKey), "{changed}");
        }
        for bad in [
            "",
            "cl_sk_",
            "cl_sk_' OR 1=1 --",
            "sk-abc",
            &format!("{}x", key.reveal()),
        ] {
            assert_eq!(KeyText::parse(bad), Err(MalformedKey));
        }
    }

    #[test]
    fn digest_matches_only_itself() {
        let digest = KeyDigest::from_secret("a secret");
        assert!(digest.matches(&KeyDigest::from_secret("a secret")));
        assert!(!digest.matches(&KeyDigest::from_secret("a secreT")));
        assert_eq!(KeyDigest::parse_hex(&digest.to_hex()), Some(digest));
        for other in ["", "00", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65)] {
            assert_eq!(KeyDigest::parse_hex(other), None);
        }
    }

    #[test]
    fn debug_output_redacts_the_key() {
        let key = KeyText::generate(KeyKind::Secret, &Counter);
        assert_eq!(format!("{key:?}"), "cl_sk_…");
    }
}
