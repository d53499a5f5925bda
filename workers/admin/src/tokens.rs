//! `/admin/tokens`: the operators' own tokens.

use clawless_core::keys::KeyText;
use clawless_core::{AdminTokenId, ApiError, KeyKind, Timestamp};
use clawless_edge::answer::Answer;
use clawless_store::admin_tokens::{self, AdminToken};
use serde::{Deserialize, Serialize};

use crate::desk::{Desk, no_such};
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
pub(crate) async fn list(desk: &Desk, query: &Query) -> Result<Answer, ApiError> {
    let page: Page<AdminTokenId> = Page::of(query, &[])?;
    let (after, limit) = (page.cursor.as_ref(), page.to_read());
    let tokens = admin_tokens::list_across_tenants(&desk.sql, after, limit).await?;
    let views = tokens.into_iter().map(View::from).collect();
    page.answer(views, |view: &View<'_>| view.id.as_str())
}

/// Mints a token, which is shown this once.
///
/// # Errors
/// 400 that names the parameter at fault.
pub(crate) async fn mint(desk: &Desk, body: &[u8]) -> Result<Answer, ApiError> {
    let wanted: Mint = input::read(body)?;
    let text = KeyText::generate(KeyKind::Admin, &desk.entropy);
    let token = AdminToken {
        id: AdminTokenId::generate(desk.now, &desk.entropy),
        name: input::name(wanted.name)?,
        expires_at: input::end(wanted.expires_at, desk.now)?,
        revoked_at: None,
        created_at: desk.now,
    };
    let mut view = View::from(token.clone());
    let entry = desk.entry("token.mint", token.id.as_str(), None, Some(&view))?;
    admin_tokens::mint_across_tenants(&desk.sql, &token, text.digest(), &entry).await?;
    view.token = Some(text.reveal());
    Ok(Answer {
        status: 201,
        ..Answer::of(&view)?
    })
}

/// Ends a token at once and for ever. May be repeated.
///
/// # Errors
/// 404 where there is no such token.
pub(crate) async fn revoke(desk: &Desk, id: &str, body: &[u8]) -> Result<Answer, ApiError> {
    input::nothing(body)?;
    let id: AdminTokenId = id.parse().map_err(|_| no_such("token"))?;
    let token = find(desk, &id).await?;
    if token.revoked_at.is_some() {
        return Answer::of(&View::from(token));
    }
    let before = View::from(token.clone());
    let after = View::from(AdminToken {
        revoked_at: Some(desk.now),
        ..token
    });
    let entry = desk.entry("token.revoke", id.as_str(), Some(&before), Some(&after))?;
    if admin_tokens::revoke_across_tenants(&desk.sql, &id, desk.now, &entry).await? {
        return Answer::of(&after);
    }
    // Another operator was quicker, and is the one whom the log names.
    Answer::of(&View::from(find(desk, &id).await?))
}

async fn find(desk: &Desk, id: &AdminTokenId) -> Result<AdminToken, ApiError> {
    let found = admin_tokens::find_across_tenants(&desk.sql, id).await?;
    found.ok_or_else(|| no_such("token"))
}
