//! JSON schemas of types that are written or parsed by hand. Each stands beside its type's rules in
//! meaning: a change there is a change here, and the tests compare both.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::chat::{Message, Stop};
use crate::error::ErrorCode;
use crate::ids::{
    AdminTokenId, AuditId, KeyId, MessageId, RequestId, SendId, SessionId, TenantId,
    ToolExecutionId,
};
use crate::json::Json;
use crate::limits::{Override, Percent};
use crate::members::Members;
use crate::money::{MicroDollars, Tokens};
use crate::time::Millis;
use crate::time_zone::TimeZone;
use crate::tool::{FunctionTool, NAME_PATTERN, Tool};

/// Implements the schema of a type, in the place of its use.
macro_rules! inline {
    ($type:ty, $($schema:tt)+) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($($schema)+)
            }
        }
    };
}

inline! { Json, true }
inline! { Members, { "type": "object", "additionalProperties": true } }
inline! { Millis, { "type": "integer", "format": "int64", "minimum": 0 } }
inline! { Tokens, { "type": "integer", "format": "int64", "minimum": 0 } }
inline! { MicroDollars, { "type": "integer", "format": "int64", "minimum": 0 } }
inline! { TimeZone, { "type": "string", "pattern": "^(UTC|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)$" } }
inline! { Percent, { "type": "integer", "minimum": 1, "maximum": 100 } }
inline! { SessionId, { "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$" } }
inline! { Stop, {
    "anyOf": [
        { "type": "string", "minLength": 1, "maxLength": 4096 },
        { "type": "array", "items": { "type": "string", "minLength": 1, "maxLength": 4096 }, "maxItems": 4 },
    ],
} }

impl<T: JsonSchema> JsonSchema for Override<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Override".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "format": "int64", "minimum": 0 },
                { "type": "null" },
                { "const": "unlimited" },
            ],
        })
    }
}

/// Implements the schema of ids: the prefix and a ULID.
macro_rules! ids {
    ($($type:ident),+) => {$(
        inline! { $type, {
            "type": "string",
            "pattern": format!("^{}[0-7][0-9A-HJKMNP-TV-Z]{{25}}$", $type::PREFIX),
        } }
    )+};
}

ids! { AdminTokenId, AuditId, KeyId, MessageId, RequestId, SendId, TenantId, ToolExecutionId }

impl JsonSchema for ErrorCode {
    fn schema_name() -> Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes = Self::ALL.iter().map(|code| code.as_str());
        json_schema!({
            "description": "A stable code. Its meaning never changes.",
            "type": "string",
            "enum": codes.collect::<Vec<_>>(),
        })
    }
}

/// A text, or an object that is not parsed.
#[derive(Debug)]
pub struct TextOrObject;

inline! { TextOrObject, { "type": ["string", "object"] } }

/// Labels of a client.
#[derive(Debug)]
pub struct Metadata;

inline! { Metadata, {
    "type": "object",
    "maxProperties": 16,
    "propertyNames": { "maxLength": 64 },
    "additionalProperties": { "type": "string", "maxLength": 512 },
} }

impl JsonSchema for Tool {
    fn schema_name() -> Cow<'static, str> {
        "Tool".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let function = generator.subschema_for::<FunctionTool>();
        json_schema!({
            "description": "A tool that the model may call.",
            "anyOf": [
                {
                    "title": "Function tool",
                    "type": "object",
                    "properties": {
                        "type": { "const": "function" },
                        "function": function,
                        "cache_control": true,
                    },
                    "required": ["type", "function"],
                },
                {
                    "title": "Custom tool",
                    "type": "object",
                    "properties": {
                        "type": { "const": "custom" },
                        "custom": {
                            "type": "object",
                            "properties": { "name": { "type": "string", "pattern": NAME_PATTERN } },
                            "required": ["name"],
                        },
                        "cache_control": true,
                    },
                    "required": ["type", "custom"],
                },
            ],
        })
    }
}

