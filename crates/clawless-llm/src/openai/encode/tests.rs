mod parts;
mod replay;

use clawless_api::chat;

use super::*;
use clawless_core::Role;
use clawless_core::json::Json;

use crate::profile::DEFAULT;

fn request(body: &str) -> LlmRequest {
    let request = chat::parse(body.as_bytes()).expect("valid").request;
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
    let body = format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"a"}}]{more}}}"#);
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
    let plain = request(r#"{"model":"auto","messages":[{"role":"user","content":"a"}]}"#);
    let sent = super::body(&plain, &DEFAULT, None, Mode::StreamWithoutUsage).expect("encodes");
    assert!(sent.ends_with(br#""stream":true}"#));
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
fn a_user_that_the_provider_rejects_is_dropped() {
    let body = |length| {
        let user = "u".repeat(length);
        format!(
            r#"{{"model":"auto","messages":[{{"role":"user","content":"a"}}],"user":"{user}"}}"#
        )
    };
    for (name, length, is_dropped) in [
        ("openai", 64, false),
        ("openai", 65, true),
        ("openrouter", 128, false),
        ("openrouter", 129, true),
        ("default", 512, false),
    ] {
        let body = body(length);
        let dropped = dropped(&request(&body), profile(name), None);
        assert_eq!(dropped == ["user"], is_dropped, "{name} {length}");
        let sent = encoded_for(profile(name), &body, Mode::Whole);
        assert_eq!(
            !sent.contains("\"user\":\"u"),
            is_dropped,
            "{name} {length}"
        );
    }
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
    let mut asked =
        request(r#"{"model":"auto","messages":[{"role":"user","content":"a"}],"temperature":0.5}"#);
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
        let mut asked = request(r#"{"model":"auto","messages":[{"role":"user","content":"a"}]}"#);
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
    assert!(matches!(error, LlmError::Unsupported { param, .. } if param == "messages[1].content"));
}

#[test]
fn reasoning_is_replayed_under_the_providers_name() {
    let named = CHAIN.replace("reasoning_content", "reasoning");
    for (name, expected) in [
        ("groq", "reasoning"),
        ("cerebras", "reasoning"),
        ("ollama", "reasoning"),
        ("deepseek", "reasoning_content"),
        ("moonshot", "reasoning_content"),
        ("zai", "reasoning_content"),
    ] {
        for messages in [CHAIN, &named] {
            let sent = messages_sent(name, messages);
            let members = ["reasoning_content", "reasoning"];
            for member in members {
                let is_sent = sent.contains(&format!(r#""{member}":"hm""#));
                assert_eq!(is_sent, member == expected, "{name}, {member}: {sent}");
            }
        }
    }
}

#[test]
fn unknown_members_of_calls_are_replayed_unless_the_provider_is_strict() {
    let chain = CHAIN
        .replace(r#""name":"f""#, r#""name":"f","signature":"s""#)
        .replace(
            r#""type":"function""#,
            r#""type":"function","x":1,"index":0"#,
        );
    let sent = messages_sent("default", &chain);
    assert!(
        sent.contains(r#""signature":"s""#) && sent.contains(r#""x":1"#),
        "{sent}"
    );
    for name in ["mistral", "groq", "cerebras"] {
        let sent = messages_sent(name, &chain);
        for member in ["signature", "\"x\"", "\"index\"", "extra_content"] {
            assert!(!sent.contains(member), "{name}, {member}: {sent}");
        }
        assert!(
            sent.contains(r#""function":{"name":"f","arguments":"{}"}"#),
            "{sent}"
        );
    }
}

#[test]
fn cache_marks_are_sent_to_providers_that_take_them_and_removed_for_others() {
    const MARK: &str = r#""cache_control":{"type":"ephemeral"}"#;
    let body = format!(
        concat!(
            r#"{{"model":"auto","messages":["#,
            r#"{{"role":"system","content":[{{"type":"text","text":"Rules",{mark}}}]}},"#,
            r#"{{"role":"user","content":"hi",{mark}}},"#,
            r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"abcDEF123","type":"function","#,
            r#""function":{{"name":"f","arguments":"{{}}"}},{mark}}}]}},"#,
            r#"{{"role":"tool","tool_call_id":"abcDEF123","content":[{{"type":"text","text":"1",{mark}}}]}}],"#,
            r#""tools":[{{"type":"function","function":{{"name":"f"}},{mark}}},"#,
            r#"{{"type":"function","function":{{"name":"g",{mark}}}}}]}}"#
        ),
        mark = MARK
    );
    for (name, expected) in [
        ("default", 6),
        ("openrouter", 6),
        ("openai", 0),
        ("mistral", 0),
    ] {
        let sent = encoded_for(profile(name), &body, Mode::Whole);
        assert_eq!(sent.matches(MARK).count(), expected, "{name}: {sent}");
        assert_eq!(
            sent.contains("cache_control"),
            expected > 0,
            "{name}: {sent}"
        );
        let dropped = dropped(&request(&body), profile(name), None);
        assert_eq!(
            dropped.contains(&"cache_control".into()),
            expected == 0,
            "{name}"
        );
    }
}

#[test]
fn parameters_are_renamed_for_the_provider() {
    let seeded = options_sent("mistral", r#","seed":7"#);
    assert!(
        seeded.contains(r#""random_seed":7"#) && !seeded.contains(r#""seed""#),
        "{seeded}"
    );
    let asked = request(r#"{"model":"auto","messages":[{"role":"user","content":"a"}],"seed":7}"#);
    assert!(dropped(&asked, profile("mistral"), None).is_empty());
    let both = options_sent("mistral", r#","seed":7,"random_seed":8"#);
    assert!(
        both.contains(r#""random_seed":8"#) && !both.contains('7'),
        "{both}"
    );
    assert!(options_sent("openai", r#","seed":7"#).contains(r#""seed":7"#));
}

#[test]
fn tool_choices_of_other_apis_are_translated() {
    let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
    for name in ["openai", "mistral", "default"] {
        for choice in [r#""any""#, r#"{"type":"any"}"#, r#""required""#] {
            let sent = options_sent(name, &format!(r#"{tools},"tool_choice":{choice}"#));
            assert!(
                sent.contains(r#""tool_choice":"required""#),
                "{name}: {sent}"
            );
        }
        let sent = options_sent(
            name,
            &format!(r#"{tools},"tool_choice":{{"type":"tool","name":"f"}}"#),
        );
        assert!(
            sent.contains(r#""tool_choice":{"type":"function","function":{"name":"f"}}"#),
            "{name}: {sent}"
        );
    }
}

#[test]
fn grok_reasoning_models_get_no_penalties() {
    let body = r#"{"model":"auto","messages":[{"role":"user","content":"a"}],
        "temperature":0.7,"presence_penalty":0.5,"frequency_penalty":0.0,"stop":"x"}"#;
    let mut asked = request(body);
    for (model, expected) in [
        ("grok-4-0709", vec!["presence_penalty", "stop"]),
        ("grok-3-mini", vec!["presence_penalty", "stop"]),
        ("grok-4-fast-non-reasoning", vec![]),
        ("grok-3", vec![]),
    ] {
        asked.model = model.to_owned();
        assert_eq!(dropped(&asked, profile("xai"), None), expected, "{model}");
        assert!(dropped(&asked, profile("vllm"), None).is_empty());
    }
}
