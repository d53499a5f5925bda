//! Request encoding for OpenAI-compatible servers, adapted by a provider's profile.

use std::borrow::Cow;

use clawless_core::Message;
use clawless_core::chat::{ChatOptions, ReasoningEffort};
use clawless_core::llm::LlmRequest;
use clawless_core::model::Model;
use serde::Serialize;

use super::messages;
use crate::error::LlmError;
use crate::options::{self, Extensions};
use crate::profile::{OutputLimit, Profile, StreamUsage};
use crate::protocol::Mode;

/// Parameters that `OpenAI`'s own servers reject while a model reasons.
const REFUSED_WHILE_THINKING: [&str; 8] = [
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "stop",
];

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    messages: Cow<'a, [Message]>,
    #[serde(flatten)]
    options: &'a ChatOptions,
    #[serde(flatten)]
    extensions: Extensions<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The request body. Requests usage for streams if the provider reports it only on request: the
/// ledger needs it.
pub(crate) fn body(
    request: &LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
    mode: Mode,
) -> Result<Vec<u8>, LlmError> {
    reject_unsupported(&request.options)?;
    check_tools(&request.options, profile)?;
    let streamed = mode == Mode::Stream;
    let requests_usage = streamed && profile.stream_usage == StreamUsage::Requested;
    let wire = WireRequest {
        model: &request.model,
        messages: messages::convert(&request.messages, profile)?,
        options: &options_for(request, profile, model),
        extensions: Extensions::new(&request.options, profile),
        stream: streamed.then_some(true),
        stream_options: requests_usage.then_some(StreamOptions {
            include_usage: true,
        }),
    };
    serde_json::to_vec(&wire).map_err(|error| LlmError::Malformed(error.to_string()))
}

/// The parameters that are dropped because this provider or model rejects them.
pub(crate) fn dropped(
    request: &LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
) -> Vec<Cow<'static, str>> {
    let options = &request.options;
    let refused = refused(request, profile, model);
    let mut dropped: Vec<_> = refused.map(Cow::Borrowed).collect();
    if profile.drops.contains(&"messages[].name") && has_names(&request.messages) {
        dropped.push(Cow::Borrowed("messages[].name"));
    }
    dropped.extend(options::unknown(options, profile));
    dropped
}

/// The names of the request's parameters that the provider rejects.
fn refused(
    request: &LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
) -> impl Iterator<Item = &'static str> {
    let options = &request.options;
    let while_thinking: &[&str] = if thinks(request, profile, model) {
        &REFUSED_WHILE_THINKING
    } else {
        &[]
    };
    let names = profile.drops.iter().chain(while_thinking).copied();
    names.filter(|name| options::is_set(options, name) && !is_neutral(options, name))
}

/// Whether a parameter has its default value.
fn is_neutral(options: &ChatOptions, name: &str) -> bool {
    match name {
        "temperature" => options.temperature == Some(1.0),
        "top_p" => options.top_p == Some(1.0),
        "presence_penalty" => options.presence_penalty == Some(0.0),
        "frequency_penalty" => options.frequency_penalty == Some(0.0),
        "logprobs" => options.logprobs == Some(false),
        _ => false,
    }
}

/// Whether the model will reason, if its provider then rejects sampling parameters.
fn thinks(request: &LlmRequest, profile: &Profile, model: Option<&Model>) -> bool {
    if !matches!(profile.name, "openai" | "azure") {
        return false;
    }
    let can_reason =
        model.is_some_and(Model::supports_thinking) || is_reasoning_model(&request.model);
    can_reason && request.options.reasoning_effort != Some(ReasoningEffort::None)
}

/// Whether a name is one of `OpenAI`'s reasoning models: `o3-mini`, `gpt-5`, …; the chat variants
/// are not.
fn is_reasoning_model(name: &str) -> bool {
    let is_series = |prefix: &str, from: u32| {
        let rest = name.strip_prefix(prefix)?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(digits.parse::<u32>().ok()? >= from)
    };
    let is_new = is_series("o", 1) == Some(true) || is_series("gpt-", 5) == Some(true);
    is_new && !name.contains("chat")
}

/// The options adapted to the provider. Borrowed if nothing changes.
fn options_for<'a>(
    request: &'a LlmRequest,
    profile: &Profile,
    model: Option<&Model>,
) -> Cow<'a, ChatOptions> {
    let mut options = Cow::Borrowed(&request.options);
    if options.reasoning_effort == Some(ReasoningEffort::Adaptive) {
        // This wire has no such value; the server's default is the closest.
        options.to_mut().reasoning_effort = None;
    }
    if must_rename_limit(&options, profile.output_limit) {
        let limit = options.max_output();
        let options = options.to_mut();
        (options.max_tokens, options.max_completion_tokens) = match profile.output_limit {
            OutputLimit::MaxTokens => (limit, None),
            OutputLimit::AsSent | OutputLimit::MaxCompletionTokens => (None, limit),
        };
    }
    let refused: Vec<&str> = refused(request, profile, model).collect();
    for name in refused {
        options::clear(options.to_mut(), name);
    }
    options
}

