//! Parsing and validation of `POST /v1/chat/completions`.

use clawless_core::chat::{ChatOptions, CompletionRequest, InvalidMessage, Message, TurnOptions};
use clawless_core::json::Json;
use clawless_core::{ApiError, ErrorCode};
use garde::Validate;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::extensions;
use super::rendering::ChatRendering;
use super::unparsed_json;
use crate::body;
use crate::fields::{self, check_model, check_session_id};
use crate::parsed::Parsed;

/// The members of the body besides the options. Members that name identity or limits are rejected;
/// other unknown members become extensions.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct IncomingRequest {
    /// The model, an alias, or `auto`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
    model: String,
    /// The messages. With a session, only the new ones.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Message>", length(min = 1)))]
    messages: Vec<Json>,
    /// Whether to answer with a stream of events.
    stream: Option<bool>,
    /// Options of a stream; requires `stream: true`.
    stream_options: Option<StreamOptions>,
    /// The session that the messages continue; created if it does not exist.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<clawless_core::SessionId>")
    )]
    session_id: Option<String>,
    #[cfg_attr(feature = "schema", schemars(skip))]
    tenant_id: Option<IgnoredAny>,
    #[cfg_attr(feature = "schema", schemars(skip))]
    role: Option<IgnoredAny>,
    #[cfg_attr(feature = "schema", schemars(skip))]
    quota: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct StreamOptions {
    /// Whether the last chunk before `[DONE]` has the usage.
    include_usage: Option<bool>,
    /// Whether the provider may pad its events.
    include_obfuscation: Option<bool>,
}

/// The body of a request: the members above, the options, and members that only some providers know.
#[derive(Debug)]
pub enum ChatRequest {}

#[cfg(feature = "schema")]
mod schema {
    use clawless_core::chat::ChatOptions;

    use super::{ChatRequest, IncomingRequest};

    /// A chat request. Members beyond these are passed on to providers that know them.
    #[derive(schemars::JsonSchema)]
    #[schemars(rename = "ChatRequest")]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Members {
        #[schemars(flatten)]
        request: IncomingRequest,
        #[schemars(flatten)]
        options: ChatOptions,
    }

    crate::schema::described_as! { ChatRequest => Members }
}

/// Parses and validates a request body.
///
/// # Errors
/// 400 that names the invalid parameter.
pub fn parse(body: &[u8]) -> Result<Parsed<ChatRendering>, ApiError> {
    let text = body::plain_text(body)?;
    let incoming: IncomingRequest = body::read(text)?;
    let mut options: ChatOptions = body::read(text)?;
    fields::reject_identity([
        ("tenant_id", &incoming.tenant_id),
        ("role", &incoming.role),
        ("quota", &incoming.quota),
    ])?;
    options
        .validate()
        .map_err(|report| body::invalid_value(&report))?;
    let known = [
        extensions::fields::<IncomingRequest>(),
        extensions::fields::<ChatOptions>(),
    ];
    options.extensions = body::read_seed(text, extensions::Unknown(known))?;
    unparsed_json::check(&options)?;
    check_legacy_functions(&options)?;
    let model = check_model(incoming.model)?;
    let stream = incoming.stream.unwrap_or(false);
    if incoming.stream_options.is_some() && !stream {
        return Err(ApiError::new(
            ErrorCode::InvalidValue,
            "`stream_options` requires `stream: true`.",
        )
        .param("stream_options"));
    }
    let stream_options = incoming.stream_options.unwrap_or_default();
    let request = CompletionRequest {
        model,
        messages: check_messages(incoming.messages)?,
        stream,
        session_id: incoming
            .session_id
            .map(|id| check_session_id(&id, "session_id"))
            .transpose()?,
        options,
        turn: TurnOptions::default(),
    };
    let mut ignored = Vec::new();
    if stream_options.include_obfuscation == Some(true) {
        // Padded stream events are not supported.
        ignored.push("stream_options.include_obfuscation".into());
    }
    Ok(Parsed {
        request,
        rendering: ChatRendering {
            include_usage: stream_options.include_usage.unwrap_or(false),
            with_status: false,
        },
        ignored,
    })
}

/// Legacy functions exclude tools, and `function_call` requires `functions`.
fn check_legacy_functions(options: &ChatOptions) -> Result<(), ApiError> {
    let has_tools = options.tools.is_some() || options.tool_choice.is_some();
    let (param, message) = if options.functions.is_some() && has_tools {
        (
            "functions",
            "`functions` is the deprecated form of `tools`: send one of them.",
        )
    } else if options.function_call.is_some() && options.functions.is_none() {
        ("function_call", "`function_call` requires `functions`.")
    } else {
        return Ok(());
    };
    Err(ApiError::new(ErrorCode::InvalidValue, message).param(param))
}

