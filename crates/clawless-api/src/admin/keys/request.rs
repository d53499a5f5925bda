//! Parsing and validation of the bodies that create, change and rotate keys.

use clawless_core::api_key::is_origin;
use clawless_core::limits::KeyLimits;
use clawless_core::{
    ApiError, ApiKey, ErrorCode, KeyId, KeyKind, Millis, Scope, Scopes, TenantId, Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::fields::{check_name, parse_expiry};
use crate::admin::merge_patch;
use crate::body;
use crate::fields::invalid;

/// The maximum number of origins of a public key.
const MAX_ORIGINS: usize = 50;
/// The default grace period of a rotation: a day.
const DEFAULT_GRACE: Millis = Millis::from_secs(24 * 60 * 60);
/// The longest grace period, in seconds: 90 days.
const MAX_GRACE_SECS: u64 = 90 * 24 * 60 * 60;

/// The settings of a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    kind: KeyKind,
    name: String,
    scopes: Scopes,
    allowed_origins: Vec<String>,
    limits: KeyLimits,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "NewApiKey")
)]
#[serde(deny_unknown_fields)]
struct KeyBody {
    /// A name for people.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    name: String,
    /// The kind: `secret` needs `scopes`, `public` needs `allowed_origins`.
    #[serde(default)]
    kind: TenantKeyKind,
    /// What a secret key may do.
    #[serde(default)]
    scopes: Vec<Scope>,
    /// When the key expires, in seconds since 1970 (UTC).
    #[serde(default)]
    expires_at: Option<u64>,
    /// The origins of a public key, as browsers send them.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ORIGINS)))]
    allowed_origins: Vec<String>,
    /// Limits within those of the tenant.
    #[serde(default)]
    limits: KeyLimits,
}

/// The kinds of key that a tenant can have.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ApiKeyKind")
)]
#[serde(rename_all = "snake_case")]
enum TenantKeyKind {
    #[default]
    Secret,
    Public,
}

impl NewKey {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, ApiError> {
        let body: KeyBody = body::read_settings(body)?;
        body.check()?;
        Ok(Self {
            kind: match body.kind {
                TenantKeyKind::Secret => KeyKind::Secret,
                TenantKeyKind::Public => KeyKind::Public,
            },
            name: check_name(body.name)?,
            scopes: Scopes::from_iter(body.scopes),
            allowed_origins: body.allowed_origins,
            limits: check_limits(body.limits)?,
            expires_at: parse_expiry(body.expires_at, now)?,
        })
    }

    /// The record of the key, created at `now`.
    pub fn into_record(self, id: KeyId, tenant_id: TenantId, now: Timestamp) -> ApiKey {
        ApiKey {
            id,
            tenant_id,
            kind: self.kind,
            name: self.name,
            scopes: self.scopes,
            allowed_origins: self.allowed_origins,
            limits: self.limits,
            expires_at: self.expires_at,
            revoked_at: None,
            version: 1,
            created_at: now,
        }
    }
}

impl KeyBody {
    /// A secret key needs scopes, a public one origins; neither has both.
    fn check(&self) -> Result<(), ApiError> {
        let (wanted, refused) = match self.kind {
            TenantKeyKind::Secret => ("scopes", "allowed_origins"),
            TenantKeyKind::Public => ("allowed_origins", "scopes"),
        };
        let is_given = |member| match member {
            "scopes" => !self.scopes.is_empty(),
            _ => !self.allowed_origins.is_empty(),
        };
        if !is_given(wanted) {
            let message = format!("A key of this kind needs `{wanted}`.");
            return Err(ApiError::new(ErrorCode::MissingParameter, message).param(wanted));
        }
        if is_given(refused) {
            let message = format!("A key of this kind has no `{refused}`.");
            return Err(invalid(refused, message));
        }
        check_origins(&self.allowed_origins)
    }
}

fn check_origins(origins: &[String]) -> Result<(), ApiError> {
    if origins.len() <= MAX_ORIGINS && origins.iter().all(|origin| is_origin(origin)) {
        return Ok(());
    }
    let message = format!(
        "`allowed_origins` has at most {MAX_ORIGINS} origins, each as browsers send it: \
         `https://example.org`."
    );
    Err(invalid("allowed_origins", message))
}

/// A burst without a rate would limit nothing: the bucket would be refilled at once.
fn check_limits(limits: KeyLimits) -> Result<KeyLimits, ApiError> {
    if limits.burst.is_some() && limits.requests_per_minute.is_none() {
        let message = "`limits.burst` needs `limits.requests_per_minute`.";
        let error = ApiError::new(ErrorCode::MissingParameter, message);
        return Err(error.param("limits.requests_per_minute"));
    }
    Ok(limits)
}

