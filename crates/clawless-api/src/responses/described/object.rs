//! The response object.

use clawless_core::SessionId;
use clawless_core::schema::Metadata;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::ResponseObject;
use super::items::{OutputItem, reference};
use crate::activity::{Extension, ToolActivity};
use crate::schema::{any_of, component, described, object, open};

component! { ResponseObject, "Response", response }

fn response(generator: &mut SchemaGenerator) -> Schema {
    let mut members = json!({
        "id": { "type": "string", "description": "The id." },
        "object": { "const": "response", "description": "Always `response`." },
        "created_at": { "type": "integer", "description": "When it was created, in seconds since 1970 (UTC)." },
        "status": { "enum": ["in_progress", "completed", "incomplete", "failed"], "description": "How it ended, if it has." },
        "completed_at": { "type": ["integer", "null"], "description": "When it was completed, in seconds since 1970 (UTC); null unless its status is `completed`." },
        "error": or_null("Why it broke off.", error()),
        "incomplete_details": or_null("Why it was cut off.", object(&["reason"], &json!({
            "reason": { "enum": ["max_output_tokens", "content_filter"] },
        }))),
        "model": { "type": "string", "description": "The model that answered." },
        "output": { "type": "array", "items": reference::<OutputItem>(generator), "description": "The items of the answer." },
        "usage": or_null("The tokens used; null until the end.", usage()),
        "clawless": reference::<Extension<Vec<ToolActivity>>>(generator),
    });
    if let (Some(members), Value::Object(echo)) = (members.as_object_mut(), echo(generator)) {
        members.extend(echo);
    }
    json_schema!({
        "description": "A response. It repeats the parameters of its request. Members beyond these are the provider's.",
        "type": "object",
        "additionalProperties": true,
        "required": [
            "id", "object", "created_at", "status", "completed_at", "error", "incomplete_details", "model", "output", "usage",
        ],
        "properties": members,
    })
}

fn or_null(text: &str, schema: Value) -> Value {
    described(text, any_of([schema, json!({ "type": "null" })]))
}

fn error() -> Value {
    let text = json!({ "type": "string" });
    object(
        &["code", "message", "type", "param"],
        &json!({ "code": text, "message": text, "type": text, "param": { "type": ["string", "null"] } }),
    )
}

fn usage() -> Value {
    let count = || json!({ "type": "integer", "minimum": 0 });
    object(
        &[
            "input_tokens",
            "input_tokens_details",
            "output_tokens",
            "output_tokens_details",
            "total_tokens",
        ],
        &json!({
            "input_tokens": count(),
            "input_tokens_details": object(&["cached_tokens", "cache_write_tokens"], &json!({
                "cached_tokens": count(),
                "cache_write_tokens": count(),
            })),
            "output_tokens": count(),
            "output_tokens_details": object(&["reasoning_tokens"], &json!({ "reasoning_tokens": count() })),
            "total_tokens": count(),
        }),
    )
}

/// The parameters that a response repeats. Those of a request's other surface are absent.
fn echo(generator: &mut SchemaGenerator) -> Value {
    let text = || json!({ "type": ["string", "null"] });
    let number = || json!({ "type": "number" });
    let flag = || json!({ "type": "boolean" });
    let count = || json!({ "type": ["integer", "null"], "minimum": 0 });
    let session = object(&["id"], &json!({ "id": reference::<SessionId>(generator) }));
    let any = |kinds: &[&str]| json!({ "type": kinds, "additionalProperties": true });
    json!({
        "access_programs": { "type": "null" },
        "background": flag(),
        "conversation": or_null("The session that stores it, if the request named it.", session),
        "frequency_penalty": number(),
        "instructions": text(),
        "max_output_tokens": count(),
        "max_tool_calls": count(),
        "metadata": reference::<Metadata>(generator),
        "parallel_tool_calls": flag(),
        "presence_penalty": number(),
        "previous_response_id": text(),
        "prompt_cache_key": text(),
        "reasoning": object(&["effort", "summary"], &json!({ "effort": text(), "summary": text() })),
        "safety_identifier": text(),
        "service_tier": text(),
        "store": flag(),
        "temperature": number(),
        "text": described("The format and the verbosity.", open(object(&["format"], &json!({ "format": any(&["object"]) })))),
        "tool_choice": any(&["string", "object"]),
        "tools": { "type": "array", "items": any(&["object"]) },
        "top_logprobs": count(),
        "top_p": number(),
        "truncation": { "enum": ["auto", "disabled"] },
        "user": text(),
    })
}