const fn must_rename_limit(options: &ChatOptions, limit: OutputLimit) -> bool {
    match limit {
        OutputLimit::AsSent => false,
        OutputLimit::MaxTokens => options.max_completion_tokens.is_some(),
        OutputLimit::MaxCompletionTokens => options.max_tokens.is_some(),
    }
}

fn has_names(messages: &[Message]) -> bool {
    let mut messages = messages.iter();
    messages.any(|message| {
        message.raw().as_str().contains("\"name\"")
            && message.view().is_ok_and(|view| view.name.is_some())
    })
}

/// Rejects tools that the provider would reject: too many, or with invalid names.
fn check_tools(options: &ChatOptions, profile: &Profile) -> Result<(), LlmError> {
    let rules = profile.tools;
    let tools = options.tools.as_deref().unwrap_or_default();
    let unsupported = |message: String| LlmError::Unsupported {
        message,
        param: "tools".to_owned(),
    };
    if let Some(max) = rules.max.filter(|max| tools.len() > *max) {
        return Err(unsupported(format!(
            "This model takes {max} tools at most."
        )));
    }
    let Some(names) = rules.names else {
        return Ok(());
    };
    let mut names_of_tools = tools.iter().filter_map(clawless_core::tool::Tool::name);
    match names_of_tools.find(|name| !names.allows(name)) {
        Some(name) => Err(unsupported(format!(
            "This model does not take a tool named `{name}`: a name has at most {} letters, digits \
             and characters of `{}`.",
            names.max, names.beside_alphanumeric
        ))),
        None => Ok(()),
    }
}

