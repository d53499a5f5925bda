//! The events of a stream.

use clawless_core::ErrorCode;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::items::{OutputItem, output_part, reasoning_part, reference};
use super::{ResponseEvent, ResponseObject};
use crate::schema::{any_of, component, object, variant};

component! { ResponseEvent, "ResponseStreamEvent", event }

fn event(generator: &mut SchemaGenerator) -> Schema {
    let response = reference::<ResponseObject>(generator);
    let item = reference::<OutputItem>(generator);
    let code = reference::<ErrorCode>(generator);
    let whole = |name: &str| numbered(name, json!({ "response": response }));
    let of_item = |name: &str| numbered(name, json!({ "output_index": count(), "item": item }));
    let error = json!({
        "code": code,
        "message": text(),
        "param": { "type": ["string", "null"] },
        "error": object(&["type", "code", "message", "param"], &json!({
            "type": text(), "code": code, "message": text(), "param": { "type": ["string", "null"] },
        })),
    });
    let mut events: Vec<Value> = [
        "created",
        "in_progress",
        "completed",
        "incomplete",
        "failed",
    ]
    .map(|name| whole(&format!("response.{name}")))
    .into();
    events.extend(["added", "done"].map(|name| of_item(&format!("response.output_item.{name}"))));
    events.extend(of_parts());
    events.extend(of_calls());
    events.push(numbered("error", error));
    json_schema!({
        "description": "The data of an event. A stream ends with `response.completed`, `response.incomplete` or `response.failed`; with `error` only if no response was begun.",
        "anyOf": events,
    })
}

/// The events of the parts of messages and reasoning.
fn of_parts() -> Vec<Value> {
    let logprobs =
        json!({ "type": "array", "items": { "type": "object", "additionalProperties": true } });
    let part = || any_of([output_part(), reasoning_part("reasoning_text")]);
    let summary = || reasoning_part("summary_text");
    let in_content = |name: &str, members: Value| of_part(name, "content_index", members);
    let in_summary = |name: &str, members: Value| of_part(name, "summary_index", members);
    vec![
        in_content("response.content_part.added", json!({ "part": part() })),
        in_content("response.content_part.done", json!({ "part": part() })),
        in_content(
            "response.output_text.delta",
            json!({ "delta": text(), "logprobs": logprobs }),
        ),
        in_content(
            "response.output_text.done",
            json!({ "text": text(), "logprobs": logprobs }),
        ),
        in_content("response.refusal.delta", json!({ "delta": text() })),
        in_content("response.refusal.done", json!({ "refusal": text() })),
        in_content("response.reasoning_text.delta", json!({ "delta": text() })),
        in_content("response.reasoning_text.done", json!({ "text": text() })),
        in_summary(
            "response.reasoning_summary_part.added",
            json!({ "part": summary() }),
        ),
        in_summary(
            "response.reasoning_summary_part.done",
            json!({ "part": summary() }),
        ),
        in_summary(
            "response.reasoning_summary_text.delta",
            json!({ "delta": text() }),
        ),
        in_summary(
            "response.reasoning_summary_text.done",
            json!({ "text": text() }),
        ),
    ]
}

/// The events of calls.
fn of_calls() -> Vec<Value> {
    let calls = [
        ("function_call_arguments", "arguments"),
        ("custom_tool_call_input", "input"),
    ];
    let events = calls.into_iter().flat_map(|(name, text_of)| {
        let place = || json!({ "item_id": text(), "output_index": count() });
        let delta = merged(place(), json!({ "delta": text() }));
        let done = merged(place(), json!({ "name": text(), (text_of): text() }));
        [
            numbered(&format!("response.{name}.delta"), delta),
            numbered(&format!("response.{name}.done"), done),
        ]
    });
    events.collect()
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// An event of a part, whose position has this name.
fn of_part(name: &str, index: &str, members: Value) -> Value {
    let place = json!({ "item_id": text(), "output_index": count(), (index): count() });
    numbered(name, merged(place, members))
}

/// An event with these members, each of which it always has, and its number.
fn numbered(name: &str, members: Value) -> Value {
    let members = merged(json!({ "sequence_number": count() }), members);
    let names: Vec<&str> = members
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    variant(name, &names, &members)
}

fn merged(mut first: Value, second: Value) -> Value {
    if let (Some(all), Value::Object(more)) = (first.as_object_mut(), second) {
        all.extend(more);
    }
    first
}
