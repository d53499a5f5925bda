//! Messages: kept as they came in, and read where somebody must know what they say.

use serde::{Deserialize, Serialize, Serializer};

use super::content::Content;
use crate::json::{self, Json};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The application, in `OpenAI`'s newer word.
    Developer,
    /// The application.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// The result of a function call, in `OpenAI`'s older word.
    Function,
}

impl Role {
    /// The role's name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Function => "function",
        }
    }
}

/// A message of a conversation, as it came in: to an OpenAI-compatible provider it goes out member
/// for member, and it is stored byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    role: Role,
    raw: Json,
}

/// What a message says, for whoever has to translate or measure it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MessageView {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    #[serde(default)]
    pub content: Option<Content>,
    /// The speaker's name.
    #[serde(default)]
    pub name: Option<String>,
    /// A refusal instead of a content.
    #[serde(default)]
    pub refusal: Option<String>,
    /// The tools that an assistant's message asked to run.
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCallView>>,
    /// Which call a tool's message answers.
    #[serde(default)]
    pub tool_call_id: Option<String>,
    /// The function that an assistant's message asked to run, in the older form.
    #[serde(default)]
    pub function_call: Option<FunctionView>,
    /// What the model thought; never replayed to a provider that did not sign it.
    #[serde(default)]
    pub reasoning_content: Option<String>,
    /// What the model thought, as its provider signed it; given back to that provider alone.
    #[serde(default)]
    pub thinking_blocks: Option<Json>,
    /// A reference to an earlier audio answer; its bytes stay in the raw message.
    #[serde(default)]
    pub audio: Option<serde::de::IgnoredAny>,
}

/// A tool call in an assistant's message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ToolCallView {
    /// The call's id.
    pub id: String,
    /// The function, where the tool is one.
    #[serde(default)]
    pub function: Option<FunctionView>,
    /// The custom tool, where it is one; its input stays in the raw message.
    #[serde(default)]
    pub custom: Option<CustomView>,
}

/// A function and its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FunctionView {
    /// The function's name.
    pub name: String,
    /// Its arguments, as JSON text.
    pub arguments: String,
}

/// A custom tool and its input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CustomView {
    /// The tool's name.
    pub name: String,
    /// Its input.
    pub input: String,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMessage {
    /// The path within the message, such as `.content[0].text`; empty for the message itself.
    pub path: String,
    /// A sentence that helps.
    pub reason: String,
    /// Whether a member is absent, rather than wrong.
    pub missing: bool,
}

impl Message {
    /// Takes a message from outside and checks it.
    pub fn parse(raw: Json) -> Result<Self, InvalidMessage> {
        let view: MessageView = {
            let mut text = serde_json::Deserializer::from_str(raw.as_str());
            serde_path_to_error::deserialize(&mut text).map_err(|error| {
                let path = match error.path().to_string() {
                    path if path == "." => String::new(),
                    path => format!(".{path}"),
                };
                InvalidMessage::wrong(path, json::error_reason(error.inner()))
            })?
        };
        view.check()?;
        Ok(Self {
            role: view.role,
            raw,
        })
    }

    /// A message that we wrote or stored ourselves.
    pub fn from_stored(role: Role, raw: Json) -> Self {
        Self { role, raw }
    }

    /// A plain text.
    pub fn text(role: Role, text: &str) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct Plain<'a> {
            role: Role,
            content: &'a str,
        }
        Ok(Self {
            role,
            raw: Json::of(&Plain {
                role,
                content: text,
            })?,
        })
    }

    /// What a tool answered to a call.
    pub fn of_tool(call: &str, result: &str) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            role: Role,
            tool_call_id: &'a str,
            content: &'a str,
        }
        Ok(Self {
            role: Role::Tool,
            raw: Json::of(&Told {
                role: Role::Tool,
                tool_call_id: call,
                content: result,
            })?,
        })
    }

    /// Who speaks.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The message as it came in.
    pub const fn raw(&self) -> &Json {
        &self.raw
    }

    /// What the message says.
    pub fn view(&self) -> Result<MessageView, serde_json::Error> {
        self.raw.read()
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

impl MessageView {
    /// Checks what the types alone cannot say.
    fn check(&self) -> Result<(), InvalidMessage> {
        if matches!(&self.content, Some(Content::Parts(parts)) if parts.is_empty()) {
            return Err(InvalidMessage::wrong(
                ".content".to_owned(),
                "a list of parts must not be empty".to_owned(),
            ));
        }
        let has_nul = |text: &str| text.contains('\0');
        if self.content.iter().flat_map(Content::texts).any(has_nul) {
            return Err(InvalidMessage::wrong(
                ".content".to_owned(),
                "NUL characters are not allowed".to_owned(),
            ));
        }
        match self.role {
            Role::Assistant => {
                let says_something = self.content.is_some()
                    || self.refusal.is_some()
                    || self.tool_calls.is_some()
                    || self.function_call.is_some()
                    || self.audio.is_some();
                require(
                    says_something,
                    ".content",
                    "an assistant's message without tool calls",
                )
            }
            Role::Tool => {
                require(
                    self.tool_call_id.is_some(),
                    ".tool_call_id",
                    "a tool's message",
                )?;
                require(self.content.is_some(), ".content", "a tool's message")
            }
            Role::Function => require(self.name.is_some(), ".name", "a function's message"),
            Role::Developer | Role::System | Role::User => {
                require(self.content.is_some(), ".content", "this message")
            }
        }
    }
}

impl InvalidMessage {
    fn wrong(path: String, reason: String) -> Self {
        Self {
            path,
            reason,
            missing: false,
        }
    }
}

fn require(present: bool, path: &str, whose: &str) -> Result<(), InvalidMessage> {
    if present {
        return Ok(());
    }
    let member = path.trim_start_matches('.');
    Err(InvalidMessage {
        path: path.to_owned(),
        reason: format!("{whose} needs `{member}`"),
        missing: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Message, InvalidMessage> {
        Message::parse(Json::parse(text.to_owned()).expect("JSON"))
    }

    #[test]
    fn a_message_keeps_its_bytes() {
        let text = r#"{ "content":"h\u00e9 \ud83d\ude00", "x_extra":[1.0], "role":"user" }"#;
        let message = parse(text).expect("valid");
        assert_eq!(message.role(), Role::User);
        assert_eq!(serde_json::to_string(&message).expect("serialises"), text);
    }

    #[test]
    fn every_part_of_the_wire_is_understood() {
        let parts = r#"{"role":"user","content":[{"type":"text","text":"a"},
            {"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},
            {"type":"input_audio","input_audio":{"data":"","format":"wav"}},
            {"type":"file","file":{"file_id":"f"}}]}"#;
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
    fn what_is_wrong_is_named() {
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
                r#"{"role":"user","content":[{"type":"video"}]}"#,
                ".content[0].type",
            ),
            (r#"{"role":"user","content":"a\u0000b"}"#, ".content"),
            (r#"{"role":"tool","content":"a"}"#, ".tool_call_id"),
            (r#"{"role":"assistant"}"#, ".content"),
            (r#"{"role":"user","content":"a","content":"b"}"#, ""),
            (r#"{"role":"user","content":"\ud800"}"#, ".content"),
            ("[]", ""),
        ];
        for (text, path) in cases {
            let error = parse(text).expect_err(text);
            assert_eq!(error.path, path, "{text}: {error:?}");
            assert!(!error.reason.contains("line"), "{}", error.reason);
        }
    }
}
