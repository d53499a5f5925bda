//! The bodies of the surface as the API's description names them. Their values are read and written by
//! hand, or by types that borrow; the schemas are here.

/// The body of a request for a message.
#[derive(Debug)]
pub enum MessageRequest {}

/// The body of a request to count tokens: the same without `max_tokens`.
#[derive(Debug)]
pub enum CountRequest {}

/// The body of a whole answer.
#[derive(Debug)]
pub enum MessageResponse {}

/// The data of a stream's events.
#[derive(Debug)]
pub enum MessageEvent {}

/// The body of an error.
#[derive(Debug)]
pub enum MessageError {}

#[cfg(feature = "schema")]
mod schemas {
    use std::borrow::Cow;

    use clawless_core::SessionId;
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde_json::{Value, json};

    use super::super::usage::MessageUsage;
    use super::{CountRequest, MessageError, MessageEvent, MessageRequest, MessageResponse};
    use crate::activity::{Extension, ToolActivity};

    /// Implements the schema of a type by a function of the generator.
    macro_rules! component {
        ($type:ty, $name:literal, $schema:expr) => {
            impl JsonSchema for $type {
                fn schema_name() -> Cow<'static, str> {
                    $name.into()
                }

                fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                    let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                    schema(generator)
                }
            }
        };
    }

    component! { MessageRequest, "MessageRequest", |generator| request(generator, &["model", "messages", "max_tokens"]) }
    component! { CountRequest, "MessageCountRequest", |generator| request(generator, &["model", "messages"]) }
    component! { MessageResponse, "Message", response }
    component! { MessageEvent, "MessageStreamEvent", event }
    component! { MessageError, "MessageError", |_| error() }

    fn request(generator: &mut SchemaGenerator, required: &[&str]) -> Schema {
        let content = json!({
            "description": "A text, or content blocks. Blocks are kept byte for byte for providers of this wire.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": block(), "minItems": 1 },
            ],
        });
        let object = |text: &str| json!({ "type": ["object", "null"], "description": text, "additionalProperties": true });
        json_schema!({
            "description": "A request for a message. Members beyond these are passed on to providers that know them.",
            "type": "object",
            "required": required,
            "properties": {
                "model": { "type": "string", "minLength": 1, "maxLength": 256, "description": "The model, an alias, or `auto`." },
                "max_tokens": { "type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX, "description": "The maximum number of output tokens." },
                "messages": {
                    "description": "The messages. With a session, only the new ones.",
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["role", "content"],
                        "properties": {
                            "role": { "enum": ["user", "assistant", "system"] },
                            "content": content,
                        },
                    },
                },
                "system": {
                    "description": "The system prompt: a text, or text blocks.",
                    "anyOf": [{ "type": "string" }, { "type": "array", "items": block() }, { "type": "null" }],
                },
                "metadata": object("`user_id` identifies the end user."),
                "stop_sequences": {
                    "type": ["array", "null"],
                    "maxItems": 64,
                    "items": { "type": "string", "minLength": 1, "maxLength": 4096 },
                    "description": "Texts at which the model stops.",
                },
                "stream": { "type": ["boolean", "null"], "description": "Whether to answer with a stream of events." },
                "temperature": { "type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "Sampling temperature, 0 to 1." },
                "top_p": { "type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "Nucleus sampling, 0 to 1." },
                "top_k": { "type": ["integer", "null"], "minimum": 0, "description": "Sampling from the `top_k` likeliest tokens." },
                "tools": { "type": ["array", "null"], "items": { "type": "object" }, "description": "The tools that the model may call." },
                "tool_choice": object("How the model uses tools."),
                "thinking": object("Extended thinking."),
                "output_config": object("The effort and the format of the answer."),
                "output_format": object("The format of the answer."),
                "service_tier": { "enum": ["auto", "standard_only", null], "description": "The service tier." },
                "session_id": {
                    "anyOf": [generator.subschema_for::<SessionId>(), { "type": "null" }],
                    "description": "The session that the messages continue; created if it does not exist.",
                },
            },
        })
    }

    /// A content block of a request.
    fn block() -> Value {
        json!({
            "type": "object",
            "required": ["type"],
            "properties": { "type": { "type": "string" } },
            "additionalProperties": true,
        })
    }

    fn response(generator: &mut SchemaGenerator) -> Schema {
        let usage = generator.subschema_for::<MessageUsage>();
        let activity = generator.subschema_for::<Extension<Vec<ToolActivity>>>();
        json_schema!({
            "description": "A whole answer.",
            "type": "object",
            "required": ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"],
            "properties": {
                "id": { "type": "string", "description": "The id of the answer." },
                "type": { "const": "message", "description": "Always `message`." },
                "role": { "const": "assistant", "description": "Always `assistant`." },
                "model": { "type": "string", "description": "The model that answered." },
                "content": { "type": "array", "items": answered(), "description": "The content blocks." },
                "stop_reason": { "type": ["string", "null"], "description": "Why the model stopped." },
                "stop_sequence": { "type": ["string", "null"], "description": "The stop sequence that ended the answer." },
                "usage": usage,
                "clawless": activity,
            },
        })
    }

    /// A content block of an answer. Signed blocks are the provider's own.
    fn answered() -> Value {
        let variant = |title: &str, name: &str, members: Value, required: &[&str]| {
            let mut properties = json!({ "type": { "const": name } });
            if let (Some(all), Some(own)) = (properties.as_object_mut(), members.as_object()) {
                all.extend(own.clone());
            }
            let required: Vec<&str> = ["type"].into_iter().chain(required.iter().copied()).collect();
            json!({
                "title": title,
                "type": "object",
                "required": required,
                "properties": properties,
                "additionalProperties": true,
            })
        };
        let text = json!({ "type": "string" });
        json!({ "anyOf": [
            variant("Text", "text", json!({ "text": text }), &["text"]),
            variant("Thinking", "thinking", json!({ "thinking": text, "signature": text }), &["thinking"]),
            variant("Redacted thinking", "redacted_thinking", json!({}), &[]),
            variant(
                "Tool call",
                "tool_use",
                json!({ "id": text, "name": text, "input": { "type": "object" } }),
                &["id", "name", "input"],
            ),
        ] })
    }

    fn event(generator: &mut SchemaGenerator) -> Schema {
        let usage = generator.subschema_for::<MessageUsage>();
        let activity = generator.subschema_for::<Extension<Vec<ToolActivity>>>();
        let index = json!({ "type": "integer", "minimum": 0 });
        let message = response(generator);
        let delta = |name: &str, member: &str| {
            json!({
                "type": "object",
                "required": ["type", member],
                "properties": { "type": { "const": name }, (member): { "type": "string" } },
            })
        };
        let variant = |name: &str, members: Value, required: &[&str]| {
            let mut properties = json!({ "type": { "const": name } });
            if let (Some(all), Some(own)) = (properties.as_object_mut(), members.as_object()) {
                all.extend(own.clone());
            }
            let required: Vec<&str> = ["type"].into_iter().chain(required.iter().copied()).collect();
            json!({ "title": name, "type": "object", "required": required, "properties": properties })
        };
        let end = json!({
            "type": "object",
            "required": ["stop_reason", "stop_sequence"],
            "properties": {
                "stop_reason": { "type": "string" },
                "stop_sequence": { "type": ["string", "null"] },
            },
        });
        let deltas = json!({ "anyOf": [
            delta("text_delta", "text"),
            delta("thinking_delta", "thinking"),
            delta("signature_delta", "signature"),
            delta("input_json_delta", "partial_json"),
        ] });
        json_schema!({
            "description": "The data of an event. A whole stream ends with `message_stop`, one that breaks off with `error`.",
            "anyOf": [
                variant("message_start", json!({ "message": message }), &["message"]),
                variant("content_block_start", json!({ "index": index, "content_block": answered() }), &["index", "content_block"]),
                variant("content_block_delta", json!({ "index": index, "delta": deltas }), &["index", "delta"]),
                variant("content_block_stop", json!({ "index": index }), &["index"]),
                variant("message_delta", json!({ "delta": end, "usage": usage }), &["delta", "usage"]),
                variant("message_stop", json!({}), &[]),
                variant("ping", json!({ "clawless": activity }), &[]),
                generator.subschema_for::<MessageError>(),
            ],
        })
    }

    fn error() -> Schema {
        json_schema!({
            "description": "The body of every error of this surface.",
            "type": "object",
            "required": ["type", "error", "request_id"],
            "properties": {
                "type": { "const": "error", "description": "Always `error`." },
                "error": {
                    "type": "object",
                    "required": ["type", "message"],
                    "properties": {
                        "type": { "enum": [
                            "api_error", "authentication_error", "billing_error", "invalid_request_error", "not_found_error",
                            "overloaded_error", "permission_error", "rate_limit_error", "request_too_large", "timeout_error",
                        ] },
                        "message": { "type": "string" },
                    },
                },
                "request_id": { "type": "string", "description": "The request's id." },
            },
        })
    }
}
