//! Tools in prompts for Qwen.

use serde_json::Value;

/// A function that the client offers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// The member of `tools`, unchanged.
    pub(crate) definition: Value,
}

/// The request's `tool_choice`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    /// The tools are not mentioned.
    None,
    /// The model decides.
    Auto,
    /// Some tool is called.
    Required,
    /// This one is called.
    Named(String),
}

/// The text after the system message: the signatures and the format of a call.
pub(crate) fn describe(tools: &[Tool]) -> String {
    let mut signatures = String::new();
    for tool in tools {
        signatures.push_str(&tool.definition.to_string());
        signatures.push('\n');
    }
    format!(
        "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n\
         You are provided with function signatures within <tools></tools> XML tags:\n\
         <tools>\n{signatures}</tools>\n\n\
         For each function call, return a json object with function name and arguments within \
         <tool_call></tool_call> XML tags:\n\
         <tool_call>\n{{\"name\": <function-name>, \"arguments\": <args-json-object>}}\n</tool_call>"
    )
}

/// The start of a required call, which follows `<tool_call>` in the prompt.
pub(crate) fn opening(choice: &ToolChoice) -> Option<String> {
    match choice {
        ToolChoice::None | ToolChoice::Auto => None,
        ToolChoice::Required => Some("\n{\"name\":".into()),
        ToolChoice::Named(name) => {
            let name = Value::from(name.as_str());
            Some(format!("\n{{\"name\": {name}, \"arguments\":"))
        }
    }
}
