//! Tools, tool calls, and the records of tool executions.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ids::{KeyId, RequestId, SessionId, TenantId, ToolExecutionId};
use crate::json::Json;
use crate::members::Members;
use crate::time::{Millis, Timestamp};

/// The names of the server tools, one per line. A gateway test generates the file from the
/// registry.
const SERVER_TOOLS: &str = include_str!("../data/tools.txt");

/// The names that functions and custom tools may have.
#[cfg(feature = "schema")]
pub(crate) const NAME_PATTERN: &str = "^[A-Za-z0-9_.:/-]{1,256}$";

/// Validates names of server tools.
///
/// # Errors
/// A message that lists the valid names.
pub fn check_server_tools(names: &[String]) -> Result<(), String> {
    let is_known = |name: &String| SERVER_TOOLS.lines().any(|known| known == name);
    if names.iter().all(is_known) {
        return Ok(());
    }
    let known = SERVER_TOOLS.trim_end().replace('\n', "`, `");
    Err(format!("`tools` holds names of server tools: `{known}`."))
}

/// The names of the server tools, for the API's description.
#[cfg(feature = "schema")]
pub fn server_tools() -> Vec<&'static str> {
    SERVER_TOOLS.lines().collect()
}

/// A tool definition of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `function` or `custom`.
    pub r#type: ToolKind,
    /// The function, for `type: "function"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionTool>,
    /// The custom tool, unparsed, for `type: "custom"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<Json>,
    /// The client's prompt cache mark, unparsed: the prefix up to this tool is to be cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<Json>,
}

/// The types of tools in `OpenAI`'s API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// A function with a JSON schema.
    Function,
    /// A tool with free text as input, or a grammar.
    Custom,
}

/// A function that a model may call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FunctionTool {
    /// The name: 1 to 64 characters of `a-z A-Z 0-9 _ -`.
    #[cfg_attr(feature = "schema", schemars(extend("pattern" = NAME_PATTERN)))]
    pub name: String,
    /// The description for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON schema of the arguments, unparsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::members::Members>"))]
    pub parameters: Option<Json>,
    /// Whether the arguments must match the schema exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
    /// The client's prompt cache mark, which some SDKs put here and not on the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<Json>,
}

impl Tool {
    /// The client's prompt cache mark, on the tool or on its function.
    pub fn cache_mark(&self) -> Option<&Json> {
        let function = self.function.as_ref();
        let of_function = function.and_then(|it| it.cache_control.as_ref());
        self.cache_control.as_ref().or(of_function)
    }

    /// Removes the client's prompt cache mark.
    pub fn clear_cache_mark(&mut self) {
        self.cache_control = None;
        if let Some(function) = &mut self.function {
            function.cache_control = None;
        }
    }

    /// The name of the function or custom tool.
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
            cache_control: None,
        }
    }
}

/// A tool call of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolCall {
    /// The id, assigned by the provider.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments as JSON text, unvalidated; for a custom tool its input.
    pub arguments: String,
    /// The form of the call.
    #[serde(default, skip_serializing_if = "CallForm::is_function")]
    pub form: CallForm,
    /// Members that have no meaning here, as the provider gave them. Those of the call's `function`
    /// (or `custom`) are in an object of that name.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub members: Members,
}

/// The form of a call in `OpenAI`'s API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallForm {
    /// An element of `tool_calls` with a function.
    #[default]
    Function,
    /// An element of `tool_calls` with a custom tool. Its input is free text.
    Custom,
    /// The legacy `function_call`. A message has at most one, without an id.
    #[serde(rename = "older")]
    Older,
}

impl CallForm {
    /// Whether this is the default form.
    pub const fn is_function(&self) -> bool {
        matches!(self, Self::Function)
    }
}

/// The outcome of a tool execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// The tool returned a result.
    Succeeded,
    /// The tool failed.
    Failed,
    /// The tool did not run: unknown, invalid arguments or no permission.
    Refused,
    /// The tool timed out.
    TimedOut,
}

impl ToolOutcome {
    /// The name in JSON and in the database.
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
    /// The id of the record.
    pub id: ToolExecutionId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The session, if the request has one.
    pub session_id: Option<SessionId>,
    /// The request.
    pub request_id: RequestId,
    /// The API key of the request. Absent in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The call of the model.
    pub call: ToolCall,
    /// The outcome.
    pub outcome: ToolOutcome,
    /// The result that the model received.
    pub result: String,
    /// The start time.
    pub started_at: Timestamp,
    /// The duration.
    pub duration: Millis,
}
