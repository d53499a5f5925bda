//! The token of a visitor: what a browser sends instead of a key, for some minutes.
//!
//! It is signed by the deployment and valid for one session of one public key, from one origin. The
//! version of the key's record in it makes it invalid as soon as the key changes.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api_key::{ApiKey, Scope, Scopes};
use crate::entropy::Entropy;
use crate::ids::SessionId;
use crate::keys::KeyDigest;
use crate::signing::{SigningKey, TAG_BYTES};
use crate::time::{Millis, Timestamp};

/// How long a token is valid.
pub const VISITOR_TOKEN_TTL: Millis = Millis::from_secs(600);

/// The maximum length of a token: a session id, an origin and a user id, each of limited length.
const MAX_TEXT_BYTES: usize = 2048;

const PURPOSE: &str = "visitor-token";

/// A new secret of 256 random bits, by which a browser continues its conversation.
pub fn new_visitor_secret(entropy: &impl Entropy) -> String {
    format!("cl_vs_{}", URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()))
}

/// What a visitor's token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The only session.
    pub session: SessionId,
    /// The only origin.
    pub origin: String,
    /// The permissions.
    pub scopes: Scopes,
    /// Whom limits count: the signed-in user or, for others, the session.
    pub name: String,
    /// The version of the key's record that allowed the origin.
    pub key_version: u64,
}

impl Visitor {
    /// Whether the record still allows the visitor: nothing in it has changed.
    pub fn is_allowed_by(&self, key: &ApiKey) -> bool {
        key.version == self.key_version && key.allowed_origins.contains(&self.origin)
    }
}

/// A visitor and the public key that admitted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitorToken {
    /// The digest of the public key, which no other tenant's key has.
    pub key: KeyDigest,
    /// The visitor.
    pub visitor: Visitor,
}

/// A text is not a valid token of a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid token of a visitor")]
pub struct InvalidVisitorToken;

impl VisitorToken {
    /// The prefix of all tokens.
    pub const PREFIX: &'static str = "cl_vt_";

    /// The permissions of every visitor, within its own session.
    pub fn scopes() -> Scopes {
        Scopes::from_iter([Scope::Chat, Scope::SessionsRead, Scope::SessionsWrite])
    }

    /// The token as text, valid for [`VISITOR_TOKEN_TTL`] from `now`.
    pub fn seal(&self, key: &SigningKey, now: Timestamp) -> String {
        let Visitor {
            session,
            origin,
            scopes,
            name,
            key_version,
        } = &self.visitor;
        let expires = now.plus(VISITOR_TOKEN_TTL).as_millis();
        let digest = self.key.to_hex();
        // No part contains a line break: ids, origins and names of visitors have none.
        let mut text = format!("{expires}\n{digest}\n{key_version}\n{session}\n{origin}\n{name}\n");
        for scope in scopes.iter() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{} ", scope.as_str());
        }
        let tag = key.sign(PURPOSE, &[text.as_bytes()]);
        let bytes = [text.as_bytes(), tag.as_slice()].concat();
        format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Verifies a token. `now` decides whether it has expired; `None` accepts an expired one.
    ///
    /// # Errors
    /// It is malformed, forged or expired.
    pub fn open(
        key: &SigningKey,
        token: &str,
        now: Option<Timestamp>,
    ) -> Result<Self, InvalidVisitorToken> {
        let text = token
            .strip_prefix(Self::PREFIX)
            .filter(|text| text.len() <= MAX_TEXT_BYTES)
            .ok_or(InvalidVisitorToken)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| InvalidVisitorToken)?;
        let (text, tag) = bytes
            .split_last_chunk::<TAG_BYTES>()
            .ok_or(InvalidVisitorToken)?;
        if !key.verifies(PURPOSE, &[text], tag) {
            return Err(InvalidVisitorToken);
        }
        let text = std::str::from_utf8(text).map_err(|_| InvalidVisitorToken)?;
        let (expires, token) = parse(text).ok_or(InvalidVisitorToken)?;
        if now.is_some_and(|now| now >= expires) {
            return Err(InvalidVisitorToken);
        }
        Ok(token)
    }
}

