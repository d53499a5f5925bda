//! `POST /v1/chat/completions`: the way of one request.

use std::rc::Rc;

use clawless_core::chat::{ChatCompletionRequest, check_session_id};
use clawless_core::llm::LlmRequest;
use clawless_core::{ApiError, Clock, RequestId, Scope};
use clawless_edge::answer::Answer;
use clawless_edge::incoming::Head;

use crate::authenticate::authenticate;
use crate::platform::Platform;
use crate::prepare::prepare;
use crate::route::route;
use crate::turn::{self, Turn};

/// The header that names a session, for SDKs that cannot add members to the body.
const SESSION_HEADER: &str = "x-session-id";

/// Answers a chat request.
///
/// 1. authenticate: 401, 403
/// 2. parse: 400, 413, 415
/// 3. route: 404 for the model
/// 4. prepare: 404 for the session, 503
/// 5. the turn itself ([`turn::start`]): the model's answer, stored before its end goes out
///
/// # Errors
/// The statuses above, each with a code of the catalogue.
pub async fn create<P: Platform>(
    platform: &Rc<P>,
    request_id: &RequestId,
    head: &Head,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
) -> Result<Answer, ApiError> {
    let started = platform.time().now();
    let caller = authenticate(&**platform, head).await?;
    caller.require(Scope::Chat)?;
    let request = parse(head, body).await?;
    let route = route(platform.config(), caller.tenant(), &request.model)?;
    let conversation = prepare(&**platform, &caller, &request, route.model.context).await?;
    tracing::debug!(model = route.model.id, route = route.reason, "routed");
    let turn = Turn {
        request_id: request_id.clone(),
        tenant: caller.tenant().id.clone(),
        key: caller.key().id.clone(),
        llm: LlmRequest {
            model: route.model.id.clone(),
            messages: conversation.messages,
            options: request.options,
        },
        route,
        said: request.messages,
        session: conversation.session,
        stream: request.stream,
        include_usage: request.include_usage,
        started,
    };
    turn::start(platform, turn).await
}

/// Stage 2: from head and body to a checked request.
async fn parse(
    head: &Head,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
) -> Result<ChatCompletionRequest, ApiError> {
    head.require_json()?;
    let named = head
        .header(SESSION_HEADER)
        .map(|id| check_session_id(id, SESSION_HEADER));
    let mut request = ChatCompletionRequest::parse(&body.await?)?;
    if let Some(named) = named.transpose()? {
        request.session_id = Some(named);
    }
    Ok(request)
}
