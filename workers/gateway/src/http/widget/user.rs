//! The signed-in user of a site, by a token of the site's back end.

use clawless_api::widget::OpenSession;
use clawless_core::time::Timestamp;
use clawless_core::widget::{InvalidUserToken, SignedUserToken, UserId, UserTokenSettings};
use clawless_core::{ApiError, ErrorCode, KeyId};
use clawless_edge::signature;

/// The user that a request's token names; `None` for an anonymous visitor.
///
/// # Errors
/// 403 for an invalid token, or if the widget requires one.
pub(super) async fn identify(
    settings: Option<&UserTokenSettings>,
    key: &KeyId,
    request: &OpenSession,
    now: Timestamp,
) -> Result<Option<UserId>, ApiError> {
    match (settings, &request.user_token) {
        (None, None) => Ok(None),
        (Some(settings), None) if !settings.required => Ok(None),
        (Some(_), None) => Err(refused("This chat is for signed-in users.")),
        (None, Some(_)) => Err(refused(
            "This key accepts no user tokens: set `user_tokens` of its widget first.",
        )),
        (Some(settings), Some(token)) => match verify(settings, key, token, now).await {
            Ok(user) => Ok(Some(user)),
            Err(error) => Err(refused(&format!("The user token is refused: {error}."))),
        },
    }
}

async fn verify(
    settings: &UserTokenSettings,
    key: &KeyId,
    token: &str,
    now: Timestamp,
) -> Result<UserId, InvalidUserToken> {
    let signed = SignedUserToken::parse(token, settings.algorithm)?;
    let public_key = settings.public_key_der().unwrap_or_default();
    let (algorithm, message) = (settings.algorithm, signed.message);
    if !signature::verifies(algorithm, &public_key, &signed.signature, message).await {
        return Err(InvalidUserToken::Signature);
    }
    signed.user(key, now)
}

fn refused(message: &str) -> ApiError {
    ApiError::new(ErrorCode::PermissionDenied, message).param("user_token")
}
