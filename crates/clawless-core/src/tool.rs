//! Tools: what a model may ask to have done, and the record of what was done.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ids::{RequestId, SessionId, TenantId, ToolExecutionId};
use crate::json::Json;
use crate::time::{Millis, Timestamp};

/// The names of the server's own tools, a line each. The gateway's tests write the file from its
/// registry.
const BUILT_IN: &str = include_str!("../data/tools.txt");

/// Checks that these are names of server tools.
///
/// # Errors
/// A sentence that tells which there are.
pub fn check_names(names: &[String]) -> Result<(), String> {
    let is_known = |name: &String| BUILT_IN.lines().any(|built_in| built_in == name);
    if names.iter().all(is_known) {
        return Ok(());
    }
    let known = BUILT_IN.trim_end().replace('\n', "`, `");
    Err(format!("`tools` holds names of server tools: `{known}`."))
}

/// A tool that a request offers to the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `function` or `custom`.
    pub r#type: ToolKind,
    /// The function, where the kind is `function`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionTool>,
    /// The custom tool, as it came in, where the kind is `custom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Json>,
}

/// The kinds of tools on `OpenAI`'s wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// A function with a JSON schema.
    Function,
    /// A tool that takes free text or a grammar.
    Custom,
}

/// A function that a model may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionTool {
    /// The function's name: 1 to 64 characters of `a-z A-Z 0-9 _ -`.
    pub name: String,
    /// What it does, for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON schema of its arguments, as it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Json>,
    /// Whether the arguments must match the schema exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl Tool {
    /// The tool's name, whatever its kind.
    pub fn name(&self) -> Option<Cow<'_, str>> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        if let Some(function) = &self.function {
            return Some(Cow::Borrowed(&function.name));
        }
        let custom = self.custom.as_ref()?.read::<Named>().ok()?;
        Some(Cow::Owned(custom.name))
    }
}

impl From<FunctionTool> for Tool {
    fn from(function: FunctionTool) -> Self {
        Self {
            r#type: ToolKind::Function,
            function: Some(function),
            custom: None,
        }
    }
}

/// A model's request to run a tool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's id, given by the provider.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text, as the model wrote them; the input of a custom tool.
    pub arguments: String,
    /// How the call stands on `OpenAI`'s wire.
    #[serde(default, skip_serializing_if = "CallForm::is_function")]
    pub form: CallForm,
}

/// How a call stands on `OpenAI`'s wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallForm {
    /// One of the `tool_calls`, of a function.
    #[default]
    Function,
    /// One of the `tool_calls`, of a custom tool: its input is any text.
    Custom,
    /// The `function_call` of the older form. There is one at most, and its id is never told.
    Older,
}

impl CallForm {
    /// Whether it is the usual form.
    pub const fn is_function(&self) -> bool {
        matches!(self, Self::Function)
    }
}

/// How the execution of a tool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// It ran and gave a result.
    Succeeded,
    /// It ran and failed.
    Failed,
    /// It was not run: unknown, invalid or not permitted.
    Refused,
    /// It did not end in time.
    TimedOut,
}

impl ToolOutcome {
    /// The outcome's name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
        }
    }
}

/// The record of one execution of a server tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolExecution {
    /// The record's id.
    pub id: ToolExecutionId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The session in which it ran, if any.
    pub session_id: Option<SessionId>,
    /// The request in which it ran.
    pub request_id: RequestId,
    /// What the model asked for.
    pub call: ToolCall,
    /// How it ended.
    pub outcome: ToolOutcome,
    /// What the model was told.
    pub result: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Millis,
}
