//! The body of a request for a response.

use clawless_core::SessionId;
use clawless_core::chat::{ReasoningEffort, Verbosity};
use clawless_core::schema::Metadata;
use clawless_core::tool::server_tools;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::ResponseRequest;
use super::items::{content_parts, reference};
use crate::schema::{any_of, component, described, object, open, titled, variant};

component! { ResponseRequest, "ResponseRequest", request }
component! { InputItem, "InputItem", item }
component! { InputContent, "InputContent", |_| content() }
component! { ResponseTool, "ResponseTool", |_| tool() }

/// An item of the input.
enum InputItem {}

/// A part of the content of an input item.
enum InputContent {}

/// A tool that the model may call.
enum ResponseTool {}

fn request(generator: &mut SchemaGenerator) -> Schema {
    let members = parameters(generator);
    json_schema!({
        "description": "A request for a response. Members beyond these are passed on to providers that know them.",
        "type": "object",
        "additionalProperties": true,
        "required": ["model", "input"],
        "properties": members,
    })
}

fn parameters(generator: &mut SchemaGenerator) -> Value {
    let text = |text: &str, max: u32| json!({ "type": ["string", "null"], "maxLength": max, "description": text });
    let number = |text: &str, low: f64, high: f64| json!({ "type": ["number", "null"], "minimum": low, "maximum": high, "description": text });
    let flag = |text: &str| described(text, nullable("boolean"));
    let count = |text: &str| json!({ "type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX, "description": text });
    let metadata = any_of([
        generator.subschema_for::<Metadata>().to_value(),
        json!({ "type": "null" }),
    ]);
    json!({
        "model": { "type": "string", "minLength": 1, "maxLength": 256, "description": "The model, an alias, or `auto`." },
        "input": {
            "description": "A text of the user, or items.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "minItems": 1, "items": reference::<InputItem>(generator) },
            ],
        },
        "instructions": described("A system prompt for this response only.", nullable("string")),
        "previous_response_id": described("The response that this one continues.", nullable("string")),
        "conversation": conversation(generator),
        "stream": flag("Whether to answer with a stream of events."),
        "stream_options": described("Options of a stream.", json!({ "type": ["object", "null"], "additionalProperties": true })),
        "tools": {
            "type": ["array", "null"],
            "items": reference::<ResponseTool>(generator),
            "description": "The tools that the model may call: functions, custom tools, namespaces of functions, and server tools by their name.",
        },
        "tool_choice": {
            "description": "How the model uses tools.",
            "anyOf": [{ "enum": ["none", "auto", "required", null] }, open(object(&["type"], &json!({ "type": { "enum": ["function", "custom", "allowed_tools"] } })))],
        },
        "parallel_tool_calls": flag("Whether the model may call several tools at once."),
        "max_tool_calls": count("The maximum number of calls of server tools."),
        "text": text_config(generator),
        "reasoning": reasoning(generator),
        "truncation": { "enum": ["auto", "disabled", null], "description": "Whether a history that does not fit the model is shortened." },
        "max_output_tokens": count("The maximum number of output tokens."),
        "metadata": described("Labels of the response.", metadata),
        "include": {
            "type": ["array", "null"],
            "items": { "type": "string" },
            "description": "What the response contains besides: `reasoning.encrypted_content`, `message.output_text.logprobs`.",
        },
        "store": flag("Whether the response is stored; `true` by default."),
        "prompt": { "type": "null", "description": "Not supported." },
        "background": { "enum": [false, null], "description": "Not supported." },
        "service_tier": text("The provider's service tier.", 64),
        "prompt_cache_key": text("Identifies requests with a common prefix.", 512),
        "safety_identifier": text("The end user of the client, hashed.", 512),
        "user": text("The end user of the client.", 512),
        "temperature": number("Sampling temperature, 0 to 2.", 0.0, 2.0),
        "top_p": number("Nucleus sampling, 0 to 1.", 0.0, 1.0),
        "top_logprobs": { "type": ["integer", "null"], "minimum": 0, "maximum": 20, "description": "How many log probabilities each token has." },
        "presence_penalty": number("Penalty for tokens that occurred.", -2.0, 2.0),
        "frequency_penalty": number("Penalty for frequent tokens.", -2.0, 2.0),
    })
}

fn nullable(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

/// A session: its id, or an object with it.
fn conversation(generator: &mut SchemaGenerator) -> Value {
    let id = generator.subschema_for::<SessionId>().to_value();
    let text = "The session that the input continues; created if it does not exist. Excludes `previous_response_id`.";
    described(
        text,
        any_of([
            id.clone(),
            open(object(&["id"], &json!({ "id": id }))),
            json!({ "type": "null" }),
        ]),
    )
}

fn reasoning(generator: &mut SchemaGenerator) -> Value {
    let effort = generator.subschema_for::<ReasoningEffort>().to_value();
    json!({
        "type": ["object", "null"],
        "additionalProperties": true,
        "description": "Reasoning.",
        "properties": {
            "effort": described("The effort.", any_of([effort, json!({ "type": "null" })])),
            "summary": { "enum": ["auto", "concise", "detailed", null], "description": "Whether reasoning is shown as a summary; otherwise as text." },
        },
    })
}

fn text_config(generator: &mut SchemaGenerator) -> Value {
    let verbosity = generator.subschema_for::<Verbosity>().to_value();
    let null = json!({ "type": "null" });
    let formats = any_of([
        open(variant("text", &[], &json!({}))),
        open(variant("json_object", &[], &json!({}))),
        open(variant(
            "json_schema",
            &["name", "schema"],
            &json!({
                "name": { "type": "string" },
                "schema": { "type": "object", "additionalProperties": true },
                "description": nullable("string"),
                "strict": nullable("boolean"),
            }),
        )),
        null.clone(),
    ]);
    json!({
        "type": ["object", "null"],
        "additionalProperties": true,
        "description": "The text of the answer.",
        "properties": {
            "format": described("Its format.", formats),
            "verbosity": described("Its verbosity.", any_of([verbosity, null])),
        },
    })
}

fn content() -> Schema {
    json_schema!({
        "description": "A part of the content of an input item. Members beyond these are passed on.",
        "anyOf": content_parts(),
    })
}

fn tool() -> Schema {
    let text = json!({ "type": "string" });
    let function = json!({
        "name": text,
        "description": nullable("string"),
        "parameters": described("A JSON schema of the arguments.", json!({ "type": ["object", "null"], "additionalProperties": true })),
        "strict": nullable("boolean"),
    });
    let function = open(variant("function", &["name"], &function));
    let namespace = json!({ "name": text, "tools": { "type": "array", "items": function } });
    let custom = json!({
        "name": text,
        "description": nullable("string"),
        "format": { "type": ["object", "null"], "additionalProperties": true },
    });
    let server = json!({ "type": { "enum": server_tools() } });
    json_schema!({
        "description": "A tool that the model may call.",
        "anyOf": [
            function,
            open(variant("custom", &["name"], &custom)),
            open(variant("namespace", &["name", "tools"], &namespace)),
            titled("server tool", object(&["type"], &server)),
        ],
    })
}

fn item(generator: &mut SchemaGenerator) -> Schema {
    let text = json!({ "type": "string" });
    let call = |name: &str, text_of: &str| {
        let members = json!({ "call_id": text, "name": text, (text_of): text, "namespace": nullable("string") });
        open(variant(name, &["call_id", "name", text_of], &members))
    };
    let part = reference::<InputContent>(generator);
    let content = || {
        any_of([
            text.clone(),
            json!({ "type": "array", "minItems": 1, "items": part }),
        ])
    };
    let output = |name: &str| {
        let members = json!({ "call_id": text, "output": content() });
        open(variant(name, &["call_id", "output"], &members))
    };
    let parts = json!({ "type": ["array", "null"], "items": open(object(&["text"], &json!({ "text": text }))) });
    let message = json!({
        "title": "message",
        "type": "object",
        "additionalProperties": true,
        "required": ["role", "content"],
        "properties": {
            "type": { "enum": ["message", null] },
            "role": { "enum": ["user", "assistant", "system", "developer"] },
            "content": content(),
        },
    });
    let reasoning =
        json!({ "summary": parts, "content": parts, "encrypted_content": nullable("string") });
    json_schema!({
        "description": "An item of the input. Members beyond these are passed on.",
        "anyOf": [
            message,
            call("function_call", "arguments"),
            call("custom_tool_call", "input"),
            output("function_call_output"),
            output("custom_tool_call_output"),
            open(variant("reasoning", &[], &reasoning)),
            open(variant("item_reference", &["id"], &json!({ "id": text }))),
        ],
    })
}
