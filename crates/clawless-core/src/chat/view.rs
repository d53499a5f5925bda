//! The parsed members of a message, and their validation.

use serde::Deserialize;

use super::content::Content;
use super::role::Role;
use crate::json::Json;

/// The parsed members of a message. Translation and token estimates use it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MessageView {
    /// The author.
    pub role: Role,
    /// The content.
    #[serde(default)]
    pub content: Option<Content>,
    /// The author's name.
    #[serde(default)]
    pub name: Option<String>,
    /// A refusal instead of content.
    #[serde(default)]
    pub refusal: Option<String>,
    /// The tool calls of an assistant message.
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCallView>>,
    /// The id of the call that a tool message answers.
    #[serde(default)]
    pub tool_call_id: Option<String>,
    /// The legacy function call of an assistant message.
    #[serde(default)]
    pub function_call: Option<FunctionView>,
    /// Unsigned reasoning. Not sent to providers.
    #[serde(default)]
    pub reasoning_content: Option<String>,
    /// Reasoning signed by a provider. Sent to that provider only.
    #[serde(default)]
    pub thinking_blocks: Option<Json>,
    /// A reference to an earlier audio response. Its data is in the raw message only.
    #[serde(default)]
    pub audio: Option<serde::de::IgnoredAny>,
}

/// A tool call in an assistant message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ToolCallView {
    /// The id of the call.
    pub id: String,
    /// The function, for a function tool.
    #[serde(default)]
    pub function: Option<FunctionView>,
    /// The custom tool, for a custom tool.
    #[serde(default)]
    pub custom: Option<CustomView>,
}

/// A function call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FunctionView {
    /// The name of the function.
    pub name: String,
    /// The arguments, as JSON text.
    pub arguments: String,
}

/// A call of a custom tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CustomView {
    /// The name of the tool.
    pub name: String,
    /// The input.
    pub input: String,
}

/// A message is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMessage {
    /// The path in the message, such as `.content[0].text`. Empty for the message itself.
    pub path: String,
    /// The reason, for the client.
    pub reason: String,
    /// Whether a required member is absent.
    pub missing: bool,
}

impl MessageView {
    /// A view without any member but the role.
    pub(super) const fn of_role(role: Role) -> Self {
        Self {
            role,
            content: None,
            name: None,
            refusal: None,
            tool_calls: None,
            tool_call_id: None,
            function_call: None,
            reasoning_content: None,
            thinking_blocks: None,
            audio: None,
        }
    }

    /// Validates the combination of members.
    pub(super) fn check(&self) -> Result<(), InvalidMessage> {
        if matches!(&self.content, Some(Content::Parts(parts)) if parts.is_empty()) {
            return Err(InvalidMessage::invalid(
                ".content".to_owned(),
                "a list of parts must not be empty".to_owned(),
            ));
        }
        match self.role {
            Role::Assistant => {
                let has_output = self.content.is_some()
                    || self.refusal.is_some()
                    || self.tool_calls.is_some()
                    || self.function_call.is_some()
                    || self.audio.is_some();
                require(
                    has_output,
                    ".content",
                    "an assistant message without tool calls",
                )
            }
            Role::Tool => {
                require(
                    self.tool_call_id.is_some(),
                    ".tool_call_id",
                    "a tool message",
                )?;
                require(self.content.is_some(), ".content", "a tool message")
            }
            Role::Function => require(self.name.is_some(), ".name", "a function message"),
            Role::Developer | Role::System | Role::User => {
                require(self.content.is_some(), ".content", "this message")
            }
        }
    }
}

impl InvalidMessage {
    pub(super) fn invalid(path: String, reason: String) -> Self {
        Self {
            path,
            reason,
            missing: false,
        }
    }
}

fn require(present: bool, path: &str, subject: &str) -> Result<(), InvalidMessage> {
    if present {
        return Ok(());
    }
    let member = path.trim_start_matches('.');
    Err(InvalidMessage {
        path: path.to_owned(),
        reason: format!("{subject} needs `{member}`"),
        missing: true,
    })
}