/// A change of a key: a JSON merge patch (RFC 7396) of its name and limits, and of the origins of a public
/// key. `null` removes a limit, or all origins: the key then opens no sessions.
#[derive(Debug)]
pub struct KeyPatch(Value);

#[derive(Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ApiKeySettings")
)]
#[serde(deny_unknown_fields)]
struct KeySettings {
    /// A name for people.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    name: String,
    /// Limits within those of the tenant.
    #[serde(default)]
    limits: KeyLimits,
    /// The origins of a public key, as browsers send them.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ORIGINS)))]
    allowed_origins: Vec<String>,
}

impl KeyPatch {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 if it is not an object.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        merge_patch::parse(body).map(Self)
    }

    /// The key with this patch applied.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn apply_to(self, key: ApiKey) -> Result<ApiKey, ApiError> {
        let present = KeySettings {
            name: key.name.clone(),
            limits: key.limits,
            allowed_origins: key.allowed_origins.clone(),
        };
        let present = serde_json::to_value(present).map_err(ApiError::internal)?;
        let merged = merge_patch::merge(present, self.0);
        let settings: KeySettings = body::read_settings(merged.to_string().as_bytes())?;
        let origins = settings.allowed_origins;
        if key.kind != KeyKind::Public && !origins.is_empty() {
            let message = "A key of this kind has no `allowed_origins`.";
            return Err(invalid("allowed_origins", message));
        }
        check_origins(&origins)?;
        Ok(ApiKey {
            name: check_name(settings.name)?,
            limits: check_limits(settings.limits)?,
            allowed_origins: origins,
            ..key
        })
    }
}

/// How to rotate a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRotation {
    /// How long the old key still works.
    pub grace: Millis,
    /// When the new key expires; if absent, it gets the lifetime of the old one.
    pub expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ApiKeyRotation")
)]
#[serde(deny_unknown_fields)]
struct RotationBody {
    /// How long the old key still works, in seconds. The default is a day, the most 90 days.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_GRACE_SECS)))]
    grace_seconds: Option<u64>,
    /// When the new key expires, in seconds since 1970 (UTC); by default it gets the lifetime of the old one.
    #[serde(default)]
    expires_at: Option<u64>,
}

impl KeyRotation {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, ApiError> {
        let body: RotationBody = body::read_settings(body)?;
        let grace = match body.grace_seconds {
            None => DEFAULT_GRACE,
            Some(secs) if secs <= MAX_GRACE_SECS => Millis::from_secs(secs),
            Some(_) => {
                let message = format!("`grace_seconds` is at most {MAX_GRACE_SECS}.");
                return Err(invalid("grace_seconds", message));
            }
        };
        Ok(Self {
            grace,
            expires_at: parse_expiry(body.expires_at, now)?,
        })
    }
}

