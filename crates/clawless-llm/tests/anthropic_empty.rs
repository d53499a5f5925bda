//! Anthropic's wire: answers without content.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

mod common;

use clawless_core::FinishReason;
use clawless_core::llm::{LlmProvider, ProviderKind};
use clawless_llm::egress::Egress;
use clawless_llm::{LlmError, make_client};
use clawless_testkit::provider::Reply;
use common::Stage;
use serde_json::{Value, json};

/// A whole response and the same response as a stream.
fn in_both_forms(content: &Value, end: &Value, usage: &Value) -> [Reply; 2] {
    let mut body =
        json!({"type": "message", "role": "assistant", "content": content, "usage": usage});
    let members = body.as_object_mut().expect("an object");
    members.extend(end.as_object().expect("an object").clone());
    let mut events =
        vec![json!({"type": "message_start", "message": {"role": "assistant", "content": []}})];
    for (index, block) in (0..).zip(content.as_array().expect("a list")) {
        let block = json!({"type": "content_block_start", "index": index, "content_block": block});
        events.push(block);
        events.push(json!({"type": "content_block_stop", "index": index}));
    }
    events.push(json!({"type": "message_delta", "delta": end, "usage": usage}));
    events.push(json!({"type": "message_stop"}));
    let events = events.iter().map(|event| format!("data: {event}\n\n"));
    [
        Reply::json(200, &body.to_string()),
        Reply::stream(&events.collect::<String>()),
    ]
}

/// A client of a scripted server.
fn stage() -> Stage {
    let mut stage = Stage::new();
    let provider = LlmProvider {
        kind: ProviderKind::Anthropic,
        ..common::provider("provider")
    };
    stage.client = make_client(&provider, None, Egress::Public).expect("a client");
    stage
}

#[test]
fn an_empty_response_without_counted_tokens_is_retryable() {
    let end = json!({"stop_reason": "end_turn", "stop_sequence": null});
    for content in [json!([]), json!([{"type": "text", "text": ""}])] {
        for usage in [
            json!(null),
            json!({}),
            json!("none"),
            json!({"input_tokens": 9, "output_tokens": 0}),
            json!({"input_tokens": 0, "output_tokens": 0}),
        ] {
            let [body, stream] = in_both_forms(&content, &end, &usage);
            let stage = stage();
            stage.http.next(body);
            assert_eq!(
                stage.complete(),
                Err(LlmError::EmptyAnswer),
                "{content} {usage}"
            );
            stage.http.next(stream);
            let failed = (Vec::new(), Some(LlmError::EmptyAnswer));
            assert_eq!(
                stage.stream(),
                failed,
                "before it has begun: {content} {usage}"
            );
        }
    }
}

#[test]
fn responses_that_are_empty_for_a_reason_are_complete() {
    let none = json!({"input_tokens": 9, "output_tokens": 0});
    let counted = json!({"input_tokens": 9, "output_tokens": 3});
    let nothing = json!([]);
    let call = json!([{"type": "tool_use", "id": "c", "name": "f", "input": {}}]);
    for (content, end, usage, reason) in [
        (
            &nothing,
            json!({"stop_reason": "end_turn"}),
            &counted,
            FinishReason::Stop,
        ),
        (
            &nothing,
            json!({"stop_reason": "max_tokens"}),
            &none,
            FinishReason::Length,
        ),
        (
            &nothing,
            json!({"stop_reason": "refusal"}),
            &none,
            FinishReason::ContentFilter,
        ),
        (
            &nothing,
            json!({"stop_reason": "pause_turn"}),
            &none,
            FinishReason::Length,
        ),
        (
            &nothing,
            json!({"stop_reason": "stop_sequence", "stop_sequence": "END"}),
            &none,
            FinishReason::Stop,
        ),
        (
            &call,
            json!({"stop_reason": "tool_use"}),
            &none,
            FinishReason::ToolCalls,
        ),
    ] {
        let [body, stream] = in_both_forms(content, &end, usage);
        let stage = stage();
        stage.http.next(body);
        let answer = stage.complete().expect("an answer");
        assert_eq!(answer.choices[0].finish_reason, Some(reason), "{end}");
        stage.http.next(stream);
        let answer = stage.collect().expect("an answer");
        assert_eq!(answer.choices[0].finish_reason, Some(reason), "{end}");
    }
}
