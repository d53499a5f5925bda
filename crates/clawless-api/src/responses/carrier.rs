//! The `encrypted_content` of reasoning items: what a provider wants back unchanged with the next
//! request, such as signed reasoning. Clients that store a conversation themselves return it.
//!
//! The content is opaque to clients and not a secret: it holds what the provider sent with the
//! answer. It is not trusted either: a client could send the same as members of a chat message.

use clawless_core::json::{self, Json};
use clawless_core::members::Members;
use serde::{Deserialize, Serialize};

/// What the content begins with.
const PREFIX: &str = "clawless1:";

/// Members of an answer that only its own model understands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Carrier {
    /// The model that wrote the answer, as `provider/model`. No other one gets the members.
    pub(super) origin: String,
    /// Whether the model gets the text of its reasoning back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<String>,
    /// Signed reasoning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) thinking_blocks: Option<Json>,
    /// Members of the message.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub(super) members: Members,
    /// Members of tool calls, by the id of the call.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub(super) calls: Members,
}

impl Carrier {
    /// Whether there is nothing to return.
    pub(super) fn is_empty(&self) -> bool {
        self.reasoning.is_none()
            && self.thinking_blocks.is_none()
            && self.members.is_empty()
            && self.calls.is_empty()
    }

    /// The content for the client.
    pub(super) fn encode(&self) -> String {
        // Serializing texts and raw JSON cannot fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{PREFIX}{json}")
    }

    /// The content that a client has returned; `None` if another service wrote it, or if a body with its
    /// members would be rejected.
    pub(super) fn decode(content: &str) -> Option<Self> {
        let text = content.strip_prefix(PREFIX)?;
        if json::is_too_deep(text.as_bytes()) || json::disguised_name(text).is_some() {
            return None;
        }
        Json::parse(text.to_owned()).ok()?.read().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_decoded_as_it_was_encoded() {
        let json = |text: &str| Json::parse(text.to_owned()).expect("JSON");
        let carrier = Carrier {
            origin: "p/m".to_owned(),
            reasoning: None,
            thinking_blocks: Some(json(r#"[{"type":"thinking","signature":"S =="}]"#)),
            members: Members(vec![("reasoning_details".to_owned(), json("[1.0]"))]),
            calls: Members::default(),
        };
        assert_eq!(Carrier::decode(&carrier.encode()), Some(carrier));
        let deep = format!(
            r#"clawless1:{{"origin":"p/m","thinking_blocks":{}{}}}"#,
            "[".repeat(100),
            "]".repeat(100)
        );
        for foreign in [
            "gAAAAAB",
            "clawless1:",
            "clawless1:[]",
            "clawless1:{}",
            r#"clawless1:{"origin":"p/m","members":{"cache_control":{"tt\u006c":"1h"}}}"#,
            &deep,
        ] {
            assert_eq!(Carrier::decode(foreign), None, "{foreign}");
        }
    }
}
