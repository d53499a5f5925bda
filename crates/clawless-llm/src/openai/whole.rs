//! The decoder of whole responses, with the same checks as for streams.

use clawless_core::llm::LlmResponse;

use super::chunk::{Answer, OpenAiDecoder};
use crate::accumulate::Accumulator;
use crate::body_form;
use crate::error::LlmError;
use crate::protocol::{Decoder, Progress};

/// Decodes a body with a successful status. An HTML page, an error object or a body without a
/// response is an error. Some servers send a stream that was not requested.
pub(super) fn decode(mut answer: Answer, body: &[u8]) -> Result<LlmResponse, LlmError> {
    let mut events = Vec::new();
    if body_form::is_events(body) {
        let mut decoder = OpenAiDecoder::of(answer);
        if decoder.push(body, &mut events)? == Progress::More {
            decoder.end(&mut events)?;
        }
    } else {
        answer.take(body_form::without_lead(body), &mut events)?;
        // Valid JSON was not truncated, even without a finish reason.
        answer.close(&mut events)?;
    }
    let mut whole = Accumulator::default();
    whole.push_all(&events);
    Ok(whole.finish())
}

#[cfg(test)]
mod tests {
    use clawless_core::{FinishReason, Usage};

    use super::*;

    fn decode(body: &[u8]) -> Result<LlmResponse, LlmError> {
        super::decode(Answer::default(), body)
    }

    #[test]
    fn a_whole_response_is_decoded() {
        let answer = decode(
            br#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[
                {"index":1,"message":{"role":"assistant","content":"b","refusal":null},"finish_reason":"length","logprobs":null},
                {"index":0,"message":{"role":"assistant","content":null,"reasoning":"hm","tool_calls":[
                    {"id":"c","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":"tool_calls"}],
                "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
        )
        .expect("an answer");
        assert_eq!(answer.usage, Some(Usage::new(3, 4)));
        let [first, second] = answer.choices.as_slice() else {
            panic!("{answer:?}");
        };
        assert_eq!(first.reasoning.as_deref(), Some("hm"));
        assert_eq!(first.tool_calls[0].arguments, "{}");
        assert_eq!(first.finish_reason, Some(FinishReason::ToolCalls));
        assert_eq!(second.content.as_deref(), Some("b"));
    }

    #[test]
    fn an_empty_text_is_a_text() {
        let answer = decode(
            br#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}],
                "usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}"#,
        )
        .expect("an answer");
        assert_eq!(answer.choices[0].content.as_deref(), Some(""));
    }

    #[test]
    fn a_body_without_a_response_is_an_error() {
        for body in [
            "<html>",
            "",
            "{}",
            "null",
            "[]",
            r#"{"choices":[]}"#,
            r#"{"choices":null}"#,
            r#"{"error":{"message":"x"}}"#,
            r#"{"error":"x"}"#,
            r#"{"object":"error","message":"x"}"#,
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"vibes"}]}"#,
            r#"{"choices":[{"message":{"content":""},"finish_reason":null}]}"#,
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{\"x\""}}]}}]}"#,
            r#"{"choices":[{"index":4000000,"message":{"content":"a"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]} trailing"#,
        ] {
            assert!(decode(body.as_bytes()).is_err(), "{body}");
        }
    }
}
