//! Messages, stored byte for byte and parsed on demand.

use serde::{Serialize, Serializer};

use super::blocks::view::view_of;
use super::content::Content;
use super::role::Role;
use super::view::{InvalidMessage, MessageView};
use crate::json::{self, Json};
use crate::members::Members;

/// The member that holds content blocks. [`Message::parse`] rejects it: blocks of a client are validated
/// before [`Message::from_blocks`].
const BLOCKS: &str = "clawless_blocks";

/// A message in the JSON format of chat completions, or of content blocks ([`Self::from_blocks`]). Its
/// bytes are stored unchanged, and sent unchanged to providers that know the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    role: Role,
    raw: Json,
}

impl Message {
    /// Parses and validates a message of a client.
    pub fn parse(raw: Json) -> Result<Self, InvalidMessage> {
        let view: MessageView = json::read(raw.as_str()).map_err(|error| {
            let path = match error.path.as_str() {
                "" => String::new(),
                path => format!(".{path}"),
            };
            InvalidMessage::invalid(path, error.reason())
        })?;
        view.check()?;
        if holds_blocks(&raw) {
            let path = format!(".{BLOCKS}");
            return Err(InvalidMessage::invalid(path, "it is reserved".to_owned()));
        }
        Ok(Self {
            role: view.role,
            raw,
        })
    }

    /// A message of our own or of the database, without validation.
    pub fn from_stored(role: Role, raw: Json) -> Self {
        Self { role, raw }
    }

