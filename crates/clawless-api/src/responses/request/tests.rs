use super::*;

fn parse(body: &str) -> Result<Members, ApiError> {
    parse_members(body.as_bytes(), &[])
}

/// A request with an input and the members `more`.
fn with(more: &str) -> String {
    format!(r#"{{"model":"m","input":"hi"{more}}}"#)
}

fn echoed(request: &Members, name: &str) -> String {
    let value = request.echo.members.get(name);
    value.expect("a member").as_str().to_owned()
}

#[test]
fn defaults_are_those_of_openai() {
    let request = parse(&with("")).expect("valid");
    let turn = &request.request.turn;
    assert_eq!(turn.storing, Storing::Always);
    assert!(!turn.needs_whole_history && !request.request.stream);
    assert_eq!(
        request.request.options,
        ChatOptions::default(),
        "nothing is sent that was not requested"
    );
    for (name, value) in [
        ("instructions", "null"),
        ("metadata", "{}"),
        ("parallel_tool_calls", "true"),
        ("reasoning", r#"{"effort":null,"summary":null}"#),
        ("store", "true"),
        ("temperature", "1.0"),
        ("text", r#"{"format":{"type":"text"}}"#),
        ("tool_choice", r#""auto""#),
        ("tools", "[]"),
        ("truncation", r#""auto""#),
    ] {
        assert_eq!(echoed(&request, name), value, "{name}");
    }
}

#[test]
fn parameters_reach_the_model_under_the_names_of_chat_completions() {
    let request = parse(&with(
        r#","instructions":"be kind","max_output_tokens":99,"reasoning":{"effort":"high","summary":"auto"},
        "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"},
        "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},
            {"type":"custom","name":"patch","format":{"type":"grammar","syntax":"lark","definition":"start: x"}}],
        "tool_choice":{"type":"function","name":"f"},"top_logprobs":2,"include":["reasoning.encrypted_content"],
        "metadata":{"a":"b"},"parallel_tool_calls":false,"prompt_cache_key":"k","some_extension":1"#,
    ))
    .expect("valid");
    let options = &request.request.options;
    let text = |json: &Option<Json>| json.as_ref().expect("set").as_str().to_owned();
    assert_eq!(options.max_completion_tokens, Some(99));
    assert_eq!(options.reasoning_effort, Some(ReasoningEffort::High));
    assert_eq!(
        text(&options.response_format),
        r#"{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}"#
    );
    assert_eq!(
        text(&options.tool_choice),
        r#"{"type":"function","function":{"name":"f"}}"#
    );
    let tools = serde_json::to_string(&options.tools).expect("JSON");
    assert_eq!(
        tools,
        r#"[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},{"type":"custom","custom":{"name":"patch","format":{"type":"grammar","grammar":{"definition":"start: x","syntax":"lark"}}}}]"#
    );
    assert_eq!(
        (options.logprobs, options.top_logprobs),
        (Some(true), Some(2))
    );
    assert_eq!(options.metadata, None, "labels stay here");
    assert_eq!(options.extensions.len(), 1);
    assert_eq!(request.request.turn.transient, 1);
    assert_eq!(request.request.messages.len(), 2);
    assert!(request.echo.has_opaque && request.echo.has_logprobs && request.echo.has_summary);
    assert_eq!(echoed(&request, "metadata"), r#"{"a":"b"}"#);
    assert_eq!(echoed(&request, "instructions"), r#""be kind""#);
    assert_eq!(request.ignored, Vec::<String>::new());
}

#[test]
fn every_form_of_a_tool_choice_is_understood() {
    for (choice, expected) in [
        (r#""required""#, r#""required""#),
        (
            r#"{"type":"custom","name":"p"}"#,
            r#"{"type":"custom","custom":{"name":"p"}}"#,
        ),
        (
            r#"{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]}"#,
            r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}"#,
        ),
    ] {
        let request = parse(&with(&format!(r#","tool_choice":{choice}"#))).expect("valid");
        let written = request.request.options.tool_choice.expect("set");
        assert_eq!(written.as_str(), expected);
        assert_eq!(
            request.echo.members.get("tool_choice").map(Json::as_str),
            Some(choice),
            "the response repeats the client's form"
        );
    }
}

#[test]
fn conversation_and_previous_response_are_parsed() {
    for conversation in [r#""ses_a""#, r#"{"id":"ses_a"}"#] {
        let request = parse(&with(&format!(r#","conversation":{conversation}"#))).expect("valid");
        let session = request.request.session_id.as_ref().expect("a session");
        assert_eq!(session.as_str(), "ses_a");
        assert_eq!(echoed(&request, "conversation"), r#"{"id":"ses_a"}"#);
    }
    let id = "resp_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    let request = parse(&with(&format!(r#","previous_response_id":"{id}""#))).expect("valid");
    let previous = request.request.turn.previous.expect("a request");
    assert_eq!(previous.as_str(), "req_01ARZ3NDEKTSV4RRFFQ69G5FAV");
    let error = parse(&with(r#","previous_response_id":"resp_other""#)).expect_err("unknown");
    assert_eq!(
        (error.status(), error.param.as_deref()),
        (404, Some("previous_response_id"))
    );
}

#[test]
fn unsupported_and_invalid_parameters_are_named() {
    for (more, param) in [
        (r#","background":true"#, "background"),
        (r#","prompt":{"id":"p"}"#, "prompt"),
        (r#","temperature":2.1"#, "temperature"),
        (r#","max_output_tokens":0"#, "max_output_tokens"),
        (r#","max_tool_calls":0"#, "max_tool_calls"),
        (r#","top_logprobs":21"#, "top_logprobs"),
        (r#","truncation":"none""#, "truncation"),
        (r#","include":["x"]"#, "include"),
        (r#","metadata":{"a":1}"#, "metadata.a"),
        (r#","metadata":{"a":"b\u0000"}"#, "metadata"),
        (r#","tools":[{"type":"web_search"}]"#, "tools[0].type"),
        (
            r#","tools":[{"type":"mcp","server_label":"x"}]"#,
            "tools[0].type",
        ),
        (r#","tools":[{"type":"function"}]"#, "tools[0].name"),
        (r#","tools":[{"type":"function","name":"a b"}]"#, "tools"),
        (
            r#","tools":[{"type":"custom","name":"p","format":{"type":"x"}}]"#,
            "tools[0].format.type",
        ),
        (r#","tool_choice":"some""#, "tool_choice"),
        (
            r#","tool_choice":{"type":"web_search"}"#,
            "tool_choice.type",
        ),
        (r#","text":{"format":{"type":"xml"}}"#, "text.format.type"),
        (
            r#","text":{"format":{"type":"json_schema","schema":{}}}"#,
            "text.format.name",
        ),
        (r#","reasoning":{"effort":"huge"}"#, "reasoning.effort"),
        (r#","reasoning":{"summary":"long"}"#, "reasoning.summary"),
        (r#","stream_options":{}"#, "stream_options"),
        (r#","conversation":5"#, "conversation"),
        (r#","conversation":{}"#, "conversation.id"),
        (r#","messages":[]"#, "messages"),
        (r#","max_tokens":5"#, "max_tokens"),
        (r#","tenant_id":"ten_x""#, "tenant_id"),
        (
            r#","conversation":"a","previous_response_id":"resp_01ARZ3NDEKTSV4RRFFQ69G5FAV""#,
            "previous_response_id",
        ),
    ] {
        let error = parse(&with(more)).expect_err(more);
        assert_eq!(
            (error.status(), error.param.as_deref()),
            (400, Some(param)),
            "{more}: {error}"
        );
    }
    for (body, param) in [(r#"{"model":"m"}"#, "input"), (r#"{"input":"a"}"#, "model")] {
        let error = parse(body).expect_err(body);
        assert_eq!(error.code, ErrorCode::MissingParameter);
        assert_eq!(error.param.as_deref(), Some(param));
    }
    assert!(parse(&with(r#","model":"other""#)).is_err(), "duplicates");
}

#[test]
fn a_member_name_that_hides_letters_is_rejected() {
    for more in [
        r#","tools":[{"type":"function","name":"f","cache_control":{"tt\u006c":"1h"}}]"#,
        r#","m\u0065tadata":{}"#,
    ] {
        let error = parse(&with(more)).expect_err(more);
        assert_eq!(error.code, ErrorCode::InvalidJson, "{more}");
    }
}

#[test]
fn ignored_parameters_are_reported() {
    let request = parse(&with(
        r#","stream":true,"stream_options":{"include_obfuscation":true},"reasoning":{"effort":"low","mode":"pro","context":null},
        "text":{"unknown":1},"tools":[{"type":"function","name":"f","defer_loading":true,"async":false}],
        "background":false,"prompt":null,"include":["file_search_call.results"]"#,
    ))
    .expect("valid");
    let mut ignored = request.ignored;
    ignored.sort();
    assert_eq!(
        ignored,
        [
            "reasoning.mode",
            "stream_options.include_obfuscation",
            "text.unknown",
            "tools.defer_loading",
        ]
    );
}

#[test]
fn a_server_tool_is_named_by_its_type() {
    let request = parse(&with(r#","tools":[{"type":"time_now"}]"#)).expect("valid");
    assert_eq!(
        request.request.turn.server_tools,
        Some(vec!["time_now".to_owned()])
    );
    assert_eq!(request.request.options.tools, None);
}

#[test]
fn references_are_found_in_valid_bodies_only() {
    let body = r#"{"model":"m","input":[{"type":"item_reference","id":"msg_1_0"},{"role":"user","content":"a"}]}"#;
    assert_eq!(references(body.as_bytes()), ["msg_1_0"]);
    assert_eq!(references(b"{"), Vec::<String>::new());
    assert_eq!(references(with("").as_bytes()), Vec::<String>::new());
}

#[test]
fn tools_of_a_namespace_have_joined_names() {
    let request = parse(&with(
        r#","tools":[{"type":"namespace","name":"agents","description":"d","tools":[{"type":"function","name":"close","strict":false,"parameters":{"type":"object"}}]}],
        "tool_choice":{"type":"function","name":"close","namespace":"agents"}"#,
    ))
    .expect("valid");
    let tools = request.request.options.tools.expect("tools");
    assert_eq!(tools[0].name().as_deref(), Some("agents__close"));
    let choice = request.request.options.tool_choice.expect("a choice");
    assert_eq!(
        choice.as_str(),
        r#"{"type":"function","function":{"name":"agents__close"}}"#
    );
    let member = request
        .echo
        .namespaces
        .find("agents__close")
        .expect("a tool");
    assert_eq!((&*member.namespace, &*member.name), ("agents", "close"));
    assert_eq!(request.ignored, Vec::<String>::new());
}
