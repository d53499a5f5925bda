//! Tool calls in the JSON of an assistant message.

use serde::Serialize;

use crate::members::Members;
use crate::tool::{CallForm, ToolCall};

/// An element of `tool_calls`.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ToolCall")
)]
pub struct MessageToolCall {
    id: String,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["function", "custom"])))]
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<MessageFunction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<MessageCustom>,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

/// A function call, with its arguments as JSON text.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "FunctionCall")
)]
pub struct MessageFunction {
    name: String,
    arguments: String,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

/// A call of a custom tool, with its input as free text.
#[derive(Debug, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "CustomCall")
)]
pub struct MessageCustom {
    name: String,
    input: String,
    /// The provider's own members.
    #[serde(flatten)]
    members: Members,
}

/// The members `tool_calls` and `function_call` of an assistant message.
pub fn message_calls(calls: Vec<ToolCall>) -> (Vec<MessageToolCall>, Option<MessageFunction>) {
    let (mut tool_calls, mut function_call) = (Vec::new(), None);
    for ToolCall {
        id,
        name,
        arguments,
        form,
        mut members,
    } in calls
    {
        let of_function = members.take_object("function");
        let of_custom = members.take_object("custom");
        match form {
            CallForm::Function => tool_calls.push(MessageToolCall {
                id,
                r#type: "function",
                function: Some(MessageFunction {
                    name,
                    arguments,
                    members: of_function,
                }),
                custom: None,
                members,
            }),
            CallForm::Custom => tool_calls.push(MessageToolCall {
                id,
                r#type: "custom",
                function: None,
                custom: Some(MessageCustom {
                    name,
                    input: arguments,
                    members: of_custom,
                }),
                members,
            }),
            CallForm::Older => {
                function_call = Some(MessageFunction {
                    name,
                    arguments,
                    members: of_function,
                });
            }
        }
    }
    (tool_calls, function_call)
}
