//! Step 2: parses the head and body of a request for an answer.

use std::borrow::Cow;

use clawless_api::fields::check_session_id;
use clawless_api::surface::{ParsedBody, Rendering};
use clawless_api::{chat, messages};
use clawless_core::chat::{CompletionRequest, Message};
use clawless_core::tenant::TenantSettings;
use clawless_core::{ApiError, ErrorCode};
use clawless_edge::http::RequestHead;
use clawless_store::turns::MAX_MESSAGE_BYTES;

use super::model::idempotency::IdempotencyKey;

/// The header that names a session, for SDKs that cannot add members to the body.
const SESSION_HEADER: &str = "x-session-id";

/// A validated request and its idempotency key.
#[derive(Debug)]
pub struct ParsedRequest {
    /// The request.
    pub request: CompletionRequest,
    /// How its answer is rendered.
    pub rendering: Rendering,
    /// The key, if the request has one.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The parameters that are ignored.
    pub ignored: Vec<Cow<'static, str>>,
}

/// Parses the body of a surface's requests, whose headers may matter, too.
pub type BodyParser = fn(&RequestHead, &[u8]) -> Result<ParsedBody, ApiError>;

/// Parses a chat completion request.
///
/// # Errors
/// 400 that names the invalid parameter.
pub fn chat_body(_: &RequestHead, body: &[u8]) -> Result<ParsedBody, ApiError> {
    Ok(chat::parse(body)?.map(Rendering::Chat))
}

/// Parses a request for a message.
///
/// # Errors
/// 400 that names the invalid parameter or header.
pub fn messages_body(head: &RequestHead, body: &[u8]) -> Result<ParsedBody, ApiError> {
    let parsed = messages::parse(&anthropic_headers(head), body)?;
    Ok(parsed.map(Rendering::Messages))
}

/// The headers of Anthropic's API.
pub fn anthropic_headers(head: &RequestHead) -> messages::Headers<'_> {
    messages::Headers {
        version: head.header("anthropic-version"),
        beta: head.header("anthropic-beta"),
    }
}

/// Reads and validates a request. A tenant's settings may switch off `session_id` in the body.
///
/// # Errors
/// 400 for an invalid request, 413 if the body is too large, 415 if it is not JSON.
pub async fn parse(
    head: &RequestHead,
    parse_body: BodyParser,
    settings: &TenantSettings,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
) -> Result<ParsedRequest, ApiError> {
    head.require_json()?;
    let session = head
        .header(SESSION_HEADER)
        .map(|id| check_session_id(id, SESSION_HEADER));
    let body = body.await?;
    let ParsedBody {
        mut request,
        rendering,
        mut ignored,
    } = parse_body(head, &body)?;
    if settings.ignore_body_session_id && request.session_id.take().is_some() {
        ignored.push("session_id".into());
    }
    match (session.transpose()?, &request.session_id) {
        (Some(session), Some(other)) if session != *other => {
            return Err(ApiError::new(
                ErrorCode::InvalidValue,
                "The header `x-session-id` and the parameter `session_id` name different sessions.",
            )
            .param("session_id"));
        }
        (Some(session), _) => request.session_id = Some(session),
        (None, _) => {}
    }
    let session = request.session_id.as_ref();
    if session.is_some() {
        check_storable(&request.messages)?;
    }
    Ok(ParsedRequest {
        idempotency_key: IdempotencyKey::parse(head, rendering.surface().route(), session, &body)?,
        request,
        rendering,
        ignored,
    })
}

/// Refuses what a session cannot store, before the model is called.
fn check_storable(messages: &[Message]) -> Result<(), ApiError> {
    for (position, message) in messages.iter().enumerate() {
        let bytes = message.raw().as_str().len();
        let reason = if bytes > MAX_MESSAGE_BYTES {
            &format!(
                "has {bytes} bytes as JSON; a session stores messages of at most {MAX_MESSAGE_BYTES} \
                 bytes"
            )
        } else if message.has_nul() {
            "has a NUL character, which a session cannot store"
        } else {
            continue;
        };
        let message = format!("Message {position} of this turn {reason}.");
        return Err(ApiError::new(ErrorCode::InvalidValue, message)
            .param(format!("messages[{position}].content")));
    }
    Ok(())
}
