//! Admin tokens: the bodies that create and change one, and tokens in responses.

use clawless_core::admin_role::{AdminRole, InvalidRole, RoleName};
use clawless_core::admin_token::AdminToken;
use clawless_core::{AdminTokenId, ApiError, ErrorCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{check_name, parse_expiry};
use super::merge_patch;
use crate::body;
use crate::fields::invalid;

/// The settings of a token.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "NewAdminToken")
)]
#[serde(deny_unknown_fields)]
struct TokenSettings {
    /// A name for people.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    name: String,
    /// What the token may do.
    role: RoleName,
    /// The tenant of a `tenant_admin`; other roles have none.
    #[serde(default)]
    tenant_id: Option<TenantId>,
    /// When the token expires, in seconds since 1970 (UTC).
    #[serde(default)]
    expires_at: Option<u64>,
}

/// The settings of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    name: String,
    role: AdminRole,
    expires_at: Option<Timestamp>,
}

impl NewToken {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn parse(body: &[u8], now: Timestamp) -> Result<Self, ApiError> {
        let settings: TokenSettings = body::read_settings(body)?;
        Ok(Self {
            name: check_name(settings.name)?,
            role: check_role(settings.role, settings.tenant_id)?,
            expires_at: parse_expiry(settings.expires_at, now)?,
        })
    }

    /// The record of the token, created at `now`.
    pub fn into_record(self, id: AdminTokenId, now: Timestamp) -> AdminToken {
        AdminToken {
            id,
            name: self.name,
            role: self.role,
            expires_at: self.expires_at,
            revoked_at: None,
            created_at: now,
        }
    }
}

fn check_role(name: RoleName, tenant: Option<TenantId>) -> Result<AdminRole, ApiError> {
    AdminRole::new(name, tenant).map_err(|error| match error {
        InvalidRole::TenantMissing => {
            let message = "The role `tenant_admin` needs `tenant_id`.";
            ApiError::new(ErrorCode::MissingParameter, message).param("tenant_id")
        }
        InvalidRole::TenantNotAllowed | InvalidRole::Unknown => invalid(
            "tenant_id",
            "Only the role `tenant_admin` has a `tenant_id`.",
        ),
    })
}

/// A change of a token: a JSON merge patch (RFC 7396) of its name, role, tenant and expiry.
#[derive(Debug)]
pub struct TokenPatch(Value);

impl TokenPatch {
    /// Parses the body of a request.
    ///
    /// # Errors
    /// 400 if it is not an object.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        merge_patch::parse(body).map(Self)
    }

    /// The token with this patch applied. A change to a role without a tenant removes the tenant.
    ///
    /// # Errors
    /// 400 that names the invalid parameter.
    pub fn apply_to(self, token: AdminToken, now: Timestamp) -> Result<AdminToken, ApiError> {
        let changes_expiry = self.0.get("expires_at").is_some();
        let changes_role = self.0.get("role").is_some();
        let names_tenant = self.0.get("tenant_id").is_some();
        let present = TokenSettings {
            name: token.name.clone(),
            role: token.role.name(),
            tenant_id: token.role.tenant().cloned(),
            expires_at: token.expires_at.map(Timestamp::as_secs),
        };
        let present = serde_json::to_value(present).map_err(ApiError::internal)?;
        let merged = merge_patch::merge(present, self.0);
        let settings: TokenSettings = body::read_settings(merged.to_string().as_bytes())?;
        let is_unbound = settings.role != RoleName::TenantAdmin && changes_role && !names_tenant;
        let tenant = settings.tenant_id.filter(|_| !is_unbound);
        Ok(AdminToken {
            name: check_name(settings.name)?,
            role: check_role(settings.role, tenant)?,
            // A token that has expired can be renamed.
            expires_at: if changes_expiry {
                parse_expiry(settings.expires_at, now)?
            } else {
                token.expires_at
            },
            ..token
        })
    }
}

#[cfg(feature = "schema")]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator};

    use super::{NewToken, TokenPatch, TokenSettings};
    use crate::schema::{described_as, merge_patch};

    described_as! { NewToken => TokenSettings }

    impl JsonSchema for TokenPatch {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "AdminTokenPatch".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            merge_patch::<TokenSettings>(generator)
        }
    }
}

/// A token.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "AdminToken")
)]
pub struct TokenObject {
    /// Always `admin_token`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "admin_token")))]
    object: &'static str,
    /// The id.
    id: AdminTokenId,
    /// The name.
    name: String,
    /// What it may do.
    role: RoleName,
    /// The only tenant that it can access.
    tenant_id: Option<TenantId>,
    /// When it expires, in seconds since 1970 (UTC).
    expires_at: Option<u64>,
    /// When it was revoked, in seconds since 1970 (UTC).
    revoked_at: Option<u64>,
    /// When it was created, in seconds since 1970 (UTC).
    created_at: u64,
}

