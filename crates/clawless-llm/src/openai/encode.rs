//! Requests, written.

use std::borrow::Cow;

use clawless_core::Message;
use clawless_core::chat::{ChatOptions, ReasoningEffort};
use clawless_core::llm::LlmRequest;
use serde::Serialize;

use super::replay;
use crate::error::LlmError;
use crate::protocol::Mode;

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    /// Member for member as they came in.
    messages: Cow<'a, [Message]>,
    #[serde(flatten)]
    options: &'a ChatOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The body of a request. A stream is always asked for its usage, whatever the client wants: we
/// are to know what it cost.
pub(crate) fn body(request: &LlmRequest, mode: Mode) -> Result<Vec<u8>, LlmError> {
    refuse(&request.options)?;
    let streamed = mode == Mode::Stream;
    let mut options = Cow::Borrowed(&request.options);
    if options.reasoning_effort == Some(ReasoningEffort::Adaptive) {
        // This wire has no such word; the server's own default comes nearest.
        options.to_mut().reasoning_effort = None;
    }
    let wire = WireRequest {
        model: &request.model,
        messages: replay::without_thoughts(&request.messages)?,
        options: &options,
        stream: streamed.then_some(true),
        stream_options: streamed.then_some(StreamOptions {
            include_usage: true,
        }),
    };
    serde_json::to_vec(&wire).map_err(|error| LlmError::Malformed(error.to_string()))
}

/// What the wire can say, but an answer to it could not be carried back: refused before it costs.
fn refuse(options: &ChatOptions) -> Result<(), LlmError> {
    let mut modalities = options.modalities.iter().flatten();
    let refused = [
        (
            "modalities",
            modalities.any(|it| it != "text"),
            "Answers are texts here; other modalities are not carried.",
        ),
        (
            "audio",
            options.audio.is_some(),
            "Answers are texts here; audio is not carried.",
        ),
    ];
    match refused.into_iter().find(|(_, is_asked, _)| *is_asked) {
        Some((param, _, message)) => Err(LlmError::Unsupported {
            message: message.to_owned(),
            param: param.to_owned(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clawless_api::chat;

    use super::*;

    fn request(body: &str) -> LlmRequest {
        let request = chat::parse(body.as_bytes()).expect("valid");
        LlmRequest {
            model: "provider-model".to_owned(),
            messages: request.messages,
            options: request.options,
        }
    }

    fn encoded(body: &str, mode: Mode) -> String {
        String::from_utf8(super::body(&request(body), mode).expect("encodes")).expect("UTF-8")
    }

    #[test]
    fn messages_go_out_member_for_member_and_the_model_is_the_providers() {
        let message = r#"{ "x_extra":[1.0], "content":"h\u00e9", "role":"user"}"#;
        let text = encoded(
            &format!(r#"{{"model":"auto","messages":[{message}]}}"#),
            Mode::Whole,
        );
        assert_eq!(
            text,
            format!(r#"{{"model":"provider-model","messages":[{message}]}}"#)
        );
    }

    #[test]
    fn a_stream_is_always_asked_for_its_usage() {
        let text = encoded(
            r#"{"model":"auto","stream":true,"stream_options":{"include_usage":false},
                "messages":[{"role":"user","content":"a"}]}"#,
            Mode::Stream,
        );
        assert!(text.ends_with(r#""stream":true,"stream_options":{"include_usage":true}}"#));
    }

    #[test]
    fn thoughts_are_not_replayed_to_who_did_not_sign_them() {
        let text = encoded(
            r#"{"model":"auto","reasoning_effort":"adaptive","messages":[
                {"role":"user","content":"a","reasoning_content":"the client's own"},
                {"x":[1.0], "role":"assistant","reasoning_content":"hm","content":"b","thinking_blocks":[{}],"reasoning":"hm"},
                {"role":"user","content":"c"}]}"#,
            Mode::Whole,
        );
        assert_eq!(
            text,
            r#"{"model":"provider-model","messages":[{"role":"user","content":"a","reasoning_content":"the client's own"},{"x":[1.0],"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#
        );
    }

    #[test]
    fn custom_tools_and_older_functions_go_out_as_they_came() {
        let members = [
            r#""tools":[{"type":"custom","custom":{ "name":"sql","format":{"type":"text"} }}]"#,
            r#""tool_choice":{ "type":"custom","custom":{"name":"sql"} }"#,
            r#""functions":[{"name":"f","parameters":{ "type":"object" }}]"#,
            r#""function_call":{ "name":"f" }"#,
        ];
        for [first, second] in [[members[0], members[1]], [members[2], members[3]]] {
            let message = r#"{"role":"user","content":"a"}"#;
            let text = encoded(
                &format!(r#"{{"model":"auto","messages":[{message}],{first},{second}}}"#),
                Mode::Whole,
            );
            assert!(text.contains(first) && text.contains(second), "{text}");
        }
    }

    #[test]
    fn options_keep_their_names_and_their_json() {
        let text = encoded(
            r#"{"model":"auto","messages":[{"role":"user","content":"a"}],
                "temperature":0.5,"max_completion_tokens":9,"stop":"x","seed":-3,"n":2,
                "reasoning_effort":"high","response_format":{ "type":"json_object" },
                "tools":[{"type":"function","function":{"name":"f","parameters":{"z":1e2, "a":{}}}}],
                "tool_choice":"auto","session_id":"ses_x"}"#,
            Mode::Whole,
        );
        for member in [
            r#""temperature":0.5"#,
            r#""max_completion_tokens":9"#,
            r#""stop":["x"]"#,
            r#""seed":-3"#,
            r#""n":2"#,
            r#""reasoning_effort":"high""#,
            r#""response_format":{ "type":"json_object" }"#,
            r#""parameters":{"z":1e2, "a":{}}"#,
            r#""tool_choice":"auto""#,
        ] {
            assert!(text.contains(member), "{member} is missing in {text}");
        }
        assert!(
            !text.contains("session_id") && !text.contains("null"),
            "{text}"
        );
    }
}
