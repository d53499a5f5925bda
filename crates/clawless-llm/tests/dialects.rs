//! Differences between real servers and `OpenAI`'s wire: one test per kind of difference.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use clawless_core::{FinishReason, Millis, Usage};
use clawless_llm::LlmError;
use clawless_testkit::provider::{Reply, Step};
use common::{DONE, Stage, chunk, collect, only, streamed, whole};

const USAGE: &str = r#""usage":{"prompt_tokens":11,"completion_tokens":5,"total_tokens":16}"#;

#[test]
fn content_parts_are_split_into_text_and_reasoning() {
    let thinking = |text: &str| {
        format!(
            r#""delta":{{"content":[{{"type":"thinking","thinking":[{{"type":"text","text":"{text}"}}]}}]}}"#
        )
    };
    let choice = only(streamed(&[
        r#""delta":{"role":"assistant","content":""}"#,
        &thinking("A greeting"),
        &thinking(", so greet."),
        r#""delta":{"content":[{"type":"text","text":"Hello"}]}"#,
        r#""delta":{"content":" there."},"finish_reason":"stop""#,
    ]));
    assert_eq!(choice.reasoning.as_deref(), Some("A greeting, so greet."));
    assert_eq!(choice.content.as_deref(), Some("Hello there."));
    let choice = only(whole(
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":[
            {"type":"thinking","thinking":[{"type":"text","text":"hm"}]},
            {"type":"text","text":"Hello"}],"tool_calls":null},"finish_reason":"stop"}]}"#,
    ));
    assert_eq!(choice.reasoning.as_deref(), Some("hm"));
    assert_eq!(choice.content.as_deref(), Some("Hello"));
}

#[test]
fn wrong_json_types_are_converted() {
    let answer = whole(
        r#"{"id":7,"choices":[{"index":"0","message":{"content":null,"tool_calls":
            {"index":"0","id":9,"function":{"name":"f","arguments":{"x":1}}}},"finish_reason":"tool_calls"}],
            "usage":{"prompt_tokens":11.0,"completion_tokens":"5","total_tokens":16.0}}"#,
    )
    .expect("an answer");
    assert_eq!(answer.usage, Some(Usage::new(11, 5)));
    let call = &answer.choices[0].tool_calls[0];
    assert_eq!(
        (call.id.as_str(), call.arguments.as_str()),
        ("9", r#"{"x":1}"#)
    );
    // A member of an unusable type counts as absent.
    let choice = only(whole(
        r#"{"choices":[{"index":null,"delta":[],"message":{"content":"Hi","refusal":false,"tool_calls":"","function_call":[]},
            "finish_reason":"stop","logprobs":null}],"usage":"none"}"#,
    ));
    assert_eq!(choice.content.as_deref(), Some("Hi"));
}

