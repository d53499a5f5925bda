//! `POST /v1/widget/session`: opens or continues a conversation of the chat widget.
//!
//! The only route that a public key allows. Its response has a token by which the widget sends messages of
//! one session, for some minutes, from one origin.

mod conversation;
mod user;

use clawless_api::widget::{LOGOS, OpenSession, OpenedSession};
use clawless_core::api_key::is_origin;
use clawless_core::json::Json;
use clawless_core::ledger::{EndpointClass, Input, LedgerAnswer};
use clawless_core::time::{Millis, timeout};
use clawless_core::widget::{VISITOR_TOKEN_TTL, Visitor, VisitorToken};
use clawless_core::{ApiError, Clock, ErrorCode, KeyKind, RequestId, SessionId};
use clawless_edge::http::{Call, HttpResponse};
use clawless_edge::ledger::Ledger;
use clawless_store::widgets;

use super::cors::readable_by;
use crate::access::confirm_rate;
use crate::authenticate::{Visitors, authenticate};
use crate::caller::Caller;
use crate::platform::binding_names::WIDGET;
use crate::platform::bindings::Bindings;
use crate::platform::{Platform, RateLimit};

/// The largest body, in bytes: two ids, a secret and a user's token.
const BODY_LIMIT: usize = 16 * 1024;
/// The longest version of a widget that is logged.
const MAX_VERSION_BYTES: usize = 32;
/// How long a session waits for the texts of its language.
const TEXTS_TIMEOUT: Millis = Millis::from_secs(2);
/// When to try again after an address opened too many sessions: the limit counts by the minute.
const RETRY_AFTER_SESSIONS: Millis = Millis::from_secs(30);

/// Opens a session, or continues one.
///
/// 1. 401, 429 and 403 by the key: it must be public. 2. 403 without an origin. 3. 429 if the address opens
///    too many. 4. 401, 403 and 429 by the ledger. 5. 403 if the key does not allow the origin. 6. 400, 413,
///    415 for the body. 7. 403 for an invalid user token. 8. 200.
///
/// An origin that the key allows may read errors too.
///
/// # Errors
/// The statuses above; 503 if storage or the ledger does not respond.
pub async fn open(call: &Call<Bindings, ()>) -> Result<HttpResponse, ApiError> {
    let platform = &*call.platform;
    let mut caller = authenticate(platform, &call.head, Visitors::Refused).await?;
    if caller.key().kind != KeyKind::Public {
        let message =
            "This route needs a public key (`cl_pk_…`). Never put another key into a page.";
        return Err(ApiError::new(ErrorCode::PermissionDenied, message));
    }
    let origin = call.head.header("origin");
    let origin = origin.filter(|origin| is_origin(origin));
    let origin = origin.ok_or_else(foreign_origin)?;
    let opened = open_from(call, &mut caller, origin).await;
    if !allows(&caller, origin) {
        return opened;
    }
    let headers = Vec::from(readable_by(origin));
    match opened {
        Ok(response) => Ok(response.with_headers(headers)),
        Err(error) => Err(error.headers(headers)),
    }
}

/// Steps 3 to 8. `caller` becomes the one that the ledger has confirmed.
async fn open_from(
    call: &Call<Bindings, ()>,
    caller: &mut Caller,
    origin: &str,
) -> Result<HttpResponse, ApiError> {
    let platform = &*call.platform;
    let subject = format!("{}:{}", caller.key().id, call.head.address());
    if !platform
        .is_within(RateLimit::WidgetSessions, &subject)
        .await
    {
        let message = "Too many conversations were opened from this address.";
        let error = ApiError::new(ErrorCode::RateLimitExceeded, message);
        return Err(error.retry_after(RETRY_AFTER_SESSIONS));
    }
    let (rates, confirmed) = confirm_rate(platform, caller, EndpointClass::Write).await?;
    *caller = confirmed;
    let opened = async {
        if !allows(caller, origin) {
            return Err(foreign_origin());
        }
        call.check_query()?;
        call.head.require_json()?;
        call.body.count_for(caller.tenant().id.as_str());
        let request = OpenSession::parse(&call.body.read(BODY_LIMIT).await?)?;
        respond(call, caller, origin, &request).await
    };
    match opened.await {
        Ok(response) => Ok(response.with_headers(rates.pairs())),
        Err(error) => Err(error.headers(rates.pairs())),
    }
}

