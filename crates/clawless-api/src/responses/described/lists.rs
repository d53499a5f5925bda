//! Lists of items, counts and the bodies of conversations.

use clawless_core::schema::Metadata;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

use super::items::{ListedItem, reference};
use super::{ConversationBody, InputTokens, ItemList};
use crate::schema::{any_of, component, described};

component! { ItemList, "ItemList", list }
component! { InputTokens, "InputTokenCount", |_| tokens() }
component! { ConversationBody, "ConversationSettings", settings }

fn list(generator: &mut SchemaGenerator) -> Schema {
    let item = reference::<ListedItem>(generator);
    json_schema!({
        "description": "A page of items.",
        "type": "object",
        "required": ["object", "data", "first_id", "last_id", "has_more"],
        "properties": {
            "object": { "const": "list", "description": "Always `list`." },
            "data": { "type": "array", "items": item, "description": "The items." },
            "first_id": { "type": ["string", "null"], "description": "The id of the first item." },
            "last_id": { "type": ["string", "null"], "description": "The id of the last item, for the parameter `after`." },
            "has_more": { "type": "boolean", "description": "Whether more items follow." },
        },
    })
}

fn tokens() -> Schema {
    json_schema!({
        "description": "The input tokens of a request.",
        "type": "object",
        "required": ["object", "input_tokens"],
        "properties": {
            "object": { "const": "response.input_tokens", "description": "Always `response.input_tokens`." },
            "input_tokens": { "type": "integer", "minimum": 0, "description": "The tokens." },
        },
    })
}

fn settings(generator: &mut SchemaGenerator) -> Schema {
    let metadata = reference::<Metadata>(generator);
    json_schema!({
        "description": "The labels of a conversation.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "metadata": described("The labels. They replace the present ones.", any_of([metadata, json!({ "type": "null" })])),
            "items": { "type": ["array", "null"], "items": true, "maxItems": 0, "description": "Not supported: a conversation gets its items from responses." },
        },
    })
}
