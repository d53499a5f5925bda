//! Step 2: parses the head and body of a request for an answer.

use std::borrow::Cow;

use clawless_api::fields::check_session_id;
use clawless_api::surface::{ParsedBody, Rendering};
use clawless_api::{chat, messages, responses};
use clawless_core::chat::{CompletionRequest, Storing};
use clawless_core::json::Json;
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

/// Stored items by their ids.
pub type KnownItems = Vec<(String, Json)>;

/// Parses a body with its headers. The items are those that exist of the ones that it refers to.
type ParseBody = fn(&RequestHead, &[u8], &[(String, Json)]) -> Result<ParsedBody, ApiError>;

/// Parses the bodies of a surface's requests.
#[derive(Debug, Clone, Copy)]
pub struct BodyParser {
    /// Parses a body.
    parse: ParseBody,
    /// The ids of stored items that a body refers to.
    references: fn(&[u8]) -> Vec<String>,
}

/// The parser of chat completion requests.
pub const CHAT: BodyParser = BodyParser {
    parse: |_, body, _| Ok(chat::parse(body)?.map(Rendering::Chat)),
    references: |_| Vec::new(),
};

/// The parser of requests for a message.
pub const MESSAGES: BodyParser = BodyParser {
    parse: |head, body, _| {
        let parsed = messages::parse(&anthropic_headers(head), body)?;
        Ok(parsed.map(Rendering::Messages))
    },
    references: |_| Vec::new(),
};

/// The parser of requests for a response.
pub const RESPONSES: BodyParser = BodyParser {
    parse: |_, body, items| Ok(responses::parse(body, items)?.map(Rendering::Responses)),
    references: responses::references,
};

/// The headers of Anthropic's API.
pub fn anthropic_headers(head: &RequestHead) -> messages::Headers<'_> {
    messages::Headers {
        version: head.header("anthropic-version"),
        beta: head.header("anthropic-beta"),
    }
}

/// Reads and validates a request. `items` loads the stored items that the body refers to. A tenant's
/// settings may switch off `session_id` in the body, but not the parameter of a surface that stores by
/// default, which is never a mere label.
///
/// # Errors
/// 400 for an invalid request, 413 if the body is too large, 415 if it is not JSON.
pub async fn parse(
    head: &RequestHead,
    parse_body: BodyParser,
    settings: &TenantSettings,
    body: impl Future<Output = Result<Vec<u8>, ApiError>>,
    items: impl AsyncFnOnce(Vec<String>) -> Result<KnownItems, ApiError>,
) -> Result<ParsedRequest, ApiError> {
    head.require_json()?;
    let session = head
        .header(SESSION_HEADER)
        .map(|id| check_session_id(id, SESSION_HEADER));
    let body = body.await?;
    let references = (parse_body.references)(&body);
    let items = if references.is_empty() {
        KnownItems::new()
    } else {
        items(references).await?
    };
    let ParsedBody {
        mut request,
        rendering,
        mut ignored,
    } = (parse_body.parse)(head, &body, &items)?;
    let may_be_label = request.turn.storing == Storing::InNamedSession;
    if settings.ignore_body_session_id && may_be_label && request.session_id.take().is_some() {
        ignored.push("session_id".into());
    }
    match (session.transpose()?, &request.session_id) {
        (Some(session), Some(other)) if session != *other => {
            let name = rendering.parameter_name("session_id");
            let message = format!(
                "The header `x-session-id` and the parameter `{name}` name different sessions."
            );
            return Err(ApiError::new(ErrorCode::InvalidValue, message).param(name));
        }
        (Some(session), _) => request.session_id = Some(session),
        (None, _) => {}
    }
    let session = request.session_id.as_ref();
    let is_stored = match request.turn.storing {
        Storing::InNamedSession => session.is_some(),
        Storing::Always => true,
        Storing::Never => false,
    };
    if is_stored {
        check_storable(&request, &rendering)?;
    }
    Ok(ParsedRequest {
        idempotency_key: IdempotencyKey::parse(head, rendering.surface().route(), session, &body)?,
        request,
        rendering,
        ignored,
    })
}

/// Refuses what a session cannot store, before the model is called.
fn check_storable(request: &CompletionRequest, rendering: &Rendering) -> Result<(), ApiError> {
    let echo = rendering
        .stored_echo(0, None, None)
        .map_err(ApiError::internal)?;
    let bytes = echo.map_or(0, |echo| echo.as_str().len());
    if bytes > MAX_MESSAGE_BYTES {
        let message = format!(
            "The parameters that a stored response repeats, such as `instructions` and `tools`, have \
             {bytes} bytes as JSON; at most {MAX_MESSAGE_BYTES} are stored. Send `store: false`."
        );
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param("instructions"));
    }
    for (position, message) in request.lasting_messages().iter().enumerate() {
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
        let param = match rendering.parameter_name("messages") {
            "messages" => format!("messages[{position}].content"),
            // Its items are not messages one to one.
            own => own.to_owned(),
        };
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param(param));
    }
    Ok(())
}
