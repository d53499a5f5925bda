//! Creating keys.

use clawless_core::api_key::is_origin;
use clawless_core::keys::KeyText;
use clawless_core::{ApiError, ApiKey, ErrorCode, KeyId, KeyKind, Scope, Scopes, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_edge::http::query::invalid;
use clawless_store::api_keys::{self, StoredKey};
use serde::Deserialize;

use super::view::{Minted, View};
use crate::context::{AdminCall, AdminContext, audit_entry};
use crate::input;

/// The largest number of origins of a public key.
const MAX_ORIGINS: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mint {
    name: String,
    #[serde(default)]
    kind: Kind,
    #[serde(default)]
    scopes: Vec<Scope>,
    #[serde(default)]
    expires_at: Option<u64>,
    #[serde(default)]
    allowed_origins: Vec<String>,
}

/// The kinds of key that a tenant can have.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Secret,
    Public,
}

/// Creates a key, which no later response shows.
///
/// 1. 400 that names the parameter at fault. 2. 404 and 409 for the tenant. 3. 201.
///
/// # Errors
/// The statuses above.
pub(crate) async fn mint(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let wanted: Mint = input::read(call).await?;
    wanted.check()?;
    let tenant = context.mutable_tenant(call.param("id")).await?.id;
    let key = wanted.record(context, &tenant)?;
    let text = KeyText::generate(key.kind, &context.entropy);
    let view = View::from(StoredKey::new(key.clone()));
    let entry = audit_entry(call, "key.mint", key.id.as_str(), None, Some(&view))?;
    api_keys::mint(&context.sql, &tenant, &key, text.digest(), &entry).await?;
    Minted::new(view, &text).respond()
}

impl Mint {
    /// A secret key needs scopes, a public one origins; neither has both.
    fn check(&self) -> Result<(), ApiError> {
        let (wanted, refused) = match self.kind {
            Kind::Secret => ("scopes", "allowed_origins"),
            Kind::Public => ("allowed_origins", "scopes"),
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
            return Err(invalid(
                refused,
                format!("A key of this kind has no `{refused}`."),
            ));
        }
        let are_origins = self.allowed_origins.iter().all(|origin| is_origin(origin));
        if !are_origins || self.allowed_origins.len() > MAX_ORIGINS {
            return Err(invalid(
                "allowed_origins",
                format!(
                    "`allowed_origins` has at most {MAX_ORIGINS} origins, each as browsers send it: `https://example.org`."
                ),
            ));
        }
        Ok(())
    }

    fn record(self, context: &AdminContext, tenant: &TenantId) -> Result<ApiKey, ApiError> {
        Ok(ApiKey {
            id: KeyId::generate(context.now, &context.entropy),
            tenant_id: tenant.clone(),
            kind: match self.kind {
                Kind::Secret => KeyKind::Secret,
                Kind::Public => KeyKind::Public,
            },
            name: input::name(self.name)?,
            scopes: Scopes::from_iter(self.scopes),
            allowed_origins: self.allowed_origins,
            expires_at: input::expiry(self.expires_at, context.now)?,
            revoked_at: None,
            version: 1,
            created_at: context.now,
        })
    }
}
