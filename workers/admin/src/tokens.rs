//! `/admin/tokens`: the operators' own tokens.

use clawless_core::keys::KeyText;
use clawless_core::{AdminTokenId, ApiError, KeyKind, Timestamp};
use clawless_edge::http::HttpResponse;
use clawless_store::admin_tokens::{self, AdminToken};
use serde::{Deserialize, Serialize};

use crate::context::{AdminCall, audit_entry, not_found};
use crate::input;
use crate::page::Page;

/// A token in responses.
#[derive(Serialize)]
struct View<'a> {
    object: &'static str,
    id: AdminTokenId,
    name: String,
    expires_at: Option<u64>,
    revoked_at: Option<u64>,
    created_at: u64,
    /// The token itself, only in the response that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl From<AdminToken> for View<'_> {
    fn from(token: AdminToken) -> Self {
        Self {
            object: "admin_token",
            id: token.id,
            name: token.name,
            expires_at: token.expires_at.map(Timestamp::as_secs),
            revoked_at: token.revoked_at.map(Timestamp::as_secs),
            created_at: token.created_at.as_secs(),
            token: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mint {
    name: String,
    #[serde(default)]
    expires_at: Option<u64>,
}

/// Lists the tokens, oldest first.
///
/// # Errors
/// 400 for the query.
pub(crate) async fn list(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let page: Page<AdminTokenId> = Page::take(&mut call.query())?;
    let (after, limit) = (page.after.as_ref(), page.read_limit());
    let tokens = admin_tokens::list_across_tenants(&call.platform.sql, after, limit).await?;
    let views = tokens.into_iter().map(View::from).collect();
    page.respond(views, |view: &View<'_>| view.id.as_str())
}

/// Creates a token, which no later response shows.
///
/// # Errors
/// 400 that names the parameter at fault.
pub(crate) async fn mint(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let wanted: Mint = input::read(call).await?;
    let text = KeyText::generate(KeyKind::Admin, &context.entropy);
    let token = AdminToken {
        id: AdminTokenId::generate(context.now, &context.entropy),
        name: input::name(wanted.name)?,
        expires_at: input::expiry(wanted.expires_at, context.now)?,
        revoked_at: None,
        created_at: context.now,
    };
    let mut view = View::from(token.clone());
    let entry = audit_entry(call, "token.mint", token.id.as_str(), None, Some(&view))?;
    admin_tokens::mint_across_tenants(&context.sql, &token, text.digest(), &entry).await?;
    view.token = Some(text.reveal());
    Ok(HttpResponse::of(&view)?.with_status(201))
}

/// Revokes a token. Repeating it is safe.
///
/// # Errors
/// 404 if there is no such token.
pub(crate) async fn revoke(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    input::read_empty(call).await?;
    let (sql, now) = (&call.platform.sql, call.platform.now);
    let id: AdminTokenId = call.param("id").parse().map_err(|_| not_found("token"))?;
    let token = find(call, &id).await?;
    if token.revoked_at.is_some() {
        return HttpResponse::of(&View::from(token));
    }
    let before = View::from(token.clone());
    let after = View::from(AdminToken {
        revoked_at: Some(now),
        ..token
    });
    let entry = audit_entry(
        call,
        "token.revoke",
        id.as_str(),
        Some(&before),
        Some(&after),
    )?;
    if admin_tokens::revoke_across_tenants(sql, &id, now, &entry).await? {
        return HttpResponse::of(&after);
    }
    // Another operator was first, and is the one in the audit log.
    HttpResponse::of(&View::from(find(call, &id).await?))
}

async fn find(call: &AdminCall, id: &AdminTokenId) -> Result<AdminToken, ApiError> {
    let found = admin_tokens::find_across_tenants(&call.platform.sql, id).await?;
    found.ok_or_else(|| not_found("token"))
}
