//! Stored messages, as the API's description names them.

/// A message as it is stored: in the format of chat completions, or Anthropic's content blocks that this
/// format has no place for.
#[derive(Debug)]
pub enum StoredMessage {}

#[cfg(feature = "schema")]
mod schemas {
    use clawless_core::{Message, Role};
    use schemars::{Schema, SchemaGenerator, json_schema};
    use serde_json::json;

    use super::StoredMessage;
    use crate::schema::{component, object, titled};

    component! { StoredMessage, "StoredMessage", message }

    fn message(generator: &mut SchemaGenerator) -> Schema {
        let members = json!({
            "role": generator.subschema_for::<Role>(),
            "clawless_blocks": { "type": "array", "items": { "type": "object", "additionalProperties": true } },
        });
        let blocks = object(&["role", "clawless_blocks"], &members);
        json_schema!({
            "description": "A stored message. It has content blocks if the format of chat completions has no place for one of them.",
            "anyOf": [generator.subschema_for::<Message>(), titled("content blocks", blocks)],
        })
    }
}