    /// A text message.
    pub fn text(role: Role, text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct Plain<'a> {
            role: Role,
            content: &'a str,
        }
        Ok(Self {
            role,
            raw: Json::from_value(&Plain {
                role,
                content: text,
            })?,
        })
    }

    /// The result of a tool call.
    pub fn tool_result(call: &str, result: &str) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct ToolResult<'a> {
            role: Role,
            tool_call_id: &'a str,
            content: &'a str,
        }
        Ok(Self {
            role: Role::Tool,
            raw: Json::from_value(&ToolResult {
                role: Role::Tool,
                tool_call_id: call,
                content: result,
            })?,
        })
    }

    /// A message of content blocks, which are kept byte for byte.
    ///
    /// # Errors
    /// Never in practice: the blocks are JSON already.
    pub fn from_blocks(role: Role, blocks: &[Json]) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct OfBlocks<'a> {
            role: Role,
            clawless_blocks: &'a [Json],
        }
        let raw = Json::from_value(&OfBlocks {
            role,
            clawless_blocks: blocks,
        })?;
        Ok(Self { role, raw })
    }

    /// Whether the content is blocks. Looks at the beginning only.
    pub fn has_blocks(&self) -> bool {
        self.text_of_blocks().is_some()
    }

    /// The content blocks; `None` for a message in the format of chat completions.
    pub fn blocks(&self) -> Option<Vec<Json>> {
        let text = self.text_of_blocks()?;
        json::read(text).ok()
    }

    /// The array of blocks in a text that [`Self::from_blocks`] has written.
    fn text_of_blocks(&self) -> Option<&str> {
        let rest = self.raw.as_str().strip_prefix(r#"{"role":""#)?;
        let rest = rest.strip_prefix(self.role.as_str())?;
        let rest = rest.strip_prefix(r#"",""#)?.strip_prefix(BLOCKS)?;
        rest.strip_prefix(r#"":"#)?.strip_suffix('}')
    }

    /// The author.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The original JSON.
    pub const fn raw(&self) -> &Json {
        &self.raw
    }

    /// Whether the message holds a NUL character, which the database does not store.
    pub fn has_nul(&self) -> bool {
        let has_nul = |text: &str| text.contains('\0');
        self.raw.as_str().contains("\\u0000")
            && self
                .view()
                .is_ok_and(|view| view.content.iter().flat_map(Content::texts).any(has_nul))
    }

    /// Parses the members.
    pub fn view(&self) -> Result<MessageView, serde_json::Error> {
        match self.blocks() {
            Some(blocks) => Ok(view_of(self.role, &blocks)),
            None => self.raw.read(),
        }
    }
}

/// Whether a message has the member of blocks, whatever its value.
fn holds_blocks(raw: &Json) -> bool {
    // Inside a text the second quotation mark would be escaped.
    raw.as_str().contains("\"clawless_blocks\"")
        && raw
            .read::<Members>()
            .is_ok_and(|members| members.0.iter().any(|(name, _)| name == BLOCKS))
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Message, InvalidMessage> {
        Message::parse(Json::parse(text.to_owned()).expect("JSON"))
    }

    #[test]
    fn message_keeps_its_bytes() {
        let text = r#"{ "content":"h\u00e9 \ud83d\ude00", "x_extra":[1.0], "role":"user" }"#;
        let message = parse(text).expect("valid");
        assert_eq!(message.role(), Role::User);
        assert_eq!(serde_json::to_string(&message).expect("serialises"), text);
    }

    #[test]
    fn all_content_parts_are_parsed() {
        let parts = r#"{"role":"user","content":[{"type":"text","text":"a"},
            {"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},
            {"type":"input_audio","input_audio":{"data":"","format":"wav"}},
            {"type":"file","file":{"file_id":"f"}},
            {"type":"video_url","video_url":{"url":"https://x/y.mp4"}},
            {"type":"image_url","image_url":"https://x/y.png"},
            {"type":"hologram","hologram":{}}]}"#;
        let view = parse(parts).expect("valid").view().expect("readable");
        assert_eq!(
            view.content.expect("content").texts().collect::<Vec<_>>(),
            ["a"]
        );
        let call = r#"{"role":"assistant","content":null,"tool_calls":[
            {"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
        assert!(parse(call).is_ok());
        assert!(parse(r#"{"role":"tool","tool_call_id":"c","content":"1"}"#).is_ok());
    }

    #[test]
    fn a_client_cannot_send_content_blocks() {
        for value in [
            "[]",
            "null",
            r#"[{"type":"image","source":{"data":"AAAA"}}]"#,
        ] {
            for text in [
                format!(r#"{{"role":"user","clawless_blocks":{value},"content":"x"}}"#),
                format!(r#"{{"role":"user","content":"x","clawless_blocks" : {value}}}"#),
            ] {
                let error = parse(&text).expect_err(&text);
                assert_eq!(error.path, ".clawless_blocks", "{text}");
            }
        }
        for text in [
            r#"{"role":"user","content":"clawless_blocks"}"#,
            r#"{"role":"user","content":"\"clawless_blocks\"","x":{"clawless_blocks":1}}"#,
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn invalid_member_is_named() {
        let cases = [
            (r#"{"role":"user"}"#, ".content"),
            (r#"{"role":"wizard","content":"a"}"#, ".role"),
            (r#"{"role":"user","content":5}"#, ".content"),
            (r#"{"role":"user","content":[]}"#, ".content"),
            (
                r#"{"role":"user","content":[{"type":"text"}]}"#,
                ".content[0]",
            ),
            (
                r#"{"role":"user","content":[{"type":"hologram"}]}"#,
                ".content[0]",
            ),
            (r#"{"role":"tool","content":"a"}"#, ".tool_call_id"),
            (r#"{"role":"assistant"}"#, ".content"),
            (r#"{"role":"user","content":"a","content":"b"}"#, ""),
            (r#"{"role":"user","content":"\ud800"}"#, ".content"),
            ("[]", ""),
            (r#"["user","hi"]"#, ""),
            (r#"{"role":["user"],"content":"a"}"#, ".role"),
            (r#"{"role":"user","content":[["text","a"]]}"#, ".content[0]"),
            (
                r#"{"role":"user","content":[{"type":"image_url","image_url":["https://x/y.png"]}]}"#,
                ".content[0].image_url",
            ),
            (
                r#"{"role":"assistant","tool_calls":[["c",["f","{}"]]]}"#,
                ".tool_calls[0]",
            ),
            (
                r#"{"role":"assistant","tool_calls":[{"id":"c","function":["f","{}"]}]}"#,
                ".tool_calls[0].function",
            ),
            (
                r#"{"role":"assistant","function_call":["f","{}"]}"#,
                ".function_call",
            ),
        ];
        for (text, path) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.path, path, "{text}: {error:?}");
            for word in ["line", "struct", "enum", "variant", "MessageView"] {
                assert!(!error.reason.contains(word), "{}", error.reason);
            }
        }
    }
}
