//! `/admin/tokens`: the operators' own tokens.

use clawless_core::keys::KeyText;
use clawless_core::{AdminTokenId, ApiError, KeyKind, Timestamp};
use clawless_edge::response::HttpResponse;
use clawless_store::admin_tokens::{self, AdminToken};
use serde::{Deserialize, Serialize};

use crate::context::{AdminContext, no_such};
use crate::input;
use crate::page::{Page, Query};

/// A token as operators see it.
#[derive(Serialize)]
struct View<'a> {
    object: &'static str,
    id: AdminTokenId,
    name: String,
    expires_at: Option<u64>,
    revoked_at: Option<u64>,
    created_at: u64,
    /// The token itself, in the answer to its minting and nowhere else.
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
/// 400 for a bad query.
pub(crate) async fn list(context: &AdminContext, query: &Query) -> Result<HttpResponse, ApiError> {
    let page: Page<AdminTokenId> = Page::of(query, &[])?;
    let (after, limit) = (page.cursor.as_ref(), page.to_read());
    let tokens = admin_tokens::list_across_tenants(&context.sql, after, limit).await?;
    let views = tokens.into_iter().map(View::from).collect();
    page.answer(views, |view: &View<'_>| view.id.as_str())
}

/// Mints a token, which is shown this once.
///
/// # Errors
/// 400 that names the parameter at fault.
pub(crate) async fn mint(context: &AdminContext, body: &[u8]) -> Result<HttpResponse, ApiError> {
    let wanted: Mint = input::read(body)?;
    let text = KeyText::generate(KeyKind::Admin, &context.entropy);
    let token = AdminToken {
        id: AdminTokenId::generate(context.now, &context.entropy),
        name: input::name(wanted.name)?,
        expires_at: input::end(wanted.expires_at, context.now)?,
        revoked_at: None,
        created_at: context.now,
    };
    let mut view = View::from(token.clone());
    let entry = context.entry("token.mint", token.id.as_str(), None, Some(&view))?;
    admin_tokens::mint_across_tenants(&context.sql, &token, text.digest(), &entry).await?;
    view.token = Some(text.reveal());
    Ok(HttpResponse {
        status: 201,
        ..HttpResponse::of(&view)?
    })
}

/// Ends a token at once and for ever. May be repeated.
///
/// # Errors
/// 404 where there is no such token.
pub(crate) async fn revoke(
    context: &AdminContext,
    id: &str,
    body: &[u8],
) -> Result<HttpResponse, ApiError> {
    input::nothing(body)?;
    let id: AdminTokenId = id.parse().map_err(|_| no_such("token"))?;
    let token = find(context, &id).await?;
    if token.revoked_at.is_some() {
        return HttpResponse::of(&View::from(token));
    }
    let before = View::from(token.clone());
    let after = View::from(AdminToken {
        revoked_at: Some(context.now),
        ..token
    });
    let entry = context.entry("token.revoke", id.as_str(), Some(&before), Some(&after))?;
    if admin_tokens::revoke_across_tenants(&context.sql, &id, context.now, &entry).await? {
        return HttpResponse::of(&after);
    }
    // Another operator was quicker, and is the one whom the log names.
    HttpResponse::of(&View::from(find(context, &id).await?))
}

async fn find(context: &AdminContext, id: &AdminTokenId) -> Result<AdminToken, ApiError> {
    let found = admin_tokens::find_across_tenants(&context.sql, id).await?;
    found.ok_or_else(|| no_such("token"))
}
