//! One call of a tool, from what the model wrote to what it is told.

use std::fmt::Write as _;
use std::pin::pin;

use clawless_core::json::error_reason;
use clawless_core::time::{Millis, Timer};
use clawless_core::tool::{ToolExecution, ToolOutcome};
use clawless_core::{Clock, ToolCall, ToolExecutionId};
use futures_util::FutureExt;
use futures_util::future::{Either, join_all, select};
use garde::Validate;

use super::registry::{Entry, Toolbox};
use super::tool::{Failure, Tool, ToolContext};
use crate::platform::Platform;

/// The longest arguments that are read, and the longest result that a model is told, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The most calls of one round that run.
const MAX_CALLS: usize = 16;

/// The longest name and id of a call that are recorded, in bytes.
const MAX_NAME: usize = 256;

/// Runs the calls of one round at once and says how each went, in their order. Calls that may not
/// run are refused; all of them are where `enough` says why.
pub async fn execute<P: Platform>(
    context: &ToolContext<'_, P>,
    tools: &Toolbox,
    calls: &[ToolCall],
    enough: Option<&str>,
) -> Vec<ToolExecution> {
    let one = |(at, call)| async move {
        let started_at = context.platform.time().now();
        let (outcome, result) = match admit(tools, call, at, enough) {
            Ok(entry) => {
                // Boxed: the future is as large as that of the largest tool.
                let running = super::run(context, entry.name, &call.arguments).boxed_local();
                within(context.platform.time(), entry.timeout, running).await
            }
            Err(why) => (ToolOutcome::Refused, why),
        };
        let duration = context.platform.time().now().since(started_at);
        let id = ToolExecutionId::generate(started_at, context.platform.entropy());
        let tool = bounded(&call.name, MAX_NAME).to_owned();
        tracing::info!(
            id = id.as_str(),
            tool,
            outcome = outcome.as_str(),
            duration_ms = duration.get(),
            "a tool was called"
        );
        ToolExecution {
            id,
            tenant_id: context.tenant.clone(),
            session_id: context.session.cloned(),
            request_id: context.request.clone(),
            call: ToolCall {
                id: bounded(&call.id, MAX_NAME).to_owned(),
                name: tool,
                arguments: bounded(&call.arguments, MAX_BYTES).to_owned(),
                form: call.form,
                ..ToolCall::default()
            },
            outcome,
            result,
            started_at,
            duration,
        }
    };
    join_all(calls.iter().enumerate().map(one)).await
}

/// The tool that a call may run.
fn admit(
    tools: &Toolbox,
    call: &ToolCall,
    at: usize,
    enough: Option<&str>,
) -> Result<&'static Entry, String> {
    if let Some(why) = enough {
        return Err(why.to_owned());
    }
    let Some(entry) = tools.find(&call.name) else {
        let (name, names) = (bounded(&call.name, MAX_NAME), tools.names().join("`, `"));
        return Err(format!(
            "There is no tool `{name}` here. The tools are `{names}`."
        ));
    };
    if at >= MAX_CALLS {
        return Err(format!(
            "At most {MAX_CALLS} tools run at once; this one was not run."
        ));
    }
    if call.arguments.len() > MAX_BYTES {
        return Err(format!(
            "The arguments are longer than {MAX_BYTES} bytes; the tool was not run."
        ));
    }
    Ok(entry)
}

/// Reads and checks the arguments, and runs the tool.
pub(super) async fn call<T: Tool, P: Platform>(
    context: &ToolContext<'_, P>,
    arguments: &str,
) -> Result<String, Failure> {
    let invalid = |why: String| {
        Failure::Refused(format!(
            "Invalid arguments: {why}. The tool was not run; correct them and call it again."
        ))
    };
    // Some models write nothing where there is nothing to say.
    let text = if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    };
    let arguments: T::Arguments =
        serde_json::from_str(text).map_err(|error| invalid(error_reason(&error)))?;
    if let Err(report) = arguments.validate() {
        let broken = report.iter().next();
        let why = broken.map(|(path, error)| format!("`{path}`: {error}"));
        return Err(invalid(why.unwrap_or_default()));
    }
    T::run(context, arguments).await
}