#[test]
fn nonstandard_finish_reasons_are_mapped_or_rejected() {
    let finish = |reason: &str| {
        let end = format!(r#""delta":{{"content":""}},"finish_reason":"{reason}""#);
        streamed(&[
            r#""delta":{"role":"assistant","content":"The first half"}"#,
            &end,
        ])
    };
    for (reason, expected) in [
        ("eos", FinishReason::Stop),
        ("sensitive", FinishReason::ContentFilter),
        ("content_filter: RECITATION", FinishReason::ContentFilter),
        ("model_context_window_exceeded", FinishReason::Length),
        ("MAX_TOKENS", FinishReason::Length),
    ] {
        assert_eq!(
            only(finish(reason)).finish_reason,
            Some(expected),
            "{reason}"
        );
    }
    for reason in [
        "network_error",
        "insufficient_system_resource",
        "abort",
        "vibes",
    ] {
        let error = finish(reason).expect_err(reason);
        assert!(
            matches!(error, LlmError::Truncated(_)),
            "{reason}: {error:?}"
        );
    }
    let number = streamed(&[r#""delta":{"content":"half"},"finish_reason":2"#]);
    assert!(matches!(number, Err(LlmError::Truncated(_))));
    let absent = streamed(&[
        r#""delta":{"content":"Wh"},"finish_reason":"""#,
        r#""delta":{"content":"ole"},"finish_reason":"null""#,
        r#""delta":{},"finish_reason":"stop""#,
    ]);
    assert_eq!(only(absent).content.as_deref(), Some("Whole"));
}

#[test]
fn a_message_after_deltas_adds_only_finish_reason_and_usage() {
    let last = format!(
        r#"data: {{"id":"06","object":"chat.completion","choices":[{{"index":0,"finish_reason":"stop","message":{{"role":"assistant","content":"Hello there.","reasoning_content":"A greeting.","tool_calls":[{{"id":"a","function":{{"name":"f","arguments":"{{}}"}}}}]}}}}],{USAGE},"base_resp":{{"status_code":0,"status_msg":""}}}}

"#
    );
    let call =
        r#""delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}"#;
    for finish in ["", r#","finish_reason":"tool_calls""#] {
        let stream = [
            chunk(r#""delta":{"role":"assistant","reasoning_content":"A greeting."}"#),
            chunk(r#""delta":{"content":"Hello there."}"#),
            chunk(&format!("{call}{finish}")),
            last.clone(),
        ]
        .concat();
        let answer = collect(&stream).expect("an answer");
        assert_eq!(answer.usage, Some(Usage::new(11, 5)));
        let choice = only(Ok(answer));
        assert_eq!(choice.content.as_deref(), Some("Hello there."));
        assert_eq!(choice.reasoning.as_deref(), Some("A greeting."));
        assert_eq!(choice.tool_calls.len(), 1);
    }
    // A stream of one frame has its text in the message.
    let choice = only(collect(&last));
    assert_eq!(choice.content.as_deref(), Some("Hello there."));
}

#[test]
fn zero_usage_counts_as_missing() {
    for usage in [
        r#""usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
        r#""usage":{"prompt_tokens":0,"completion_tokens":400,"total_tokens":400}"#,
        r#""usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}"#,
        r#""usage":{}"#,
    ] {
        let stream = [
            chunk(r#""delta":{"content":"word word word"}"#),
            chunk(r#""delta":{},"finish_reason":"stop""#),
            format!("data: {{\"choices\":[],{usage}}}\n\n"),
            DONE.to_owned(),
        ];
        let answer = collect(&stream.concat()).expect("an answer");
        assert_eq!(answer.usage, None, "{usage}");
    }
}

#[test]
fn usage_is_parsed_from_every_location() {
    let expected = Some(Usage::new(11, 5));
    let in_choice = streamed(&[
        r#""delta":{"content":"Hi"}"#,
        &format!(r#""delta":{{}},"finish_reason":"stop",{USAGE}"#),
    ]);
    assert_eq!(in_choice.expect("an answer").usage, expected);
    for usage in [
        r#""usageMetadata":{"promptTokenCount":11,"candidatesTokenCount":5}"#,
        r#""usage_metadata":{"prompt_token_count":11,"candidates_token_count":5}"#,
        r#""timings":{"cache_n":4,"prompt_n":7,"predicted_n":5},"usage":null"#,
    ] {
        let body = format!(
            r#"{{"choices":[{{"message":{{"content":"Hi"}},"finish_reason":"stop"}}],{usage}}}"#
        );
        let usage = whole(&body).expect("an answer").usage.expect("usage");
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens),
            (11, 5),
            "{body}"
        );
    }
    let in_message = format!(
        r#"{{"choices":[{{"message":{{"content":"Hi",{USAGE}}},"finish_reason":"stop"}}]}}"#
    );
    assert_eq!(whole(&in_message).expect("an answer").usage, expected);
    let groq = [
        chunk(r#""delta":{"content":"Hi"}"#),
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}],\"x_groq\":{{\"id\":\"r\",{USAGE}}}}}\n\n"
        ),
        DONE.to_owned(),
    ];
    assert_eq!(collect(&groq.concat()).expect("an answer").usage, expected);
}

#[test]
fn an_end_marker_replaces_the_finish_reason() {
    let text = only(streamed(&[
        r#""delta":{"role":"assistant","content":"Whole"}"#,
        r#""delta":{"content":" answer."},"finish_reason":null"#,
    ]));
    assert_eq!(text.content.as_deref(), Some("Whole answer."));
    assert_eq!(text.finish_reason, Some(FinishReason::Stop));
    let call = |arguments: &str| {
        let members = format!(
            r#""delta":{{"tool_calls":[{{"index":0,"id":"a","function":{{"name":"f","arguments":"{arguments}"}}}}]}}"#
        );
        streamed(&[&members])
    };
    let finish = only(call(r#"{\"x\":1}"#)).finish_reason;
    assert_eq!(finish, Some(FinishReason::ToolCalls));
    assert!(matches!(call(r#"{\"x\""#), Err(LlmError::Truncated(_))));
    let body = r#"{"choices":[{"message":{"content":"Whole"},"finish_reason":null}]}"#;
    assert_eq!(only(whole(body)).finish_reason, Some(FinishReason::Stop));
    // The end of the connection alone does not prove completeness.
    let cut = collect(&chunk(r#""delta":{"content":"Whole"}"#));
    assert!(matches!(cut, Err(LlmError::Truncated(_))));
}

#[test]
fn a_blocked_prompt_is_a_content_filter() {
    let body = r#"{"created":1,"id":"x","model":"gemini","object":"chat.completion",
        "usage":{"completion_tokens":0,"prompt_tokens":9,"total_tokens":9}}"#;
    let answers = [
        whole(body),
        whole(r#"{"object":"chat.completion","choices":[]}"#),
        whole(r#"{"object":"chat.completion","choices":null}"#),
        collect(&format!("data: {}\n\n{DONE}", body.replace('\n', " "))),
    ];
    for answer in answers {
        let choice = only(answer);
        assert_eq!(choice.finish_reason, Some(FinishReason::ContentFilter));
        assert_eq!(choice.content.as_deref(), Some(""));
    }
    assert!(matches!(
        whole(r#"{"choices":[]}"#),
        Err(LlmError::Malformed(_))
    ));
}

#[test]
fn an_empty_response_without_tokens_is_retryable() {
    let nothing = r#""usage":{"prompt_tokens":9,"completion_tokens":0,"total_tokens":9}"#;
    let body = format!(
        r#"{{"choices":[{{"message":{{"role":"assistant","content":""}},"finish_reason":"stop"}}],{nothing}}}"#
    );
    assert_eq!(whole(&body), Err(LlmError::EmptyAnswer));
    let stream = [
        chunk(r#""delta":{"role":"assistant","content":""}"#),
        chunk(r#""delta":{},"finish_reason":"stop""#),
        format!("data: {{\"choices\":[],{nothing}}}\n\n"),
        DONE.to_owned(),
    ]
    .concat();
    let stage = Stage::new();
    stage.http.always(Reply::stream(&stream));
    assert_eq!(
        stage.stream(),
        (Vec::new(), Some(LlmError::EmptyAnswer)),
        "before the response has begun"
    );
    assert!(LlmError::EmptyAnswer.is_retryable() && !LlmError::EmptyAnswer.is_providers_fault());
    // A model that only emits its end token has responded.
    let end = body.replace(r#""completion_tokens":0"#, r#""completion_tokens":1"#);
    assert_eq!(only(whole(&end)).content.as_deref(), Some(""));
    // So has one whose limit left no room.
    let full = body.replace(r#""stop""#, r#""length""#);
    assert_eq!(only(whole(&full)).finish_reason, Some(FinishReason::Length));
}

#[test]
fn an_empty_response_without_readable_usage_is_retryable() {
    for usage in [
        "",
        r#","usage":null"#,
        r#","usage":{}"#,
        r#","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#,
        r#","usage":{"prompt_tokens":9,"completion_tokens":"?"}"#,
    ] {
        for content in ["null", "\"\"", "[]"] {
            let body = format!(
                r#"{{"choices":[{{"message":{{"role":"assistant","content":{content}}},"finish_reason":"stop"}}]{usage}}}"#
            );
            assert_eq!(whole(&body), Err(LlmError::EmptyAnswer), "{body}");
        }
        let stream = [
            chunk(r#""delta":{"role":"assistant","content":""}"#),
            chunk(r#""delta":{},"finish_reason":"stop""#),
            format!("data: {{\"id\":\"x\",\"choices\":[]{usage}}}\n\n"),
        ]
        .concat();
        for stream in [stream.clone(), stream + DONE] {
            let stage = Stage::new();
            stage.http.always(Reply::stream(&stream));
            let failed = (Vec::new(), Some(LlmError::EmptyAnswer));
            assert_eq!(stage.stream(), failed, "{stream}");
        }
    }
    // Responses that are empty for a reason.
    for members in [
        r#""message":{"content":null},"finish_reason":"content_filter""#,
        r#""message":{"content":""},"finish_reason":"length""#,
        r#""message":{"content":null,"refusal":"No."},"finish_reason":"stop""#,
        r#""message":{"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop""#,
    ] {
        let body = format!(r#"{{"choices":[{{{members}}}]}}"#);
        assert!(whole(&body).is_ok(), "{body}");
    }
}

#[test]
fn an_error_inside_a_response_is_an_error() {
    let hello = chunk(r#""delta":{"role":"assistant","content":"Hel"}"#);
    for (what, event) in [
        (
            "an error object",
            "data: {\"error\":{\"message\":\"x\",\"code\":500}}\n\n",
        ),
        ("an error text", "data: {\"error\":\"x\"}\n\n"),
        (
            "an error event",
            "event: error\ndata: {\"message\":\"x\"}\n\n",
        ),
        (
            "an error event of plain text",
            "event: error\ndata: Internal Server Error\n\n",
        ),
        (
            "an error of the choice",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\",\"error\":{\"code\":502,\"message\":\"x\"}}]}\n\n",
        ),
        (
            "an error wrapped in a list",
            "data: [{\"error\":{\"code\":500,\"message\":\"x\"}}]\n\n",
        ),
        (
            "Groq's extension",
            "data: {\"choices\":[],\"x_groq\":{\"error\":\"x\"}}\n\n",
        ),
        ("FastAPI's detail", "data: {\"detail\":\"x\"}\n\n"),
        (
            "a list of errors",
            "data: {\"errors\":[{\"message\":\"x\"}]}\n\n",
        ),
        ("a message alone", "data: {\"message\":\"x\"}\n\n"),
        ("a flag", "data: {\"success\":false,\"msg\":\"x\"}\n\n"),
        (
            "a status",
            "data: {\"status\":\"error\",\"statusCode\":500}\n\n",
        ),
        (
            "a number",
            "data: {\"error_code\":336100,\"error_msg\":\"x\"}\n\n",
        ),
        (
            "Anthropic's form",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}\n\n",
        ),
        (
            "a code next to its message",
            "data: {\"code\":\"InternalError\",\"message\":\"x\",\"request_id\":\"r\"}\n\n",
        ),
    ] {
        let error = collect(&format!("{hello}{event}{DONE}")).expect_err(what);
        assert!(matches!(error, LlmError::Reported(_)), "{what}: {error:?}");
    }
    for (status, expected) in [
        (1002, LlmError::RateLimited { retry_after: None }),
        (1008, LlmError::Misconfigured { status: 200 }),
    ] {
        let body = format!(
            r#"{{"id":"x","choices":null,"base_resp":{{"status_code":{status},"status_msg":"no"}}}}"#
        );
        assert_eq!(whole(&body), Err(expected));
    }
}

#[test]
fn comments_and_bare_roles_reset_the_timeout() {
    let comment = || Step::Bytes(b": OPENROUTER PROCESSING\n\n".to_vec());
    let wait = || Step::Wait(Millis::from_secs(20));
    let role = Step::Bytes(chunk(r#""delta":{"role":"assistant","content":""}"#).into_bytes());
    let text = chunk(r#""delta":{"content":"done thinking"},"finish_reason":"stop""#);
    let steps = vec![
        comment(),
        wait(),
        comment(),
        wait(),
        comment(),
        wait(),
        role,
        wait(),
        comment(),
        wait(),
        Step::Bytes((text + DONE).into_bytes()),
    ];
    let stage = Stage::new();
    stage.http.next(Reply::steps(steps));
    let choice = only(stage.collect());
    assert_eq!(choice.content.as_deref(), Some("done thinking"));
}

#[test]
fn generated_call_ids_are_short_and_unique_between_turns() {
    let body = r#"{"id":"chatcmpl-0123456789abcdef0123456789abcdef0123456789","choices":[{"message":
        {"content":"","tool_calls":[{"function":{"name":"f","arguments":{"city":"Oslo"}}},
        {"function":{"name":"f","arguments":{"city":"Rome"}}}]},"finish_reason":"stop"}]}"#;
    let choice = only(whole(body));
    let ids: Vec<_> = choice.tool_calls.iter().map(|call| &call.id).collect();
    assert!(ids.iter().all(|id| id.len() <= 40), "{ids:?}");
    assert_ne!(ids[0], ids[1]);
    let stage = Stage::new();
    stage.http.always(Reply::json(200, body));
    let mut longer = common::request();
    longer.messages.extend(longer.messages.clone());
    let answer = stage.complete_request(&longer).expect("an answer");
    assert_ne!(answer.choices[0].tool_calls[0].id, *ids[0]);
}

#[test]
fn a_document_in_place_of_a_stream_and_a_stream_in_place_of_a_document_are_read() {
    let body = format!(
        r#"{{"choices":[{{"index":0,"message":{{"role":"assistant","content":"Hello"}},"finish_reason":"stop"}}],{USAGE}}}"#
    );
    let pretty = format!("\n {}\n", body.replace(',', ",\n "));
    let bom = format!("\u{feff}{body}");
    for document in [&body, &pretty, &bom] {
        let answer = collect(document).expect("an answer");
        assert_eq!(answer.usage, Some(Usage::new(11, 5)), "{document}");
        assert_eq!(
            only(Ok(answer)).content.as_deref(),
            Some("Hello"),
            "{document}"
        );
        assert_eq!(
            only(whole(document)).content.as_deref(),
            Some("Hello"),
            "{document}"
        );
    }
    assert!(matches!(
        collect(r#"{"error":{"message":"x","code":500}}"#),
        Err(LlmError::Reported(_))
    ));
    assert!(
        collect(&body[..body.len() - 9]).is_err(),
        "a truncated document"
    );
    let stream = [
        chunk(r#""delta":{"role":"assistant","content":"Hel"}"#),
        chunk(&format!(
            r#""delta":{{"content":"lo"}},"finish_reason":"stop",{USAGE}"#
        )),
    ]
    .concat();
    let streams = [
        stream.clone() + DONE,
        format!(": comment\n\n{stream}"),
        format!("event: message\n{stream}"),
        format!("\u{feff}{stream}{DONE}").replace("data: ", "data:"),
        (stream.clone() + DONE).replace('\n', "\r\n"),
    ];
    for stream in &streams {
        for answer in [whole(stream), collect(stream)] {
            let answer = answer.expect("an answer");
            assert_eq!(answer.usage, Some(Usage::new(11, 5)), "{stream}");
            assert_eq!(
                only(Ok(answer)).content.as_deref(),
                Some("Hello"),
                "{stream}"
            );
        }
    }
    assert!(
        whole(&chunk(r#""delta":{"content":"Hel"}"#)).is_err(),
        "a truncated stream"
    );
}

#[test]
fn a_whole_message_adds_only_what_was_not_streamed() {
    let last = |message: &str| {
        format!(r#""message":{{"role":"assistant",{message}}},"finish_reason":"stop""#)
    };
    let streamed_text = r#""delta":{"content":"Hello"}"#;
    let streamed_thought = r#""delta":{"reasoning_content":"hm"}"#;
    for (chunks, expected) in [
        (vec![streamed_text], (None, "Hello")),
        (vec![streamed_thought, streamed_text], (Some("hm"), "Hello")),
        (vec![streamed_thought], (Some("hm"), "Hello")),
        (vec![], (Some("hm"), "Hello")),
    ] {
        for message in [
            r#""content":"Hello","reasoning_content":"hm""#,
            r#""content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Hello"}]"#,
        ] {
            let last = last(message);
            let mut chunks = chunks.clone();
            chunks.push(&last);
            let choice = only(streamed(&chunks));
            let found = (choice.reasoning.as_deref(), choice.content.as_deref());
            assert_eq!(found, (expected.0, Some(expected.1)), "{chunks:?}");
        }
    }
}

#[test]
fn unusual_choices_are_read() {
    let text = r#"{"choices":[{"text":"Hello","index":0,"finish_reason":"stop"}]}"#;
    assert_eq!(only(whole(text)).content.as_deref(), Some("Hello"));
    let negative = r#"{"choices":[{"index":-1,"message":{"content":"Hello"},"finish_reason":{"type":"stop","matched":2}}]}"#;
    let choice = only(whole(negative));
    assert_eq!(
        (choice.index, choice.finish_reason),
        (0, Some(FinishReason::Stop))
    );
    let aborted = r#"{"choices":[{"message":{"content":"Hel"},"finish_reason":{"type":"abort"}}]}"#;
    assert!(matches!(whole(aborted), Err(LlmError::Truncated(_))));
    let reasoning = r#"{"choices":[{"message":{"content":"Hello","reasoning":{"text":"hm"}},"finish_reason":"stop"}]}"#;
    assert_eq!(only(whole(reasoning)).reasoning.as_deref(), Some("hm"));
    for blocked in [
        r#"{"choices":[],"prompt_feedback":{"block_reason":"SAFETY"}}"#,
        r#"{"promptFeedback":{"blockReason":"OTHER"},"usageMetadata":{"promptTokenCount":9}}"#,
    ] {
        let answers = [
            whole(blocked),
            collect(&format!("data: {blocked}\n\n{DONE}")),
        ];
        for answer in answers {
            assert_eq!(
                only(answer).finish_reason,
                Some(FinishReason::ContentFilter),
                "{blocked}"
            );
        }
    }
}
