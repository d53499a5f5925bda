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
    use clawless_core::SessionId;
    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde_json::{Value, json};

    use super::super::usage::MessageUsage;
    use super::{CountRequest, MessageError, MessageEvent, MessageRequest, MessageResponse};
    use crate::activity::{Extension, ToolActivity};
    use crate::schema::{any_of, component, described, object, open, variant};

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
        let open_object = |text: &str| json!({ "type": ["object", "null"], "description": text, "additionalProperties": true });
        json_schema!({
            "description": "A request for a message. Members beyond these are passed on to providers that know them.",
            "type": "object",
            "additionalProperties": true,
            "required": required,
            "properties": {
                "model": { "type": "string", "minLength": 1, "maxLength": 256, "description": "The model, an alias, or `auto`." },
                "max_tokens": { "type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX, "description": "The maximum number of output tokens." },
                "messages": {
                    "description": "The messages. With a session, only the new ones.",
                    "type": "array",
                    "minItems": 1,
                    "items": object(&["role", "content"], &json!({
                        "role": { "enum": ["user", "assistant", "system"] },
                        "content": content,
                    })),
                },
                "system": {
                    "description": "The system prompt: a text, or text blocks.",
                    "anyOf": [{ "type": "string" }, { "type": "array", "items": block() }, { "type": "null" }],
                },
                "metadata": open_object("`user_id` identifies the end user."),
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
                "tools": { "type": ["array", "null"], "items": tool(), "description": "The tools that the model may call." },
                "tool_choice": open_object("How the model uses tools: `auto`, `any`, `none`, or `tool` with a `name`."),
                "thinking": open_object("Extended thinking: `enabled` with `budget_tokens`, `adaptive` or `disabled`."),
                "output_config": open_object("The effort and the format of the answer."),
                "output_format": open_object("The format of the answer, under its older name."),
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
        open(object(&["type"], &json!({ "type": { "type": "string" } })))
    }

    /// A tool of the client.
    fn tool() -> Value {
        open(object(
            &["name", "input_schema"],
            &json!({
                "type": { "enum": ["custom", null] },
                "name": { "type": "string" },
                "description": { "type": ["string", "null"] },
                "input_schema": { "type": "object", "additionalProperties": true, "description": "A JSON schema of the arguments." },
                "strict": { "type": ["boolean", "null"] },
                "cache_control": true,
            }),
        ))
    }

    fn response(generator: &mut SchemaGenerator) -> Schema {
        let usage = generator.subschema_for::<MessageUsage>();
        let activity = generator.subschema_for::<Extension<Vec<ToolActivity>>>();
        json_schema!({
            "description": "A whole answer.",
            "type": "object",
            "required": [
                "id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "stop_details", "container",
                "diagnostics", "usage",
            ],
            "properties": {
                "id": { "type": "string", "description": "The id of the answer." },
                "type": { "const": "message", "description": "Always `message`." },
                "role": { "const": "assistant", "description": "Always `assistant`." },
                "model": { "type": "string", "description": "The model that answered." },
                "content": { "type": "array", "items": answered(), "description": "The content blocks." },
                "stop_reason": described("Why the model stopped.", stop_reason(true)),
                "stop_sequence": { "type": ["string", "null"], "description": "The stop sequence that ended the answer." },
                "stop_details": { "type": "null" },
                "container": { "type": "null" },
                "diagnostics": { "type": "null" },
                "usage": usage,
                "clawless": activity,
            },
        })
    }

    /// Why an answer ended. It is `null` in the first event of a stream.
    fn stop_reason(may_be_absent: bool) -> Value {
        let mut reasons = vec![
            Some("end_turn"),
            Some("max_tokens"),
            Some("stop_sequence"),
            Some("tool_use"),
            Some("refusal"),
            Some("pause_turn"),
            Some("model_context_window_exceeded"),
        ];
        reasons.extend(may_be_absent.then_some(None));
        json!({ "enum": reasons })
    }

    /// A content block of an answer. Signed blocks, and those of other types, are the provider's own.
    fn answered() -> Value {
        let text = json!({ "type": "string" });
        let known = ["text", "thinking", "redacted_thinking", "tool_use"];
        let other = described(
            "A block of another type, as the provider sent it.",
            object(
                &["type"],
                &json!({ "type": { "type": "string", "not": { "enum": known } } }),
            ),
        );
        let citations = json!({ "type": ["array", "null"], "items": true });
        let blocks = [
            other,
            variant(
                "text",
                &["text"],
                &json!({ "text": text, "citations": citations }),
            ),
            variant(
                "thinking",
                &["thinking"],
                &json!({ "thinking": text, "signature": text }),
            ),
            variant("redacted_thinking", &[], &json!({})),
            variant(
                "tool_use",
                &["id", "name", "input"],
                &json!({ "id": text, "name": text, "input": { "type": "object", "additionalProperties": true } }),
            ),
        ];
        any_of(blocks.map(open))
    }

    fn event(generator: &mut SchemaGenerator) -> Schema {
        let usage = generator.subschema_for::<MessageUsage>();
        let activity = generator.subschema_for::<Extension<Vec<ToolActivity>>>();
        let error = generator.subschema_for::<MessageError>();
        let index = json!({ "type": "integer", "minimum": 0 });
        let delta = |name: &str, member: &str| {
            variant(name, &[member], &json!({ (member): { "type": "string" } }))
        };
        let deltas = any_of([
            delta("text_delta", "text"),
            delta("thinking_delta", "thinking"),
            delta("signature_delta", "signature"),
            delta("input_json_delta", "partial_json"),
            variant(
                "citations_delta",
                &["citation"],
                &json!({ "citation": true }),
            ),
        ]);
        let end = object(
            &["stop_reason", "stop_sequence", "stop_details", "container"],
            &json!({
                "stop_reason": stop_reason(false),
                "stop_sequence": { "type": ["string", "null"] },
                "stop_details": { "type": "null" },
                "container": { "type": "null" },
            }),
        );
        let message = generator.subschema_for::<MessageResponse>();
        json_schema!({
            "description": "The data of an event. A whole stream ends with `message_stop`, one that breaks off with `error`.",
            "anyOf": [
                variant("message_start", &["message"], &json!({ "message": message })),
                variant("content_block_start", &["index", "content_block"], &json!({ "index": index, "content_block": answered() })),
                variant("content_block_delta", &["index", "delta"], &json!({ "index": index, "delta": deltas })),
                variant("content_block_stop", &["index"], &json!({ "index": index })),
                variant("message_delta", &["delta", "usage"], &json!({ "delta": end, "usage": usage })),
                variant("message_stop", &[], &json!({})),
                variant("ping", &[], &json!({ "clawless": activity })),
                error,
            ],
        })
    }

    fn error() -> Schema {
        let details = object(
            &["error_code", "unsupported"],
            &json!({
                "error_code": { "const": "thread_unsupported_request" },
                "unsupported": { "type": "array", "items": { "type": "string" } },
            }),
        );
        let body = object(
            &["type", "message"],
            &json!({
                "type": { "enum": [
                    "api_error", "authentication_error", "billing_error", "invalid_request_error", "not_found_error",
                    "overloaded_error", "permission_error", "rate_limit_error", "request_too_large", "timeout_error",
                ] },
                "message": { "type": "string" },
                "details": described("What SDKs read to repeat a request without a thread.", details),
            }),
        );
        json_schema!({
            "description": "The body of every error of this surface.",
            "type": "object",
            "required": ["type", "error", "request_id"],
            "properties": {
                "type": { "const": "error", "description": "Always `error`." },
                "error": body,
                "request_id": { "type": "string", "description": "The request's id." },
            },
        })
    }
}