fn check_messages(messages: Vec<Json>) -> Result<Vec<Message>, ApiError> {
    if messages.is_empty() {
        return Err(ApiError::new(
            ErrorCode::InvalidValue,
            "`messages` must contain at least one message.",
        )
        .param("messages"));
    }
    let checked = messages.into_iter().enumerate().map(|(at, raw)| {
        Message::parse(raw).map_err(
            |InvalidMessage {
                 path,
                 reason,
                 missing,
             }| {
                let code = if missing {
                    ErrorCode::MissingParameter
                } else {
                    ErrorCode::InvalidValue
                };
                let param = format!("messages[{at}]{path}");
                ApiError::new(code, format!("Invalid `{param}`: {reason}.")).param(param)
            },
        )
    });
    checked.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Parsed<ChatRendering>, ApiError> {
        super::parse(body.as_bytes())
    }

    /// A request with one message and the members `more`.
    fn with(more: &str) -> String {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{more}}}"#)
    }

    fn error_of(body: &str) -> (ErrorCode, Option<String>) {
        let error = parse(body).expect_err(body);
        (error.code, error.param)
    }

    #[test]
    fn minimal_request_parses() {
        let parsed = parse(&with(r#","stream":true,"stream_options":{"include_usage":true},"stop":"x","user":null,"unknown_member":1"#))
            .expect("valid");
        let rendering = ChatRendering {
            include_usage: true,
            with_status: false,
        };
        assert!(parsed.request.stream);
        assert_eq!(parsed.rendering, rendering);
        assert_eq!(parsed.request.options.stop.expect("stop").texts(), ["x"]);
    }

    #[test]
    fn invalid_json_and_wrong_types_have_different_codes() {
        assert_eq!(error_of("{"), (ErrorCode::InvalidJson, None));
        assert_eq!(
            error_of(&format!("{} x", with(""))),
            (ErrorCode::InvalidJson, None)
        );
        assert_eq!(
            error_of(&with(r#","temperature":NaN"#)).0,
            ErrorCode::InvalidJson
        );
        assert_eq!(
            error_of(&"[".repeat(100_000)),
            (ErrorCode::InvalidJson, None)
        );
        assert_eq!(error_of("[]"), (ErrorCode::InvalidType, None));
        assert_eq!(
            error_of(r#"{"model":"m"}"#),
            (ErrorCode::MissingParameter, Some("messages".into()))
        );
        assert_eq!(
            error_of(r#"{"messages":[]}"#),
            (ErrorCode::MissingParameter, Some("model".into()))
        );
    }

    #[test]
    fn count_is_an_integer_in_range() {
        for invalid in [
            "-1",
            "0",
            "4294967296",
            "2147483648",
            "9007199254740993",
            "9223372036854775808",
            "1.5",
            "\"5\"",
            "1e400",
        ] {
            let (_, param) = error_of(&with(&format!(r#","max_tokens":{invalid}"#)));
            // The parser reports a number beyond the range of floats as invalid JSON, without a path.
            assert!(
                param.as_deref() == Some("max_tokens") || invalid == "1e400",
                "{invalid}: {param:?}"
            );
        }
    }

    #[test]
    fn value_out_of_range_is_rejected_by_name() {
        for (more, param) in [
            (r#","temperature":2.1"#, "temperature"),
            (r#","top_p":-0.1"#, "top_p"),
            (r#","n":129"#, "n"),
            (r#","stop":["a","b","c","d","e"]"#, "stop"),
            (r#","presence_penalty":3"#, "presence_penalty"),
            (r#","top_logprobs":21"#, "top_logprobs"),
            (r#","logit_bias":{"1":101}"#, "logit_bias"),
            (r#","metadata":{"a":"b\u0000"}"#, "metadata"),
            (
                r#","tools":[{"type":"function","function":{"name":"a b"}}]"#,
                "tools",
            ),
            (r#","tools":[{"type":"function"}]"#, "tools"),
            (
                r#","tools":[{"type":"function","custom":{"name":"a"}}]"#,
                "tools",
            ),
            (r#","tools":[{"type":"custom","custom":{}}]"#, "tools"),
            (
                r#","tools":[{"type":"custom","custom":{"name":"a b"}}]"#,
                "tools",
            ),
            (r#","functions":[{"name":"a b"}]"#, "functions"),
            (
                r#","functions":[{"name":"a","parameters":{"x":1e400}}]"#,
                "functions",
            ),
            (r#","functions":[{"name":"a"}],"tools":[]"#, "functions"),
            (r#","function_call":"auto""#, "function_call"),
            (
                r#","tools":[{"type":"function","function":{"name":"a","parameters":{"x":1e400}}}]"#,
                "tools",
            ),
            (r#","reasoning_effort":"huge""#, "reasoning_effort"),
            (r#","stream_options":{}"#, "stream_options"),
            (r#","session_id":"a b""#, "session_id"),
            (r#","tenant_id":"ten_x""#, "tenant_id"),
            (r#","quota":1"#, "quota"),
        ] {
            assert_eq!(error_of(&with(more)).1.as_deref(), Some(param), "{more}");
        }
    }

    #[test]
    fn duplicate_members_are_rejected() {
        assert!(parse(&with(r#","stream":true,"stream":false"#)).is_err());
        assert!(parse(&with(r#","temperature":1,"temperature":0"#)).is_err());
        assert!(parse(&with(r#","model":"other""#)).is_err());
    }

    #[test]
    fn invalid_message_is_named_by_its_index() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"wizard","content":"b"}]}"#;
        assert_eq!(error_of(body).1.as_deref(), Some("messages[1].role"));
    }
}