impl JsonSchema for Message {
    fn schema_name() -> Cow<'static, str> {
        "ChatMessage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = || json_schema!({ "type": ["string", "null"] });
        let content = json_schema!({
            "description": "A text, or a list of parts.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": content_part(), "minItems": 1 },
            ],
        });
        let call = json_schema!({
            "type": "object",
            "additionalProperties": true,
            "properties": {
                "id": { "type": "string" },
                "type": { "type": "string" },
                "function": function(),
                "custom": {
                    "type": ["object", "null"],
                    "additionalProperties": true,
                    "properties": { "name": { "type": "string" }, "input": { "type": "string" } },
                    "required": ["name", "input"],
                },
            },
            "required": ["id"],
        });
        let has = |name: &str| json_schema!({ "properties": { (name): { "not": { "type": "null" } } }, "required": [name], "additionalProperties": true });
        json_schema!({
            "description": "A message of a conversation. Members beyond these are passed on.",
            "anyOf": [
                {
                    "title": "Instructions or input",
                    "type": "object",
                    "additionalProperties": true,
                    "properties": {
                        "role": { "enum": ["system", "developer", "user"] },
                        "content": content,
                        "name": text(),
                    },
                    "required": ["role", "content"],
                },
                {
                    "title": "Answer of a model",
                    "description": "It has content, a refusal, tool calls or audio.",
                    "type": "object",
                    "additionalProperties": true,
                    "properties": {
                        "role": { "const": "assistant" },
                        "content": { "anyOf": [content, { "type": "null" }] },
                        "name": text(),
                        "refusal": text(),
                        "reasoning_content": text(),
                        "thinking_blocks": true,
                        "tool_calls": { "type": ["array", "null"], "items": call },
                        "function_call": function(),
                        "audio": true,
                    },
                    "required": ["role"],
                    "anyOf": [has("content"), has("refusal"), has("tool_calls"), has("function_call"), has("audio")],
                },
                {
                    "title": "Result of a tool",
                    "type": "object",
                    "additionalProperties": true,
                    "properties": {
                        "role": { "const": "tool" },
                        "content": content,
                        "tool_call_id": { "type": "string" },
                    },
                    "required": ["role", "content", "tool_call_id"],
                },
                {
                    "title": "Result of a function (legacy)",
                    "type": "object",
                    "additionalProperties": true,
                    "properties": {
                        "role": { "const": "function" },
                        "content": { "anyOf": [content, { "type": "null" }] },
                        "name": { "type": "string" },
                    },
                    "required": ["role", "name"],
                },
            ],
        })
    }
}

fn function() -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "additionalProperties": true,
        "properties": { "name": { "type": "string" }, "arguments": { "type": "string" } },
        "required": ["name", "arguments"],
    })
}

/// A part names its type, and has the member of that name.
fn content_part() -> Schema {
    let text = |name: &str| {
        json_schema!({
            "type": "object",
            "additionalProperties": true,
            "properties": { "type": { "const": name }, (name): { "type": "string" } },
            "required": ["type", name],
        })
    };
    let image = json_schema!({
        "type": "object",
        "additionalProperties": true,
        "properties": {
            "type": { "const": "image_url" },
            "image_url": {
                "description": "An object, or the URL itself.",
                "anyOf": [
                    { "type": "string" },
                    {
                        "type": "object",
                        "additionalProperties": true,
                        "properties": {
                            "url": { "type": "string" },
                            "detail": { "type": ["string", "null"] },
                        },
                        "required": ["url"],
                    },
                ],
            },
        },
        "required": ["type", "image_url"],
    });
    let other = |name: &str| {
        json_schema!({
            "type": "object",
            "additionalProperties": true,
            "properties": { "type": { "const": name }, (name): { "not": { "type": "null" } } },
            "required": ["type", name],
        })
    };
    let others = [
        "input_audio",
        "file",
        "video_url",
        "audio_url",
        "input_video",
        "video",
        "document_url",
        "thinking",
    ];
    let known: Vec<&str> = ["text", "refusal", "image_url"]
        .into_iter()
        .chain(others)
        .collect();
    let unknown = json_schema!({
        "description": "A part of another type, for servers that know it.",
        "type": "object",
        "additionalProperties": true,
        "minProperties": 2,
        "properties": { "type": { "type": "string", "not": { "enum": known } } },
        "required": ["type"],
    });
    let kinds: Vec<Schema> = [text("text"), text("refusal"), image, unknown]
        .into_iter()
        .chain(others.map(other))
        .collect();
    json_schema!({ "anyOf": kinds })
}
