//! The JSON of an answer, whole or in chunks.

use crate::chat::ToolCall;
use crate::event::{Finished, Stop, Usage};
use serde_json::{Map, Value, json};

/// The members that all parts of one answer share.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// `chatcmpl-…`
    pub(crate) id: String,
    /// Unix seconds.
    pub(crate) created: u64,
    pub(crate) model: String,
}

/// An answer being collected.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) text: String,
    pub(crate) calls: Vec<ToolCall>,
}

impl Head {
    /// The body of an answer that is not streamed.
    pub(crate) fn completion(&self, answer: &Collected, finished: &Finished) -> Value {
        let mut message = json!({
            "role": "assistant",
            "content": answer.text,
            "refusal": null,
        });
        if let (Some(members), false) = (message.as_object_mut(), answer.calls.is_empty()) {
            if answer.text.is_empty() {
                members.insert("content".into(), Value::Null);
            }
            let calls = answer.calls.iter().enumerate();
            let calls = calls.map(|(index, call)| self.call(index, call)).collect();
            members.insert("tool_calls".into(), calls);
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": reason(finished.stop),
            }],
            "usage": usage(&finished.usage),
        })
    }

    /// A chunk with a delta.
    pub(crate) fn delta(&self, delta: &Value, with_usage: bool) -> Value {
        self.chunk(delta, None, with_usage)
    }

    /// A chunk with one whole tool call, the `index`th of the answer.
    pub(crate) fn call_delta(&self, index: usize, call: &ToolCall, with_usage: bool) -> Value {
        let mut call = self.call(index, call);
        if let Some(members) = call.as_object_mut() {
            members.insert("index".into(), index.into());
        }
        self.delta(&json!({"tool_calls": [call]}), with_usage)
    }

    /// The last chunk with a choice.
    pub(crate) fn end(&self, stop: Stop, with_usage: bool) -> Value {
        self.chunk(&json!({}), Some(reason(stop)), with_usage)
    }

    /// The chunk with the usage.
    pub(crate) fn usage(&self, counted: &Usage) -> Value {
        let mut chunk = self.frame(json!([]));
        chunk.insert("usage".into(), usage(counted));
        Value::Object(chunk)
    }

    fn chunk(&self, delta: &Value, finish_reason: Option<&str>, with_usage: bool) -> Value {
        let mut chunk = self.frame(json!([{
            "index": 0,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        }]));
        if with_usage {
            chunk.insert("usage".into(), Value::Null);
        }
        Value::Object(chunk)
    }

    fn frame(&self, choices: Value) -> Map<String, Value> {
        Map::from_iter([
            ("id".into(), self.id.clone().into()),
            ("object".into(), "chat.completion.chunk".into()),
            ("created".into(), self.created.into()),
            ("model".into(), self.model.clone().into()),
            ("choices".into(), choices),
        ])
    }

    fn call(&self, index: usize, call: &ToolCall) -> Value {
        let answer = self.id.trim_start_matches("chatcmpl-");
        json!({
            "id": format!("call_{answer}_{index}"),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        })
    }
}

fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::Natural => "stop",
        Stop::Length => "length",
        Stop::ToolCalls => "tool_calls",
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    })
}