/// Parses what a valid signature covers: the time of expiry and the token.
fn parse(text: &str) -> Option<(Timestamp, VisitorToken)> {
    let mut lines = text.split('\n');
    let expires = Timestamp::from_millis(lines.next()?.parse().ok()?);
    let key = KeyDigest::parse_hex(lines.next()?)?;
    let key_version = lines.next()?.parse().ok()?;
    let session = lines.next()?.parse().ok()?;
    let (origin, name) = (lines.next()?.to_owned(), lines.next()?.to_owned());
    let names = lines.next()?.split_ascii_whitespace();
    let scope = |name| Scope::ALL.into_iter().find(|it| it.as_str() == name);
    let visitor = Visitor {
        session,
        origin,
        scopes: names.filter_map(scope).collect(),
        name,
        key_version,
    };
    Some((expires, VisitorToken { key, visitor }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn signing_key() -> SigningKey {
        SigningKey::new("0123456789abcdef0123456789abcdef").expect("long enough")
    }

    fn token() -> VisitorToken {
        VisitorToken {
            key: KeyDigest::from_secret("cl_pk_a"),
            visitor: Visitor {
                session: "web_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
                origin: "https://example.org".to_owned(),
                scopes: VisitorToken::scopes(),
                name: "user-42".to_owned(),
                key_version: 3,
            },
        }
    }

    #[test]
    fn attack_11_token_is_valid_until_it_expires_and_only_as_it_was_signed() {
        let (token, key) = (token(), signing_key());
        let text = token.seal(&key, NOW);
        assert_eq!(
            VisitorToken::open(&key, &text, Some(NOW)),
            Ok(token.clone())
        );
        let end = NOW.plus(VISITOR_TOKEN_TTL);
        let expired = VisitorToken::open(&key, &text, Some(end));
        assert_eq!(expired, Err(InvalidVisitorToken));
        assert_eq!(VisitorToken::open(&key, &text, None), Ok(token.clone()));
        let other = SigningKey::new("0123456789abcdef0123456789abcdeF").expect("long enough");
        let foreign = token.seal(&other, NOW);
        for forged in [
            foreign.as_str(),
            text.strip_prefix("cl_vt_").expect("the prefix"),
            &text[..text.len() - 1],
            "cl_vt_",
            "",
        ] {
            let opened = VisitorToken::open(&key, forged, Some(NOW));
            assert_eq!(opened, Err(InvalidVisitorToken), "{forged}");
        }
    }

    #[test]
    fn attack_11_changed_key_no_longer_allows_a_visitor() {
        let visitor = token().visitor;
        let key = |version, origin: &str| ApiKey {
            id: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
            tenant_id: "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("id"),
            kind: crate::KeyKind::Public,
            name: String::new(),
            scopes: Scopes::default(),
            limits: crate::limits::KeyLimits::default(),
            allowed_origins: vec![origin.to_owned()],
            expires_at: None,
            revoked_at: None,
            version,
            created_at: NOW,
        };
        assert!(visitor.is_allowed_by(&key(3, "https://example.org")));
        assert!(!visitor.is_allowed_by(&key(4, "https://example.org")));
        assert!(!visitor.is_allowed_by(&key(3, "https://example.org.evil")));
    }

    proptest! {
        #[test]
        fn attack_11_changed_token_is_invalid(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
            let (key, text) = (signing_key(), token().seal(&signing_key(), NOW));
            let mut changed: Vec<char> = text.chars().collect();
            let at = at.index(changed.len());
            changed[at] = to.chars().next().expect("a character");
            let changed: String = changed.into_iter().collect();
            prop_assert!(changed == text || VisitorToken::open(&key, &changed, Some(NOW)).is_err());
        }
    }
}