/// Waits for a tool, but not for ever, and bounds what it says.
async fn within(
    timer: &impl Timer,
    timeout: Millis,
    running: impl Future<Output = Result<String, Failure>> + Unpin,
) -> (ToolOutcome, String) {
    match select(running, pin!(timer.sleep(timeout))).await {
        Either::Left((Ok(result), _)) => (ToolOutcome::Succeeded, shortened(result)),
        Either::Left((Err(Failure::Refused(why)), _)) => (ToolOutcome::Refused, shortened(why)),
        Either::Left((Err(Failure::Failed(why)), _)) => (ToolOutcome::Failed, shortened(why)),
        Either::Right(_) => (
            ToolOutcome::TimedOut,
            format!(
                "The tool did not end within {} s and was stopped.",
                timeout.ceil_secs()
            ),
        ),
    }
}

/// A result that is too long, cut, and saying so.
fn shortened(mut result: String) -> String {
    let bytes = result.len();
    if bytes > MAX_BYTES {
        let kept = bounded(&result, MAX_BYTES).len();
        result.truncate(kept);
        // Writing to a string cannot fail.
        let _ = write!(result, "\n[cut: {kept} of {bytes} bytes]");
    }
    result
}

/// The beginning of a text, of whole characters.
pub(super) fn bounded(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use clawless_core::{Scopes, Timestamp};
    use clawless_testkit::provider::VirtualTime;

    use super::*;

    fn tools() -> Toolbox {
        Toolbox::open(&["time_now".to_owned()], &Scopes::all())
    }

    fn call(name: &str, arguments: &str) -> ToolCall {
        ToolCall {
            id: "call_1".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            ..ToolCall::default()
        }
    }

    #[test]
    fn a_call_that_may_not_run_is_told_why() {
        let refusal = |call: ToolCall, at, enough| {
            let admitted = admit(&tools(), &call, at, enough);
            admitted.map(|entry| entry.name).unwrap_err()
        };
        let unknown = refusal(call("sessions_history", "{}"), 0, None);
        assert!(unknown.contains("no tool `sessions_history`"), "{unknown}");
        assert!(unknown.contains("`time_now`"), "{unknown}");
        let long = refusal(call("time_now", &" ".repeat(MAX_BYTES + 1)), 0, None);
        assert!(long.contains("longer"), "{long}");
        assert!(refusal(call("time_now", "{}"), MAX_CALLS, None).contains("at once"));
        assert_eq!(refusal(call("time_now", "{}"), 0, Some("enough")), "enough");
        assert!(admit(&tools(), &call("time_now", "{}"), 0, None).is_ok());
    }

    #[test]
    fn a_tool_is_not_waited_for_for_ever() {
        let time = VirtualTime::starting_at(Timestamp::from_millis(0));
        let never = pending::<Result<String, Failure>>();
        let (outcome, result) = time.run(within(&time, Millis::from_secs(30), never));
        assert_eq!(outcome, ToolOutcome::TimedOut);
        assert!(result.contains("30 s"), "{result}");
        assert_eq!(time.now(), Timestamp::from_millis(30_000));
    }

    #[test]
    fn a_mebibyte_is_cut_between_two_characters() {
        let time = VirtualTime::starting_at(Timestamp::from_millis(0));
        let long = ready(Ok(format!("x{}", "\u{e9}".repeat(512 * 1024))));
        let (outcome, result) = time.run(within(&time, Millis::from_secs(30), long));
        assert_eq!(outcome, ToolOutcome::Succeeded);
        assert!(result.ends_with("\n[cut: 65535 of 1048577 bytes]"));
        assert!(result.len() < MAX_BYTES + 64);
    }
}
