use clawless_core::Role;
use clawless_core::chat::{ReasoningEffort, ThinkingMode};

use super::*;

const HEADERS: Headers<'_> = Headers {
    version: Some("2023-06-01"),
    beta: None,
};

fn parse(body: &str) -> Result<Parsed<MessagesRendering>, ApiError> {
    super::parse(&HEADERS, body.as_bytes())
}

/// A request with one message and the members `more`.
fn with(more: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":4096,"messages":[{{"role":"user","content":"hi"}}]{more}}}"#
    )
}

/// A request with these messages.
fn saying(messages: &str) -> String {
    format!(r#"{{"model":"m","max_tokens":10,"messages":{messages}}}"#)
}

fn options(more: &str) -> ChatOptions {
    parse(&with(more)).expect(more).request.options
}

fn error_of(body: &str) -> (ErrorCode, Option<String>) {
    let error = parse(body).expect_err(body);
    (error.code, error.param)
}

fn raw(parsed: &Parsed<MessagesRendering>) -> Vec<(Role, &str)> {
    let messages = parsed.request.messages.iter();
    messages.map(|it| (it.role(), it.raw().as_str())).collect()
}

#[test]
fn minimal_request_parses() {
    let parsed = parse(&with(r#","stream":true,"x":null"#)).expect("valid");
    assert!(parsed.request.stream && parsed.request.options.extensions.is_empty());
    assert_eq!(parsed.request.options.max_tokens, Some(4096));
    assert_eq!(
        raw(&parsed),
        [(Role::User, r#"{"role":"user","content":"hi"}"#)]
    );
    assert!(parsed.ignored.is_empty());
}

#[test]
fn blocks_keep_their_bytes_and_results_are_messages_of_their_own() {
    let thinking = r#"{ "type":"thinking","thinking":"hm", "signature":"s\u00e9" }"#;
    let call = r#"{"type":"tool_use","id":"t","name":"f","input":{ }}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"new","x":1.0}]}"#;
    let text = r#"{"type":"text","text":"go on","cache_control":{"type":"ephemeral"}}"#;
    let body = format!(
        r#"[{{"role":"user","content":"a"}},{{"role":"assistant","content":[{thinking},{call}]}},{{"role":"user","content":[{result},{text}]}}]"#
    );
    let parsed = parse(&saying(&body)).expect("valid");
    let expected = [
        format!(r#"{{"role":"assistant","clawless_blocks":[{thinking},{call}]}}"#),
        format!(r#"{{"role":"tool","clawless_blocks":[{result}]}}"#),
        format!(r#"{{"role":"user","clawless_blocks":[{text}]}}"#),
    ];
    let roles = [Role::Assistant, Role::Tool, Role::User];
    let expected: Vec<(Role, &str)> = roles
        .into_iter()
        .zip(expected.iter().map(String::as_str))
        .collect();
    assert_eq!(raw(&parsed)[1..], expected);
}

#[test]
fn system_prompt_is_the_first_message() {
    let parsed = parse(&with(r#","system":"be brief""#)).expect("valid");
    let text = r#"{"role":"system","content":"be brief"}"#;
    assert_eq!(raw(&parsed)[0], (Role::System, text));
    let parsed = parse(&with(r#","system":[{"type":"text","text":"a"}]"#)).expect("valid");
    let blocks = r#"{"role":"system","clawless_blocks":[{"type":"text","text":"a"}]}"#;
    assert_eq!(raw(&parsed)[0], (Role::System, blocks));
    let inside = r#"[{"role":"user","content":"a"},{"role":"system","content":[{"type":"text","text":"b"}]}]"#;
    assert_eq!(
        raw(&parse(&saying(inside)).expect("valid"))[1],
        (
            Role::System,
            r#"{"role":"system","clawless_blocks":[{"type":"text","text":"b"}]}"#
        )
    );
    for empty in [r#","system":"""#, r#","system":[]"#] {
        let parsed = parse(&with(empty)).expect(empty);
        assert_eq!(parsed.request.messages.len(), 1);
    }
}

#[test]
fn parameters_are_translated() {
    let tool = r#","tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}},{"type":"custom","name":"g","input_schema":{}}]"#;
    let read = options(tool).tools.expect("tools");
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].name().as_deref(), Some("f"));
    assert!(read[0].cache_control.is_some());
    for (choice, expected, parallel) in [
        (r#"{"type":"auto"}"#, r#""auto""#, None),
        (
            r#"{"type":"any","disable_parallel_tool_use":true}"#,
            r#""required""#,
            Some(false),
        ),
        (r#"{"type":"none"}"#, r#""none""#, None),
        (
            r#"{"type":"tool","name":"f"}"#,
            r#"{"type":"function","function":{"name":"f"}}"#,
            None,
        ),
    ] {
        let options = options(&format!(r#"{tool},"tool_choice":{choice}"#));
        let choice = options.tool_choice.expect("a choice");
        assert_eq!(
            (choice.as_str(), options.parallel_tool_calls),
            (expected, parallel)
        );
    }
    let options = options(
        r#","temperature":0.5,"top_k":7,"stop_sequences":["a","b","c","d","e"],"metadata":{"user_id":"u"},"service_tier":"standard_only""#,
    );
    assert_eq!(options.stop.expect("stop").texts().len(), 5);
    assert_eq!(options.extensions[0].0, "top_k");
    assert_eq!(options.user.as_deref(), Some("u"));
    assert_eq!(options.service_tier.as_deref(), Some("standard_only"));
}

#[test]
fn reasoning_has_a_mode_and_the_closest_effort() {
    use ReasoningEffort::{Adaptive, High, Low, None as Off};
    for (more, mode, effort) in [
        ("", None, None),
        (
            r#","thinking":{"type":"disabled"}"#,
            Some(ThinkingMode::Disabled),
            Some(Off),
        ),
        (
            r#","thinking":{"type":"enabled","budget_tokens":3000}"#,
            Some(ThinkingMode::Budget(3000)),
            Some(Low),
        ),
        (
            r#","thinking":{"type":"adaptive"}"#,
            Some(ThinkingMode::Adaptive),
            Some(Adaptive),
        ),
        (
            r#","thinking":{"type":"adaptive"},"output_config":{"effort":"high"}"#,
            Some(ThinkingMode::Adaptive),
            Some(High),
        ),
        (
            r#","output_config":{"effort":"high"}"#,
            Some(ThinkingMode::Unset),
            Some(High),
        ),
    ] {
        let options = options(more);
        assert_eq!(
            (options.thinking, options.reasoning_effort),
            (mode, effort),
            "{more}"
        );
    }
    let schema = r#"{"type":"json_schema","schema":{"type":"object"}}"#;
    for name in [
        format!(r#","output_config":{{"format":{schema}}}"#),
        format!(r#","output_format":{schema}"#),
    ] {
        let format = options(&name).response_format.expect("a format");
        assert_eq!(
            format.as_str(),
            r#"{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object"}}}"#
        );
    }
}

#[test]
fn what_has_no_meaning_is_named() {
    let more = r#","tools":[{"name":"f","input_schema":{},"input_examples":[]},{"name":"g","input_schema":{},"input_examples":[]}],"metadata":{"x":1},"output_config":{"task_budget":1},"thinking":{"type":"adaptive","display":"omitted"},"mcp_servers":[]"#;
    let parsed = parse(&with(more)).expect("valid");
    let expected = [
        "metadata.x",
        "tools[].input_examples",
        "output_config.task_budget",
        "thinking.display",
    ];
    assert_eq!(parsed.ignored, expected);
    assert_eq!(parsed.request.options.extensions[0].0, "mcp_servers");
}

#[test]
fn invalid_value_is_rejected_by_name() {
    let deep = format!(
        r#","tools":[{{"name":"f","input_schema":{{"x":{}1{}}}}}]"#,
        "[".repeat(60),
        "]".repeat(60)
    );
    for (more, param) in [
        (r#","temperature":1.1"#, "temperature"),
        (r#","top_p":-0.1"#, "top_p"),
        (r#","top_k":-1"#, "top_k"),
        (r#","service_tier":"flex""#, "service_tier"),
        (
            r#","tools":[{"type":"web_search_20250305","name":"web_search"}]"#,
            "tools[0].type",
        ),
        (r#","tools":[{"name":"f"}]"#, "tools[0].input_schema"),
        (r#","tools":[{"name":"a b","input_schema":{}}]"#, "tools"),
        (&*deep, "tools"),
        (r#","tool_choice":{"type":"tool"}"#, "tool_choice.name"),
        (r#","tool_choice":{"type":"some"}"#, "tool_choice.type"),
        (r#","tool_choice":"auto""#, "tool_choice"),
        (
            r#","thinking":{"type":"enabled"}"#,
            "thinking.budget_tokens",
        ),
        (
            r#","thinking":{"type":"enabled","budget_tokens":4096}"#,
            "thinking.budget_tokens",
        ),
        (
            r#","thinking":{"type":"enabled","budget_tokens":1023}"#,
            "thinking.budget_tokens",
        ),
        (r#","thinking":{"type":"deep"}"#, "thinking.type"),
        (
            r#","output_config":{"effort":"huge"}"#,
            "output_config.effort",
        ),
        (
            r#","output_config":{"format":{"type":"text"}}"#,
            "output_config.format",
        ),
        (r#","stop_sequences":[""]"#, "stop_sequences"),
        (r#","system":5"#, "system"),
        (r#","system":[{"type":"image"}]"#, "system[0].source"),
        (r#","tenant_id":"x""#, "tenant_id"),
        (r#","quota":1"#, "quota"),
        (r#","session_id":"a b""#, "session_id"),
        (r#","max_tokens":1"#, "max_tokens"),
    ] {
        let (_, found) = error_of(&with(more));
        // The parser reports a duplicate member without its path.
        let is_duplicate = param == "max_tokens" && found.is_none();
        assert!(
            is_duplicate || found.as_deref() == Some(param),
            "{more}: {found:?}"
        );
    }
    let without = r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#;
    let missing = (ErrorCode::MissingParameter, Some("max_tokens".to_owned()));
    assert_eq!(error_of(without), missing);
    super::parse_count(&HEADERS, without.as_bytes()).expect("a count needs no limit");
}

#[test]
fn invalid_message_is_named_by_its_path() {
    for (messages, param) in [
        ("[]", "messages"),
        (r#"[{"role":"user"}]"#, "messages[0].content"),
        (r#"[{"role":"user","content":[]}]"#, "messages[0].content"),
        (r#"[{"role":"user","content":5}]"#, "messages[0].content"),
        (r#"[{"role":"wizard","content":"a"}]"#, "messages[0].role"),
        (r#"[{"role":"tool","content":"a"}]"#, "messages[0].role"),
        (
            r#"[{"role":"user","content":[{"type":"text"}]}]"#,
            "messages[0].content[0].text",
        ),
        (
            r#"[{"role":"user","content":[{"type":"thinking","thinking":"a","signature":"s"}]}]"#,
            "messages[0].content[0]",
        ),
        (
            r#"[{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"t"}]}]"#,
            "messages[0].content[0]",
        ),
        (
            r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"base64","data":""}}]}]}]"#,
            "messages[0].content[0].content[0].source.media_type",
        ),
    ] {
        assert_eq!(
            error_of(&saying(messages)).1.as_deref(),
            Some(param),
            "{messages}"
        );
    }
}

#[test]
fn version_is_required_and_betas_are_names() {
    let body = with("");
    let parse = |version, beta| super::parse(&Headers { version, beta }, body.as_bytes());
    let missing = parse(None, None).expect_err("no version");
    assert_eq!(
        (missing.code, missing.param.as_deref()),
        (ErrorCode::MissingParameter, Some("anthropic-version"))
    );
    assert_eq!(
        parse(Some("2020-01-01"), None)
            .expect_err("unknown")
            .status(),
        400
    );
    parse(Some("2026-10-21"), None).expect("the newest version");
    let version = Some("2023-06-01");
    let parsed = parse(version, Some("a-2025-01-01, b-2025-01-01,")).expect("valid");
    assert_eq!(
        parsed.request.options.betas,
        ["a-2025-01-01", "b-2025-01-01"]
    );
    assert!(parse(version, Some("a b")).is_err());
}

#[test]
fn a_budget_of_interleaved_thinking_may_exceed_the_output_limit() {
    let body = with(r#","thinking":{"type":"enabled","budget_tokens":8000}"#);
    let headers = Headers {
        beta: Some("interleaved-thinking-2025-05-14"),
        ..HEADERS
    };
    let parsed = super::parse(&headers, body.as_bytes()).expect("valid");
    let thinking = parsed.request.options.thinking;
    assert_eq!(thinking, Some(ThinkingMode::Budget(8000)));
    assert_eq!(
        error_of(&body).1.as_deref(),
        Some("thinking.budget_tokens"),
        "without the feature"
    );
}