async fn respond(
    call: &Call<Bindings, ()>,
    caller: &Caller,
    origin: &str,
    request: &OpenSession,
) -> Result<HttpResponse, ApiError> {
    let platform = &*call.platform;
    // Without it there are no tokens: nothing must be stored then.
    let signing_key = platform.config().signing_key()?;
    let digest = caller.digest();
    let digest = digest.ok_or_else(|| ApiError::internal("a public key without its digest"))?;
    let (tenant, key) = (&caller.tenant().id, caller.key());
    let logos = format!("{}{LOGOS}", call.head.origin());
    let widget = widgets::find_public(platform.sql(), tenant, &key.id, logos).await?;
    let now = platform.time().now();
    let user = user::identify(widget.users.as_ref(), &key.id, request, now).await?;
    let conversation = conversation::open(platform, caller, request, user.as_ref()).await?;
    let resumable = match conversation.secret {
        // A new session has no turn.
        Some(_) => None,
        None => running_turn(platform, caller, &conversation.session).await?,
    };
    let strings = texts(call, request).await;
    let name = match &user {
        Some(user) => format!("user:{}", user.as_str()),
        None => conversation.session.to_string(),
    };
    let token = VisitorToken {
        key: digest,
        visitor: Visitor {
            session: conversation.session.clone(),
            origin: origin.to_owned(),
            scopes: VisitorToken::scopes(),
            name,
            key_version: key.version,
        },
    };
    let version = request.widget_version.as_deref();
    tracing::info!(
        key = key.id.as_str(),
        session = conversation.session.as_str(),
        version = version.filter(|version| version.len() <= MAX_VERSION_BYTES),
        is_new = conversation.secret.is_some(),
        "widget session opened"
    );
    HttpResponse::of(&OpenedSession {
        token: &token.seal(signing_key, now),
        expires_in: VISITOR_TOKEN_TTL.ceil_secs(),
        session_id: &conversation.session,
        visitor_secret: conversation.secret.as_deref(),
        settings: &widget.settings,
        strings,
        resumable,
    })
}

/// The widget's texts in the language of its page, which saves it a request. Without them it is English.
async fn texts(call: &Call<Bindings, ()>, request: &OpenSession) -> Option<Json> {
    let url = format!("https://widget{}", request.texts()?);
    let service = call.platform.env().service(WIDGET).ok()?;
    let fetching = async {
        let mut response = service.fetch(url, None).await.ok()?;
        if response.status_code() != 200 {
            return None;
        }
        Json::parse(response.text().await.ok()?).ok()
    };
    let fetched = timeout(call.platform.time(), TEXTS_TIMEOUT, fetching).await;
    fetched.ok().flatten()
}

/// The request whose turn runs in a session.
///
/// # Errors
/// 503 if the ledger does not respond.
pub(super) async fn running_turn<P: Platform>(
    platform: &P,
    caller: &Caller,
    session: &SessionId,
) -> Result<Option<RequestId>, ApiError> {
    let input = Input::FindTurn {
        session_id: session.clone(),
    };
    let output = platform.ledger().call(&caller.tenant().id, input).await?;
    Ok(match output.answer {
        LedgerAnswer::Running(request) => Some(request),
        _ => None,
    })
}

fn allows(caller: &Caller, origin: &str) -> bool {
    let mut allowed = caller.key().allowed_origins.iter();
    allowed.any(|allowed| allowed == origin)
}

/// The error for an origin that is absent, `null` or not in the key's list.
fn foreign_origin() -> ApiError {
    let message = "This key is not valid for this origin. Its owner can add the origin to the key.";
    ApiError::new(ErrorCode::PermissionDenied, message)
}