#[cfg(feature = "schema")]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};

    use super::{KeyBody, KeyPatch, KeyRotation, KeySettings, NewKey, RotationBody};
    use crate::schema::{described_as, merge_patch};

    described_as! { NewKey => KeyBody }
    described_as! { KeyRotation => RotationBody }

    impl JsonSchema for KeyPatch {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "ApiKeyPatch".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            merge_patch::<KeySettings>(generator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_500);

    fn param_of<T: std::fmt::Debug>(result: Result<T, ApiError>) -> Option<String> {
        result.expect_err("invalid").param
    }

    #[test]
    fn secret_key_needs_scopes_and_public_key_needs_origins() {
        let secret = NewKey::parse(br#"{"name":"a","scopes":["chat","chat"]}"#, NOW);
        let secret = secret.expect("valid");
        assert_eq!(secret.kind, KeyKind::Secret);
        assert_eq!(secret.scopes, Scopes::from_iter([Scope::Chat]));
        let public = br#"{"name":"a","kind":"public","allowed_origins":["https://example.org"]}"#;
        let public = NewKey::parse(public, NOW).expect("valid");
        assert_eq!(public.kind, KeyKind::Public);
        assert_eq!(public.allowed_origins, ["https://example.org"]);
        for (body, param) in [
            (r#"{"scopes":["chat"]}"#, "name"),
            (r#"{"name":"","scopes":["chat"]}"#, "name"),
            (r#"{"name":"a"}"#, "scopes"),
            (r#"{"name":"a","kind":"public"}"#, "allowed_origins"),
            (r#"{"name":"a","kind":"admin","scopes":["chat"]}"#, "kind"),
            (r#"{"name":"a","scopes":["all"]}"#, "scopes[0]"),
            (
                r#"{"name":"a","scopes":["chat"],"allowed_origins":["https://example.org"]}"#,
                "allowed_origins",
            ),
            (
                r#"{"name":"a","kind":"public","allowed_origins":["https://example.org/"]}"#,
                "allowed_origins",
            ),
            (
                r#"{"name":"a","scopes":["chat"],"expires_at":1}"#,
                "expires_at",
            ),
            (
                r#"{"name":"a","scopes":["chat"],"tenant_id":"t"}"#,
                "tenant_id",
            ),
        ] {
            let result = NewKey::parse(body.as_bytes(), NOW);
            assert_eq!(param_of(result).as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn limits_are_set_and_patched_one_by_one() {
        let body =
            br#"{"name":"a","scopes":["chat"],"limits":{"requests_per_minute":60,"concurrent":2}}"#;
        let key = NewKey::parse(body, NOW).expect("valid");
        let id = "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let tenant = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let key = key.into_record(id, tenant, NOW);
        let patched = |body: &str| KeyPatch::parse(body.as_bytes())?.apply_to(key.clone());
        let limits = |body| {
            let KeyLimits {
                requests_per_minute,
                burst,
                concurrent,
            } = patched(body).expect("valid").limits;
            (requests_per_minute, burst, concurrent)
        };
        assert_eq!(limits("{}"), (Some(60), None, Some(2)));
        assert_eq!(
            limits(r#"{"limits":{"burst":5,"concurrent":null}}"#),
            (Some(60), Some(5), None)
        );
        assert_eq!(limits(r#"{"limits":null,"name":"b"}"#), (None, None, None));
        for (body, param) in [
            (r#"{"name":null}"#, "name"),
            (r#"{"name":""}"#, "name"),
            (r#"{"scopes":["chat"]}"#, "scopes"),
            (
                r#"{"allowed_origins":["https://example.org"]}"#,
                "allowed_origins",
            ),
            (r#"{"limits":{"burst":-1}}"#, "limits.burst"),
            (r#"{"limits":{"tokens":1}}"#, "limits.tokens"),
            (
                r#"{"limits":{"requests_per_minute":null,"burst":5}}"#,
                "limits.requests_per_minute",
            ),
        ] {
            assert_eq!(param_of(patched(body)).as_deref(), Some(param), "{body}");
        }
        for body in ["[]", "1", "null"] {
            let error = patched(body).expect_err(body);
            assert_eq!(error.code, ErrorCode::InvalidType, "{body}");
        }
    }

    #[test]
    fn origins_of_a_public_key_can_be_changed_and_removed() {
        let body = br#"{"name":"a","kind":"public","allowed_origins":["https://example.org"]}"#;
        let key = NewKey::parse(body, NOW).expect("valid");
        let id = "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let tenant = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id");
        let key = key.into_record(id, tenant, NOW);
        let patched = |body: &str| KeyPatch::parse(body.as_bytes())?.apply_to(key.clone());
        let origins = |body| patched(body).expect("valid").allowed_origins;
        assert_eq!(origins(r#"{"name":"b"}"#), ["https://example.org"]);
        let one = r#"{"allowed_origins":["http://localhost:3000"]}"#;
        assert_eq!(origins(one), ["http://localhost:3000"]);
        assert!(origins(r#"{"allowed_origins":[]}"#).is_empty());
        assert!(origins(r#"{"allowed_origins":null}"#).is_empty());
        for bad in ["https://example.org/", "null", "*", "https://Example.org"] {
            let result = patched(&serde_json::json!({"allowed_origins": [bad]}).to_string());
            assert_eq!(
                param_of(result).as_deref(),
                Some("allowed_origins"),
                "{bad}"
            );
        }
    }

    #[test]
    fn grace_period_is_a_day_by_default_and_at_most_90_days() {
        let day = KeyRotation {
            grace: Millis::from_secs(86_400),
            expires_at: None,
        };
        assert_eq!(KeyRotation::parse(b"", NOW), Ok(day));
        let none = KeyRotation::parse(br#"{"grace_seconds":0}"#, NOW).expect("valid");
        assert_eq!(none.grace, Millis::from_secs(0));
        let long = KeyRotation::parse(br#"{"grace_seconds":7776001}"#, NOW);
        assert_eq!(param_of(long).as_deref(), Some("grace_seconds"));
    }
}
