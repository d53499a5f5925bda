//! Tokens by which a site's back end identifies its signed-in users: JSON Web Tokens (RFC 7519). This
//! module checks everything but the signature, which needs the runtime's cryptography.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;

use super::settings::SignatureAlgorithm;
use crate::ids::KeyId;
use crate::json::{Json, duplicate_member};
use crate::members::Members;
use crate::time::{Millis, Timestamp};

/// The longest lifetime of a user's token.
pub const USER_TOKEN_LIFETIME: Millis = Millis::from_secs(60 * 60);
/// How far the clock of a site's back end may be ahead.
const CLOCK_SKEW: Millis = Millis::from_secs(60);
/// The maximum length of a token.
const MAX_TEXT_BYTES: usize = 4096;
/// The maximum length of a user's id, in characters.
const MAX_USER_CHARS: usize = 128;

/// Why a user's token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUserToken {
    /// It is not a JSON Web Token.
    #[error("it is not a JSON Web Token")]
    Malformed,
    /// Its header names another algorithm than the key's settings.
    #[error("its algorithm is not the one that the key's settings name")]
    Algorithm,
    /// Its signature is wrong.
    #[error("its signature is not valid")]
    Signature,
    /// It is for another key.
    #[error("its `aud` is not the id of the key")]
    Audience,
    /// It has no valid user id.
    #[error("its `sub` is not a text of 1 to 128 characters without control characters")]
    Subject,
    /// It has expired, or is not valid yet.
    #[error("it has expired or is not valid yet")]
    Time,
    /// It is valid for too long.
    #[error("it is valid for more than an hour")]
    Lifetime,
}

/// The id of a user at the site, from a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserId(String);

impl UserId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A token with the parts that its signature covers, before the signature is verified.
#[derive(Debug)]
pub struct SignedUserToken<'a> {
    /// What is signed.
    pub message: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    /// Read one by one: a type of their own would be far more code.
    claims: Members,
}

impl<'a> SignedUserToken<'a> {
    /// Splits a token and checks that its algorithm is the expected one.
    ///
    /// # Errors
    /// It is malformed or names another algorithm.
    pub fn parse(token: &'a str, algorithm: SignatureAlgorithm) -> Result<Self, InvalidUserToken> {
        if token.len() > MAX_TEXT_BYTES {
            return Err(InvalidUserToken::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidUserToken::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(InvalidUserToken::Malformed)?;
        let header = part(header)?;
        let named: Option<String> = member(&header, "alg")?;
        // `crit` names extensions that must be understood; there are none.
        let is_extended = value(&header, "crit").is_some();
        if named.as_deref() != Some(algorithm.as_str()) || is_extended {
            return Err(InvalidUserToken::Algorithm);
        }
        Ok(Self {
            message,
            signature: decode(signature)?,
            claims: part(claims)?,
        })
    }

    /// Checks the claims of a token whose signature is valid.
    ///
    /// # Errors
    /// It is for another key, names no user, has expired or is valid for too long.
    pub fn user(self, key: &KeyId, now: Timestamp) -> Result<UserId, InvalidUserToken> {
        let claims = &self.claims;
        if !is_for(claims, key)? {
            return Err(InvalidUserToken::Audience);
        }
        let expires = moment(claims, "exp")?.ok_or(InvalidUserToken::Time)?;
        // Without a time of issue the token was issued now at the latest.
        let issued = moment(claims, "iat")?.unwrap_or(now);
        let begins = moment(claims, "nbf")?.unwrap_or(issued);
        let latest = now.plus(CLOCK_SKEW);
        if expires <= now || issued > latest || begins > latest {
            return Err(InvalidUserToken::Time);
        }
        if expires.since(issued) > USER_TOKEN_LIFETIME {
            return Err(InvalidUserToken::Lifetime);
        }
        let is_valid = |id: &String| {
            (1..=MAX_USER_CHARS).contains(&id.chars().count()) && !id.contains(char::is_control)
        };
        let subject: Option<String> = member(claims, "sub")?;
        let subject = subject.filter(is_valid);
        subject.map(UserId).ok_or(InvalidUserToken::Subject)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, InvalidUserToken> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| InvalidUserToken::Malformed)
}

/// An object without duplicate members.
fn part(text: &str) -> Result<Members, InvalidUserToken> {
    let text = String::from_utf8(decode(text)?).map_err(|_| InvalidUserToken::Malformed)?;
    if duplicate_member(&text).is_some() {
        return Err(InvalidUserToken::Malformed);
    }
    let object = Json::parse(text).and_then(|json| json.read());
    object.map_err(|_| InvalidUserToken::Malformed)
}

/// A member that is present and not `null`.
fn value<'a>(object: &'a Members, name: &str) -> Option<&'a Json> {
    object.get(name).filter(|value| value.as_str() != "null")
}

fn member<T: DeserializeOwned>(
    object: &Members,
    name: &str,
) -> Result<Option<T>, InvalidUserToken> {
    let read = value(object, name).map(Json::read).transpose();
    read.map_err(|_| InvalidUserToken::Malformed)
}