/// Rejects parameters whose responses the gateway cannot represent.
fn reject_unsupported(options: &ChatOptions) -> Result<(), LlmError> {
    let mut modalities = options.modalities.iter().flatten();
    let param = if modalities.any(|it| it != "text") {
        "modalities"
    } else if options.audio.is_some() {
        "audio"
    } else {
        return Ok(());
    };
    Err(LlmError::Unsupported {
        message: "Answers are texts here; audio and other modalities are not carried.".to_owned(),
        param: param.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use clawless_api::chat;

    use super::*;
    use clawless_core::json::Json;

    use crate::profile::DEFAULT;

    fn request(body: &str) -> LlmRequest {
        let request = chat::parse(body.as_bytes()).expect("valid");
        LlmRequest {
            model: "provider-model".to_owned(),
            messages: request.messages,
            options: request.options,
        }
    }

    fn encoded_for(profile: &Profile, body: &str, mode: Mode) -> String {
        let body = super::body(&request(body), profile, None, mode).expect("encodes");
        String::from_utf8(body).expect("UTF-8")
    }

    fn encoded(body: &str, mode: Mode) -> String {
        encoded_for(&DEFAULT, body, mode)
    }

    #[test]
    fn messages_are_sent_unchanged_with_the_providers_model() {
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
    fn streams_always_request_usage() {
        let text = encoded(
            r#"{"model":"auto","stream":true,"stream_options":{"include_usage":false},
                "messages":[{"role":"user","content":"a"}]}"#,
            Mode::Stream,
        );
        assert!(text.ends_with(r#""stream":true,"stream_options":{"include_usage":true}}"#));
    }

    #[test]
    fn reasoning_is_replayed_only_to_its_signer() {
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
    fn custom_tools_and_legacy_functions_are_sent_unchanged() {
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

    fn profile(name: &str) -> &'static Profile {
        let mut profiles = crate::profile::PROFILES.iter();
        profiles.find(|it| it.name == name).expect("a profile")
    }

    /// The body for a provider, without its model and messages.
    fn options_sent(name: &str, more: &str) -> String {
        let body =
            format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"a"}}]{more}}}"#);
        let text = encoded_for(profile(name), &body, Mode::Stream);
        let start = r#"{"model":"provider-model","messages":[{"role":"user","content":"a"}]"#;
        text.strip_prefix(start).expect("the messages").to_owned()
    }

    fn messages_sent(name: &str, messages: &str) -> String {
        let body = format!(r#"{{"model":"auto","messages":[{messages}]}}"#);
        let text = encoded_for(profile(name), &body, Mode::Whole);
        let start = r#"{"model":"provider-model","messages":["#;
        let text = text.strip_prefix(start).expect("messages");
        text.trim_end_matches("]}").to_owned()
    }

    #[test]
    fn no_parameters_are_added() {
        let usage = r#","stream":true,"stream_options":{"include_usage":true}}"#;
        for name in ["default", "openai", "ollama", "vllm"] {
            assert_eq!(options_sent(name, ""), usage, "{name}");
        }
        for name in ["mistral", "zai"] {
            assert_eq!(options_sent(name, ""), r#","stream":true}"#, "{name}");
        }
    }

    #[test]
    fn the_output_limit_uses_the_providers_parameter() {
        for (name, sent) in [
            ("mistral", r#""max_tokens":9"#),
            ("vllm", r#""max_tokens":9"#),
            ("openai", r#""max_completion_tokens":9"#),
            ("groq", r#""max_completion_tokens":9"#),
        ] {
            for asked in [r#","max_tokens":9"#, r#","max_completion_tokens":9"#] {
                let text = options_sent(name, asked);
                assert!(
                    text.starts_with(&format!(",{sent},\"stream\"")),
                    "{name}: {text}"
                );
            }
        }
        for asked in [r#","max_tokens":9"#, r#","max_completion_tokens":9"#] {
            assert!(options_sent("default", asked).starts_with(asked));
        }
    }

    #[test]
    fn rejected_parameters_are_dropped_and_reported() {
        let body = r#"{"model":"auto","messages":[{"role":"user","content":"a","name":"Ann"}],
            "store":true,"user":"u","logit_bias":{"1":1},"temperature":0.5}"#;
        let text = encoded_for(profile("mistral"), body, Mode::Whole);
        assert_eq!(
            text,
            r#"{"model":"provider-model","messages":[{"role":"user","content":"a"}],"temperature":0.5}"#
        );
        assert_eq!(
            dropped(&request(body), profile("mistral"), None),
            ["store", "user", "logit_bias", "messages[].name"]
        );
        assert!(dropped(&request(body), profile("default"), None).is_empty());
    }

    #[test]
    fn openai_reasoning_models_get_no_sampling_parameters() {
        let body = r#"{"model":"auto","messages":[{"role":"user","content":"a"}],
            "max_tokens":500,"temperature":0.7,"top_p":1.0,"stop":"x"}"#;
        let mut asked = request(body);
        for (model, effort, expected) in [
            ("o3-mini", None, vec!["temperature", "stop"]),
            ("gpt-5.2", None, vec!["temperature", "stop"]),
            ("gpt-5.2", Some(ReasoningEffort::None), vec![]),
            ("gpt-5-chat-latest", None, vec![]),
            ("gpt-4.1", None, vec![]),
            ("omni-moderation", None, vec![]),
        ] {
            asked.model = model.to_owned();
            asked.options.reasoning_effort = effort;
            assert_eq!(
                dropped(&asked, profile("openai"), None),
                expected,
                "{model}"
            );
            let sent = super::body(&asked, profile("openai"), None, Mode::Whole).expect("encodes");
            let sent = String::from_utf8(sent).expect("UTF-8");
            assert!(sent.contains(r#""max_completion_tokens":500"#), "{sent}");
            assert_eq!(sent.contains("temperature"), expected.is_empty(), "{sent}");
        }
    }

    #[test]
    fn unknown_parameters_are_sent_or_reported_by_profile() {
        let mut asked = request(
            r#"{"model":"auto","messages":[{"role":"user","content":"a"}],"temperature":0.5}"#,
        );
        let json = |text: &str| Json::parse(text.to_owned()).expect("JSON");
        asked.options.extensions = vec![
            ("top_k".to_owned(), json("40")),
            ("provider".to_owned(), json(r#"{"order":["x"]}"#)),
            (
                "chat_template_kwargs".to_owned(),
                json(r#"{ "enable_thinking":false }"#),
            ),
            ("best_of".to_owned(), json("4")),
            ("a\r\nb".to_owned(), json("1")),
        ];
        let sent = |name| {
            let sent = super::body(&asked, profile(name), None, Mode::Whole).expect("encodes");
            String::from_utf8(sent).expect("UTF-8")
        };
        assert!(sent("vllm").ends_with(
            r#""temperature":0.5,"top_k":40,"chat_template_kwargs":{ "enable_thinking":false }}"#
        ));
        assert!(sent("openai").ends_with(r#""temperature":0.5}"#));
        assert_eq!(
            dropped(&asked, profile("vllm"), None),
            ["provider", "best_of"]
        );
        let all = ["top_k", "provider", "chat_template_kwargs", "best_of"];
        assert_eq!(dropped(&asked, profile("openai"), None), all);
    }

    #[test]
    fn system_messages_are_merged_if_the_profile_requires_it() {
        let messages = concat!(
            r#"{"role":"system","content":"Be terse."},{"role":"user","content":"a"},"#,
            r#"{"role":"developer","content":[{"type":"text","text":"Be kind."}]},"#,
            r#"{"role":"system","content":"Be terse."},{"role":"user","content":"b"}"#
        );
        assert_eq!(
            messages_sent("vllm", messages),
            concat!(
                r#"{"role":"system","content":"Be terse.\n\nBe kind."},"#,
                r#"{"role":"user","content":"a"},{"role":"user","content":"b"}"#
            )
        );
        assert_eq!(messages_sent("openai", messages), messages);
        assert_eq!(messages_sent("default", messages), messages);
        assert_eq!(
            messages_sent(
                "deepseek",
                r#"{"role":"developer","content":"x"},{"role":"user","content":"a"}"#
            ),
            r#"{"role":"system","content":"x"},{"role":"user","content":"a"}"#
        );
    }

    /// A chain of one call whose response has the members of three providers.
    const CHAIN: &str = concat!(
        r#"{"role":"user","content":"a"},"#,
        r#"{"role":"assistant","content":null,"refusal":null,"reasoning_content":"hm","#,
        r#""reasoning_details":[{"id":"r"}],"tool_calls":[{"id":"call_1","type":"function","#,
        r#""extra_content":{"google":{"thought_signature":"s"}},"#,
        r#""function":{"name":"f","arguments":"{}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"call_1","content":"18"}"#
    );

    #[test]
    fn provider_members_are_replayed_within_a_tool_call_chain() {
        for (name, kept) in [
            ("default", [true, true, true]),
            ("deepseek", [true, false, false]),
            ("moonshot", [true, false, false]),
            ("openrouter", [false, true, false]),
            ("gemini", [false, false, true]),
            ("openai", [false, false, false]),
        ] {
            let sent = messages_sent(name, CHAIN);
            let members = ["reasoning_content", "reasoning_details", "extra_content"];
            for (member, kept) in members.into_iter().zip(kept) {
                assert_eq!(sent.contains(member), kept, "{name}, {member}: {sent}");
            }
            assert!(!sent.contains("refusal"), "{sent}");
            assert!(sent.contains(r#""content":null"#), "{sent}");
        }
    }

    #[test]
    fn reasoning_of_earlier_turns_is_replayed_only_if_the_profile_requires_it() {
        let later = format!(r#"{CHAIN},{{"role":"user","content":"b"}}"#);
        assert!(!messages_sent("deepseek", &later).contains("reasoning"));
        assert!(messages_sent("openrouter", &later).contains("reasoning_details"));
        assert!(messages_sent("gemini", &later).contains("thought_signature"));
    }

    #[test]
    fn call_ids_match_the_providers_rule() {
        let long = format!("call_{}", "0123456789".repeat(5));
        let chain = CHAIN.replace("call_1", &long);
        assert!(messages_sent("default", &chain).contains(&long));
        for (name, max) in [("openai", 40), ("mistral", 9)] {
            let sent = messages_sent(name, &chain);
            assert!(!sent.contains(&long), "{sent}");
            let id = sent.split(r#""id":""#).nth(1).expect("a call");
            let id = id.split('"').next().expect("its id");
            assert!(id.len() <= max, "{name}: {id}");
            assert!(
                sent.contains(&format!(r#""tool_call_id":"{id}""#)),
                "{sent}"
            );
        }
        assert!(messages_sent("openai", CHAIN).contains("call_1"));
    }

    #[test]
    fn tools_beyond_a_providers_limits_are_rejected_by_name() {
        let tools = |names: &[String]| {
            let tool = |name| format!(r#"{{"type":"function","function":{{"name":"{name}"}}}}"#);
            let tools: Vec<_> = names.iter().map(tool).collect();
            let body = format!(
                r#"{{"model":"auto","messages":[{{"role":"user","content":"a"}}],"tools":[{}]}}"#,
                tools.join(",")
            );
            let mut asked =
                request(r#"{"model":"auto","messages":[{"role":"user","content":"a"}]}"#);
            let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            asked.options.tools = serde_json::from_value(body["tools"].clone()).expect("tools");
            asked
        };
        let many: Vec<String> = (0..129).map(|n| format!("f{n}")).collect();
        for asked in [tools(&many), tools(&["files.read".to_owned()])] {
            let sent = |name| super::body(&asked, profile(name), None, Mode::Whole);
            assert!(sent("default").is_ok() && sent("gemini").is_ok());
            let error = sent("openai").expect_err("refused");
            assert!(matches!(error, LlmError::Unsupported { param, .. } if param == "tools"));
        }
    }

    #[test]
    fn unsupported_media_are_rejected_by_name() {
        let body = r#"{"model":"auto","messages":[{"role":"user","content":"the word \"image_url\""},
            {"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/a.png"}}]}]}"#;
        let sent = |name| super::body(&request(body), profile(name), None, Mode::Whole);
        assert!(sent("default").is_ok() && sent("openai").is_ok());
        let error = sent("deepseek").expect_err("refused");
        assert!(
            matches!(error, LlmError::Unsupported { param, .. } if param == "messages[1].content")
        );
    }
}
