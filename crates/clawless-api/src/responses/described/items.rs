//! Items of answers and of lists.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::schema::{any_of, component, object, open, variant};

/// An item of an answer.
pub(super) enum OutputItem {}

/// An item of a list: one of an answer, or of its input.
pub(super) enum ListedItem {}

component! { OutputItem, "OutputItem", |_| output_item() }
component! { ListedItem, "Item", listed_item }

/// The component of a type as a value.
pub(super) fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn status() -> Value {
    json!({ "enum": ["in_progress", "completed", "incomplete"] })
}

/// Objects of the provider.
fn objects() -> Value {
    json!({ "type": "array", "items": { "type": "object", "additionalProperties": true } })
}

/// A part of an answer's message.
pub(super) fn output_part() -> Value {
    any_of([
        variant(
            "output_text",
            &["text", "annotations", "logprobs"],
            &json!({ "text": text(), "annotations": objects(), "logprobs": objects() }),
        ),
        variant("refusal", &["refusal"], &json!({ "refusal": text() })),
    ])
}

/// A part of reasoning, of a summary or of its text.
pub(super) fn reasoning_part(name: &str) -> Value {
    variant(name, &["text"], &json!({ "text": text() }))
}

/// The parts of an input's content.
pub(super) fn content_parts() -> [Value; 5] {
    let texts = json!({
        "type": "object",
        "title": "input_text",
        "additionalProperties": true,
        "required": ["type", "text"],
        "properties": { "type": { "enum": ["input_text", "output_text", "text"] }, "text": text() },
    });
    [
        texts,
        open(variant(
            "refusal",
            &["refusal"],
            &json!({ "refusal": text() }),
        )),
        open(variant(
            "input_image",
            &["image_url"],
            &json!({ "image_url": text(), "detail": { "type": ["string", "null"] } }),
        )),
        open(variant(
            "input_file",
            &[],
            &json!({ "file_data": { "type": ["string", "null"] }, "file_id": { "type": ["string", "null"] }, "filename": { "type": ["string", "null"] } }),
        )),
        open(variant(
            "input_audio",
            &["input_audio"],
            &json!({ "input_audio": true }),
        )),
    ]
}

fn output_item() -> Schema {
    let call = |name: &str, text_of: &str| {
        let members = json!({
            "id": text(), "status": status(), "call_id": text(), "name": text(), (text_of): text(), "namespace": text(),
        });
        open(variant(
            name,
            &["id", "status", "call_id", "name", text_of],
            &members,
        ))
    };
    let reasoning = json!({
        "id": text(),
        "status": status(),
        "summary": { "type": "array", "items": reasoning_part("summary_text") },
        "content": { "type": "array", "items": reasoning_part("reasoning_text") },
        "encrypted_content": { "type": "string", "description": "What the provider wants back unchanged." },
    });
    let message = json!({
        "id": text(),
        "status": status(),
        "role": { "const": "assistant" },
        "content": { "type": "array", "items": output_part() },
    });
    json_schema!({
        "description": "An item of an answer. Members beyond these are the provider's.",
        "anyOf": [
            open(variant("message", &["id", "status", "role", "content"], &message)),
            variant("reasoning", &["id", "status", "summary"], &reasoning),
            call("function_call", "arguments"),
            call("custom_tool_call", "input"),
        ],
    })
}

fn listed_item(generator: &mut SchemaGenerator) -> Schema {
    let of_answer = reference::<OutputItem>(generator);
    let part = || open(object(&["type"], &json!({ "type": text() })));
    let parts = || json!({ "type": "array", "items": part() });
    let message = json!({
        "id": text(),
        "role": { "enum": ["user", "system", "developer"] },
        "status": { "const": "completed" },
        "content": parts(),
    });
    let output = json!({
        "id": text(),
        "call_id": text(),
        "output": any_of([text(), parts()]),
        "status": { "const": "completed" },
    });
    json_schema!({
        "description": "An item of a conversation.",
        "anyOf": [
            of_answer,
            variant("message", &["id", "role", "status", "content"], &message),
            variant("function_call_output", &["id", "call_id", "output", "status"], &output),
        ],
    })
}
