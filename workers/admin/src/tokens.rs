//! `/admin/tokens`: the operators' own tokens.

use clawless_api::admin::tokens::{CreatedToken, NewToken, TokenObject};
use clawless_core::admin_token::AdminToken;
use clawless_core::keys::KeyText;
use clawless_core::{AdminTokenId, ApiError, KeyKind};
use clawless_edge::http::HttpResponse;
use clawless_store::admin_tokens;

use crate::context::{AdminCall, audit_entry, not_found};
use crate::input;
use crate::page::Page;

/// Lists the tokens, oldest first.
///
/// # Errors
/// 400 for the query.
pub(crate) async fn list(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let page: Page<AdminTokenId> = Page::take(&mut call.query())?;
    let (after, limit) = (page.after.as_ref(), page.read_limit());
    let tokens = admin_tokens::list_across_tenants(&call.platform.sql, after, limit).await?;
    let objects = tokens.into_iter().map(TokenObject::from).collect();
    page.respond(objects, |token: &TokenObject| token.id().as_str())
}

/// Creates a token, which no later response shows.
///
/// # Errors
/// 400 that names the invalid parameter.
pub(crate) async fn mint(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let new = NewToken::parse(&input::read(call).await?, context.now)?;
    let text = KeyText::generate(KeyKind::Admin, &context.entropy);
    let id = AdminTokenId::generate(context.now, &context.entropy);
    let token = new.into_record(id, context.now);
    let object = TokenObject::from(token.clone());
    let entry = audit_entry(call, "token.mint", token.id.as_str(), None, Some(&object))?;
    admin_tokens::mint_across_tenants(&context.sql, &token, text.digest(), &entry).await?;
    let created = CreatedToken::new(object, text.reveal());
    Ok(HttpResponse::of(&created)?.with_status(201))
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
        return HttpResponse::of(&TokenObject::from(token));
    }
    let before = TokenObject::from(token.clone());
    let after = TokenObject::from(AdminToken {
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
    HttpResponse::of(&TokenObject::from(find(call, &id).await?))
}

async fn find(call: &AdminCall, id: &AdminTokenId) -> Result<AdminToken, ApiError> {
    let found = admin_tokens::find_across_tenants(&call.platform.sql, id).await?;
    found.ok_or_else(|| not_found("token"))
}