impl TokenObject {
    /// The token's id.
    pub const fn id(&self) -> &AdminTokenId {
        &self.id
    }
}

impl From<AdminToken> for TokenObject {
    fn from(token: AdminToken) -> Self {
        Self {
            object: "admin_token",
            id: token.id,
            name: token.name,
            role: token.role.name(),
            tenant_id: token.role.tenant().cloned(),
            expires_at: token.expires_at.map(Timestamp::as_secs),
            revoked_at: token.revoked_at.map(Timestamp::as_secs),
            created_at: token.created_at.as_secs(),
        }
    }
}

/// A new token with its text. No other response contains the text.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CreatedAdminToken")
)]
pub struct CreatedToken<'a> {
    #[serde(flatten)]
    object: TokenObject,
    /// The token. It is shown only here.
    token: &'a str,
}

impl<'a> CreatedToken<'a> {
    /// A token and its text.
    pub const fn new(object: TokenObject, token: &'a str) -> Self {
        Self { object, token }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_500);
    const TENANT: &str = "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn token(role: &str, expires_at: Option<Timestamp>) -> AdminToken {
        AdminToken {
            id: "adm_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
            name: "a".to_owned(),
            role: role.parse().expect(role),
            expires_at,
            revoked_at: None,
            created_at: NOW,
        }
    }

    fn patched(token: AdminToken, body: &str) -> Result<AdminToken, ApiError> {
        TokenPatch::parse(body.as_bytes())?.apply_to(token, NOW)
    }

    #[test]
    fn new_token_needs_a_name_and_a_role_and_a_tenant_admin_its_tenant() {
        let body = format!(r#"{{"name":"a","role":"tenant_admin","tenant_id":"{TENANT}"}}"#);
        let new = NewToken::parse(body.as_bytes(), NOW).expect("valid");
        assert_eq!(new.role.to_string(), format!("tenant_admin:{TENANT}"));
        for (body, param) in [
            (r#"{"role":"owner"}"#, "name"),
            (r#"{"name":"a"}"#, "role"),
            (r#"{"name":"a","role":"admin"}"#, "role"),
            (r#"{"name":"a","role":"tenant_admin"}"#, "tenant_id"),
            (
                r#"{"name":"a","role":"tenant_admin","tenant_id":"x"}"#,
                "tenant_id",
            ),
            (
                &format!(r#"{{"name":"a","role":"viewer","tenant_id":"{TENANT}"}}"#),
                "tenant_id",
            ),
            (
                r#"{"name":"a","role":"owner","expires_at":1}"#,
                "expires_at",
            ),
            (r#"{"name":"a","role":"owner","scopes":[]}"#, "scopes"),
        ] {
            let error = NewToken::parse(body.as_bytes(), NOW).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn patch_changes_single_settings() {
        let past = Some(Timestamp::from_millis(1_000));
        let renamed = patched(token("owner", past), r#"{"name":"b"}"#).expect("valid");
        assert_eq!((renamed.name.as_str(), renamed.expires_at), ("b", past));
        let lasting = patched(token("owner", past), r#"{"expires_at":null}"#).expect("valid");
        assert_eq!(lasting.expires_at, None);
        let role = |from: &str, body: &str| {
            let changed = patched(token(from, None), body).expect(body);
            changed.role.to_string()
        };
        let bound = format!("tenant_admin:{TENANT}");
        assert_eq!(role("owner", r#"{"role":"viewer"}"#), "viewer");
        assert_eq!(role(&bound, r#"{"role":"operator"}"#), "operator");
        assert_eq!(
            role(
                "owner",
                &format!(r#"{{"role":"tenant_admin","tenant_id":"{TENANT}"}}"#)
            ),
            bound
        );
        for (from, body, param) in [
            ("owner", r#"{"role":"tenant_admin"}"#, "tenant_id"),
            ("owner", r#"{"role":null}"#, "role"),
            (&bound, r#"{"tenant_id":null}"#, "tenant_id"),
            (
                "owner",
                &*format!(r#"{{"tenant_id":"{TENANT}"}}"#),
                "tenant_id",
            ),
            (
                &bound,
                &format!(r#"{{"role":"viewer","tenant_id":"{TENANT}"}}"#),
                "tenant_id",
            ),
            ("owner", r#"{"expires_at":1}"#, "expires_at"),
            ("owner", r#"{"revoked_at":null,"name":""}"#, "name"),
            ("owner", r#"{"revoked_at":5}"#, "revoked_at"),
        ] {
            let error = patched(token(from, None), body).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }
}
