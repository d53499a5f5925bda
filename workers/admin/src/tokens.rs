//! `/admin/tokens`: the tokens of the admin API itself.

use clawless_api::admin::tokens::{CreatedToken, NewToken, TokenObject, TokenPatch};
use clawless_api::fields::invalid;
use clawless_core::admin_role::{AdminAccess, AdminRole, RoleName};
use clawless_core::admin_token::AdminToken;
use clawless_core::keys::KeyText;
use clawless_core::{AdminTokenId, ApiError, ErrorCode, KeyKind};
use clawless_edge::http::HttpResponse;
use clawless_store::audit::AuditEntry;
use clawless_store::{admin_tokens, tenants};

use crate::context::{AdminCall, audit_entry, changed_concurrently, not_found};
use crate::input;
use crate::page::Page;

/// Who may list and change the tokens.
pub(crate) const ACCESS: AdminAccess = AdminAccess::Global(RoleName::Owner);

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
/// 400 that names the invalid parameter, `tenant_id` if there is no such tenant.
pub(crate) async fn mint(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let new = NewToken::parse(&input::read(call).await?, context.now)?;
    let text = KeyText::generate(KeyKind::Admin, &context.entropy);
    let id = AdminTokenId::generate(context.now, &context.entropy);
    let token = new.into_record(id, context.now);
    check_tenant(call, &token.role).await?;
    let object = TokenObject::from(token.clone());
    let entry = audit_entry(call, "token.mint", token.id.as_str(), None, Some(&object))?;
    admin_tokens::mint_across_tenants(&context.sql, &token, text.digest(), &entry).await?;
    let created = CreatedToken::new(object, text.reveal());
    Ok(HttpResponse::of(&created)?.with_status(201))
}

/// Changes the name, role, tenant and expiry of a token, by JSON merge patch (RFC 7396). The change
/// applies to the next request.
///
/// 1. 400 that names the invalid parameter. 2. 404 if there is no such token. 3. 409 if it is revoked, or
///    if another change was first. 4. 200; an equal record is not stored again.
///
/// # Errors
/// The statuses above.
pub(crate) async fn change(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let patch = TokenPatch::parse(&input::read(call).await?)?;
    let before = find(call, &token_id(call)?).await?;
    let after = patch.apply_to(before.clone(), context.now)?;
    if before.revoked_at.is_some() {
        return Err(ApiError::new(
            ErrorCode::Conflict,
            "This token is revoked: create a new one.",
        ));
    }
    if after == before {
        return HttpResponse::of(&TokenObject::from(before));
    }
    if after.role != before.role {
        check_tenant(call, &after.role).await?;
    }
    let (old, new) = (
        TokenObject::from(before.clone()),
        TokenObject::from(after.clone()),
    );
    let id = after.id.as_str();
    let entry = audit_entry(call, "token.update", id, Some(&old), Some(&new))?;
    if !admin_tokens::change_across_tenants(&context.sql, &before, &after, &entry).await? {
        return Err(changed_concurrently());
    }
    HttpResponse::of(&new)
}

/// Revokes a token. Repeating it is safe.
///
/// # Errors
/// 404 if there is no such token.
pub(crate) async fn revoke(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    input::read_empty(call).await?;
    let (sql, now) = (&call.platform.sql, call.platform.now);
    let id = token_id(call)?;
    let token = find(call, &id).await?;
    if token.revoked_at.is_some() {
        return HttpResponse::of(&TokenObject::from(token));
    }
    let (entry, after) = revocation(call, token)?;
    if admin_tokens::revoke_across_tenants(sql, &id, now, &entry).await? {
        return HttpResponse::of(&after);
    }
    // Another request was first, and is the one in the audit log.
    HttpResponse::of(&TokenObject::from(find(call, &id).await?))
}

/// The audit entry of a token's revocation, and the token after it.
///
/// # Errors
/// An internal error if the entry cannot be written.
pub(crate) fn revocation(
    call: &AdminCall,
    token: AdminToken,
) -> Result<(AuditEntry, TokenObject), ApiError> {
    let before = TokenObject::from(token.clone());
    let after = TokenObject::from(AdminToken {
        revoked_at: Some(call.platform.now),
        ..token
    });
    let id = before.id().as_str();
    let entry = audit_entry(call, "token.revoke", id, Some(&before), Some(&after))?;
    Ok((entry, after))
}

fn token_id(call: &AdminCall) -> Result<AdminTokenId, ApiError> {
    call.param("id").parse().map_err(|_| not_found("token"))
}

/// Checks that the tenant exists which a role is bound to.
async fn check_tenant(call: &AdminCall, role: &AdminRole) -> Result<(), ApiError> {
    let Some(tenant) = role.tenant() else {
        return Ok(());
    };
    match tenants::find(&call.platform.sql, tenant).await? {
        Some(_) => Ok(()),
        None => Err(invalid("tenant_id", "There is no such tenant.")),
    }
}

async fn find(call: &AdminCall, id: &AdminTokenId) -> Result<AdminToken, ApiError> {
    let found = admin_tokens::find_across_tenants(&call.platform.sql, id).await?;
    found.ok_or_else(|| not_found("token"))
}