/// Whether the audience, a text or a list of them, contains a key.
fn is_for(claims: &Members, key: &KeyId) -> Result<bool, InvalidUserToken> {
    let is_list = value(claims, "aud").is_some_and(|json| json.as_str().starts_with('['));
    let audience = if is_list {
        member(claims, "aud")?.unwrap_or_default()
    } else {
        Vec::from_iter(member::<String>(claims, "aud")?)
    };
    Ok(audience.iter().any(|one| one == key.as_str()))
}

/// A claim that is a time.
fn moment(claims: &Members, name: &str) -> Result<Option<Timestamp>, InvalidUserToken> {
    let seconds: Option<f64> = member(claims, name)?;
    let moment = seconds.map(|seconds| time(seconds).ok_or(InvalidUserToken::Time));
    moment.transpose()
}

/// A time in seconds since 1970, which may have a fraction; `None` outside of the years 1970 to 9999.
fn time(seconds: f64) -> Option<Timestamp> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    let millis = |seconds: f64| (seconds * 1000.0) as u64;
    (0.0..=253_402_300_799.0)
        .contains(&seconds)
        .then(|| Timestamp::from_millis(millis(seconds)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const KEY: &str = "key_01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn encode(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn token(header: &Value, claims: &Value) -> String {
        format!("{}.{}.AQID", encode(header), encode(claims))
    }

    fn user_of(claims: &Value) -> Result<String, InvalidUserToken> {
        let token = token(&json!({"alg": "ES256", "typ": "JWT"}), claims);
        let signed = SignedUserToken::parse(&token, SignatureAlgorithm::Es256)?;
        assert_eq!(signed.signature, [1, 2, 3]);
        assert!(token.starts_with(signed.message));
        let user = signed.user(&KEY.parse().expect("an id"), NOW)?;
        Ok(user.as_str().to_owned())
    }

    fn claims() -> Value {
        let now = NOW.as_secs();
        json!({"sub": "user-42", "aud": KEY, "iat": now, "exp": now + 3600})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn valid_token_names_the_user() {
        let now = NOW.as_secs();
        for claims in [
            claims(),
            with("aud", json!(["other", KEY])),
            with("iat", json!(now + 59)),
            with("exp", json!(f64::from(1_767_225_601) + 0.5)),
            with("extra", json!({"a": 1})),
        ] {
            assert_eq!(user_of(&claims).as_deref(), Ok("user-42"), "{claims}");
        }
    }

    #[test]
    fn attack_11_token_for_another_key_time_or_user_is_refused() {
        let now = NOW.as_secs();
        for (claims, expected) in [
            (with("aud", json!("key_2")), InvalidUserToken::Audience),
            (with("aud", Value::Null), InvalidUserToken::Audience),
            (with("aud", json!([])), InvalidUserToken::Audience),
            (with("exp", json!(now)), InvalidUserToken::Time),
            (with("exp", Value::Null), InvalidUserToken::Time),
            (with("exp", json!(-1)), InvalidUserToken::Time),
            (with("exp", json!(1e300)), InvalidUserToken::Time),
            (with("iat", json!(now + 61)), InvalidUserToken::Time),
            (with("nbf", json!(now + 61)), InvalidUserToken::Time),
            (with("exp", json!(now + 3601)), InvalidUserToken::Lifetime),
            (with("iat", json!(now - 60)), InvalidUserToken::Lifetime),
            (with("sub", Value::Null), InvalidUserToken::Subject),
            (with("sub", json!("")), InvalidUserToken::Subject),
            (with("sub", json!("a\nb")), InvalidUserToken::Subject),
            (
                with("sub", json!("a".repeat(129))),
                InvalidUserToken::Subject,
            ),
            (with("sub", json!(42)), InvalidUserToken::Malformed),
        ] {
            assert_eq!(user_of(&claims), Err(expected), "{claims}");
        }
        // Without `iat` the lifetime counts from now on.
        let mut without = with("exp", json!(now + 3601));
        without["iat"] = Value::Null;
        assert_eq!(user_of(&without), Err(InvalidUserToken::Lifetime));
    }

    #[test]
    fn attack_11_algorithm_is_pinned() {
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "es256"}),
            json!({"alg": "RS256"}),
            json!({"alg": "ES256", "crit": ["exp"]}),
        ] {
            let token = token(&header, &claims());
            let parsed = SignedUserToken::parse(&token, SignatureAlgorithm::Es256);
            assert_eq!(parsed.err(), Some(InvalidUserToken::Algorithm), "{header}");
        }
        for malformed in ["", "a", "a.b", "..", "a.b.c", &"a".repeat(5000)] {
            let parsed = SignedUserToken::parse(malformed, SignatureAlgorithm::Es256);
            assert_eq!(
                parsed.err(),
                Some(InvalidUserToken::Malformed),
                "{malformed}"
            );
        }
    }
}
