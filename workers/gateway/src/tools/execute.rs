//! Executes the tool calls of one round and records each execution.

use std::fmt::Write as _;

use clawless_core::time::{Elapsed, Millis, Timer, timeout};
use clawless_core::tool::{ToolExecution, ToolOutcome};
use clawless_core::{Clock, ToolCall, ToolExecutionId};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::registry::{self, Entry};
use super::text::truncated;
use super::tool::{ToolContext, ToolError};
use super::toolbox::Toolbox;
use crate::platform::Platform;

/// The longest arguments and the longest result, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The most calls that run in one round.
const MAX_CALLS: usize = 16;

/// The longest recorded name or id of a call, in bytes.
const MAX_NAME_BYTES: usize = 256;

/// Runs the calls of one round at once and returns a record of each, in their order. Calls that may
/// not run are refused; all of them if `refusal` has a reason.
pub async fn execute<P: Platform>(
    context: &ToolContext<'_, P>,
    tools: &Toolbox,
    calls: &[ToolCall],
    refusal: Option<&str>,
) -> Vec<ToolExecution> {
    let one = |(at, call)| async move {
        let started_at = context.platform.time().now();
        let (outcome, result) = match check(tools, call, at, refusal) {
            Ok(entry) => {
                // Boxed, because the future is as large as that of the largest tool.
                let running = registry::run(context, entry.name, &call.arguments).boxed_local();
                run_limited(context.platform.time(), entry.timeout, running).await
            }
            Err(reason) => (ToolOutcome::Refused, reason),
        };
        let duration = context.platform.time().now().since(started_at);
        let id = ToolExecutionId::generate(started_at, context.platform.entropy());
        let tool = truncated(&call.name, MAX_NAME_BYTES).to_owned();
        tracing::info!(
            id = id.as_str(),
            tool,
            outcome = outcome.as_str(),
            duration_ms = duration.get(),
            "tool called"
        );
        ToolExecution {
            id,
            tenant_id: context.tenant.clone(),
            session_id: context.session.cloned(),
            request_id: context.request.clone(),
            key_id: Some(context.key.clone()),
            call: ToolCall {
                id: truncated(&call.id, MAX_NAME_BYTES).to_owned(),
                name: tool,
                arguments: truncated(&call.arguments, MAX_BYTES).to_owned(),
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

/// Checks that a call may run. Returns its tool.
fn check(
    tools: &Toolbox,
    call: &ToolCall,
    at: usize,
    refusal: Option<&str>,
) -> Result<&'static Entry, String> {
    if let Some(reason) = refusal {
        return Err(reason.to_owned());
    }
    let Some(entry) = tools.find(&call.name) else {
        let (name, names) = (
            truncated(&call.name, MAX_NAME_BYTES),
            tools.names().join("`, `"),
        );
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

/// Runs a tool with a timeout and a limit on its result.
async fn run_limited(
    timer: &impl Timer,
    limit: Millis,
    running: impl Future<Output = Result<String, ToolError>>,
) -> (ToolOutcome, String) {
    match timeout(timer, limit, running).await {
        Ok(Ok(result)) => (ToolOutcome::Succeeded, shortened(result)),
        Ok(Err(ToolError::Refused(reason))) => (ToolOutcome::Refused, shortened(reason)),
        Ok(Err(ToolError::Failed(reason))) => (ToolOutcome::Failed, shortened(reason)),
        Err(Elapsed) => (
            ToolOutcome::TimedOut,
            format!(
                "The tool did not end within {} s and was stopped.",
                limit.ceil_secs()
            ),
        ),
    }
}

/// Cuts a result that is too long and notes the cut.
fn shortened(mut result: String) -> String {
    let bytes = result.len();
    if bytes > MAX_BYTES {
        let kept = truncated(&result, MAX_BYTES).len();
        result.truncate(kept);
        // Writing to a string cannot fail.
        let _ = write!(result, "\n[cut: {kept} of {bytes} bytes]");
    }
    result
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use clawless_core::{Scopes, Timestamp};
    use clawless_testkit::provider::VirtualTime;

    use super::*;

    fn tools() -> Toolbox {
        Toolbox::new(&["time_now".to_owned()], &Scopes::all())
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
    fn a_refused_call_gets_the_reason() {
        let refusal = |call: ToolCall, at, enough| {
            let admitted = check(&tools(), &call, at, enough);
            admitted.map(|entry| entry.name).unwrap_err()
        };
        let unknown = refusal(call("sessions_history", "{}"), 0, None);
        assert!(unknown.contains("no tool `sessions_history`"), "{unknown}");
        assert!(unknown.contains("`time_now`"), "{unknown}");
        let long = refusal(call("time_now", &" ".repeat(MAX_BYTES + 1)), 0, None);
        assert!(long.contains("longer"), "{long}");
        assert!(refusal(call("time_now", "{}"), MAX_CALLS, None).contains("at once"));
        assert_eq!(refusal(call("time_now", "{}"), 0, Some("enough")), "enough");
        assert!(check(&tools(), &call("time_now", "{}"), 0, None).is_ok());
    }

    #[test]
    fn a_tool_call_has_a_timeout() {
        let time = VirtualTime::starting_at(Timestamp::from_millis(0));
        let never = pending::<Result<String, ToolError>>();
        let (outcome, result) = time.run(run_limited(&time, Millis::from_secs(30), never));
        assert_eq!(outcome, ToolOutcome::TimedOut);
        assert!(result.contains("30 s"), "{result}");
        assert_eq!(time.now(), Timestamp::from_millis(30_000));
    }

    #[test]
    fn a_long_result_is_cut_between_two_characters() {
        let time = VirtualTime::starting_at(Timestamp::from_millis(0));
        let long = ready(Ok(format!("x{}", "\u{e9}".repeat(512 * 1024))));
        let (outcome, result) = time.run(run_limited(&time, Millis::from_secs(30), long));
        assert_eq!(outcome, ToolOutcome::Succeeded);
        assert!(result.ends_with("\n[cut: 65535 of 1048577 bytes]"));
        assert!(result.len() < MAX_BYTES + 64);
    }
}
