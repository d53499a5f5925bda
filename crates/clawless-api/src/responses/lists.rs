//! The objects around items: lists, conversations, deletions, counts.

use std::collections::BTreeMap;

use clawless_core::session::Session;
use clawless_core::{ApiError, ErrorCode};
use serde::{Deserialize, Serialize};

use super::object_text::ObjectText;
use super::stored_items::ListedItem;
use crate::body;
use crate::fields::invalid;
use crate::sessions::present;

/// A page of items as JSON.
pub fn item_list(items: &[ListedItem], has_more: bool) -> String {
    let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    let id = |item: Option<&ListedItem>| item.map(|item| item.id.clone());
    ObjectText::new()
        .text("object", "list")
        .list("data", &texts)
        .text_or_null("first_id", id(items.first()).as_deref())
        .text_or_null("last_id", id(items.last()).as_deref())
        .raw("has_more", if has_more { "true" } else { "false" })
        .end()
}

/// The estimated input tokens of a request, as JSON.
pub fn input_token_count(tokens: u64) -> String {
    ObjectText::new()
        .text("object", "response.input_tokens")
        .number("input_tokens", tokens)
        .end()
}

/// A conversation: a session under `OpenAI`'s name.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Conversation")
)]
pub struct ConversationObject<'a> {
    /// The id.
    id: &'a str,
    /// Always `conversation`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "conversation")))]
    object: &'static str,
    /// When it was created, in seconds since 1970 (UTC).
    created_at: u64,
    /// The labels.
    metadata: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a Session> for ConversationObject<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: session.id.as_str(),
            object: "conversation",
            created_at: session.created_at.as_secs(),
            metadata: &session.metadata,
        }
    }
}

/// The labels in the body of `POST /v1/conversations` and `POST /v1/conversations/{id}`; `None` if
/// the member is absent. `null` means no labels.
///
/// # Errors
/// 400 that names the parameter. Items cannot be added without a response yet.
pub fn parse_conversation(bytes: &[u8]) -> Result<Option<BTreeMap<String, String>>, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(clippy::option_option, reason = "an absent member differs from `null`")]
    struct Incoming {
        #[serde(default)]
        items: Option<Vec<serde::de::IgnoredAny>>,
        #[serde(default, deserialize_with = "present")]
        metadata: Option<Option<BTreeMap<String, String>>>,
    }
    let incoming: Incoming = body::read_settings(bytes)?;
    if incoming.items.is_some_and(|items| !items.is_empty()) {
        let message = "`items` is not supported: a conversation gets its items from responses.";
        return Err(invalid("items", message));
    }
    let metadata = incoming.metadata.map(Option::unwrap_or_default);
    super::request::check_metadata(metadata.as_ref())?;
    Ok(metadata)
}

/// The error for the cancellation of a response. Only background responses can be cancelled, which do
/// not exist here.
pub fn not_cancellable() -> ApiError {
    ApiError::new(
        ErrorCode::InvalidValue,
        "Only background responses can be cancelled. A streamed response ends when its connection \
         is closed.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_first_and_last_item() {
        let item = |id: &str| ListedItem {
            id: id.to_owned(),
            text: format!(r#"{{"id":"{id}"}}"#),
        };
        assert_eq!(
            item_list(&[item("a"), item("b")], true),
            r#"{"object":"list","data":[{"id":"a"},{"id":"b"}],"first_id":"a","last_id":"b","has_more":true}"#
        );
        assert_eq!(
            item_list(&[], false),
            r#"{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"#
        );
    }

    #[test]
    fn labels_of_a_conversation_are_checked() {
        let labels = parse_conversation(br#"{"metadata":{"a":"b"},"items":[]}"#).expect("valid");
        assert_eq!(labels.expect("labels")["a"], "b");
        for absent in ["", "{}"] {
            assert_eq!(parse_conversation(absent.as_bytes()).expect("valid"), None);
        }
        let none = parse_conversation(br#"{"metadata":null}"#).expect("valid");
        assert_eq!(none, Some(BTreeMap::new()));
        for (body, param) in [
            (r#"{"items":[1]}"#, "items"),
            (r#"{"title":"x"}"#, "title"),
            (r#"{"metadata":{"a":"b\u0000"}}"#, "metadata"),
        ] {
            let error = parse_conversation(body.as_bytes()).expect_err(body);
            assert_eq!((error.status(), error.param.as_deref()), (400, Some(param)));
        }
    }
}
