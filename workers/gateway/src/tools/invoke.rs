//! Runs one tool with the arguments that the model wrote.

use clawless_core::json;
use garde::Validate;

use super::tool::{Tool, ToolContext, ToolError};
use crate::platform::Platform;

/// Parses and validates the arguments, and runs the tool.
pub(super) async fn invoke<T: Tool, P: Platform>(
    context: &ToolContext<'_, P>,
    arguments: &str,
) -> Result<String, ToolError> {
    let invalid = |reason: String| {
        ToolError::Refused(format!(
            "Invalid arguments: {reason}. The tool was not run; correct them and call it again."
        ))
    };
    // Some models write nothing for a call without arguments.
    let text = if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    };
    let arguments: T::Arguments = json::read(text).map_err(|error| invalid(error.reason()))?;
    if let Err(report) = arguments.validate() {
        let broken = report.iter().next();
        let reason = broken.map(|(path, error)| format!("`{path}`: {error}"));
        return Err(invalid(reason.unwrap_or_default()));
    }
    T::run(context, arguments).await
}
