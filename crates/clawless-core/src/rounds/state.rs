//! The state of a turn's rounds, and the step after each model response.

use std::borrow::Cow;

use crate::chat::{ChatOptions, FinishReason};
use crate::json::Json;
use crate::llm::LlmChoice;
use crate::tool::{FunctionTool, Tool, ToolCall};

/// The number of rounds in which server tools run, in one turn.
pub const MAX_ROUNDS: u32 = 8;

/// `OpenAI`'s limit for the tools of one request.
const MAX_TOOLS: usize = 128;

/// The client's tools of a turn, and the number of rounds with server tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// The names of the client's own tools.
    client_tools: Vec<String>,
    count: u32,
    /// How many more calls of server tools may run; `None` for any number.
    calls_left: Option<usize>,
}

/// The step after a model response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The turn ends.
    End,
    /// The server responds to tool calls.
    Act {
        /// The calls, in the model's order.
        calls: Vec<ToolCall>,
        /// Whether the tools run. Otherwise each call gets an error result: the turn has reached
        /// [`MAX_ROUNDS`].
        run: bool,
        /// Whether the model is called again. Otherwise the client has calls of its own to answer.
        ask_again: bool,
    },
}

impl Rounds {
    /// Adds the server's tools to the client's own. A client tool replaces a server tool of the
    /// same name. At most `max_calls` calls of server tools run, if the request has a limit.
    ///
    /// Returns `None` and adds nothing if there is no tool to add, the request has `n` > 1, uses
    /// legacy functions, sets `tool_choice: "none"`, or would have too many tools.
    pub fn offer(
        options: &mut ChatOptions,
        server: Vec<FunctionTool>,
        max_calls: Option<u32>,
    ) -> Option<Self> {
        let forbidden = options.tool_choice.as_ref().is_some_and(is_none);
        if options.n.unwrap_or(1) > 1 || options.functions.is_some() || forbidden {
            return None;
        }
        let client = options.tools.iter().flatten();
        let client_tools: Vec<String> =
            client.filter_map(Tool::name).map(Cow::into_owned).collect();
        let server = server.into_iter();
        let server: Vec<Tool> = server
            .filter(|it| !client_tools.contains(&it.name))
            .map(Tool::from)
            .collect();
        let client_count = options.tools.as_ref().map_or(0, Vec::len);
        if server.is_empty() || client_count + server.len() > MAX_TOOLS {
            return None;
        }
        options.tools.get_or_insert_default().extend(server);
        Some(Self {
            client_tools,
            count: 0,
            calls_left: max_calls.map(|most| most as usize),
        })
    }

    /// The step after a model response. A truncated response ends the turn, because its last call
    /// may be incomplete.
    pub fn after(&mut self, choice: &LlmChoice) -> Step {
        let is_complete = matches!(
            choice.finish_reason,
            Some(FinishReason::ToolCalls | FinishReason::Stop)
        );
        let (client_calls, calls): (Vec<_>, Vec<_>) = choice
            .tool_calls
            .iter()
            .cloned()
            .partition(|call| self.is_client_tool(&call.name));
        if calls.is_empty() || !is_complete || self.count > MAX_ROUNDS {
            return Step::End;
        }
        let (run, calls_left) = self.may_run(calls.len());
        self.calls_left = calls_left;
        if !run {
            // The model answers next.
            self.count = MAX_ROUNDS;
        }
        self.count += 1;
        Step::Act {
            calls,
            run,
            ask_again: client_calls.is_empty(),
        }
    }

    /// Whether this many calls may run, and how many may run after them.
    fn may_run(&self, calls: usize) -> (bool, Option<usize>) {
        let left = self.calls_left.map(|left| left.checked_sub(calls));
        let run = self.count < MAX_ROUNDS && left != Some(None);
        (run, left.map(Option::unwrap_or_default))
    }

    /// Adapts the options for the next model call: a required tool is no longer required, and
    /// after the last round no tool may be called.
    pub fn narrow(&self, options: &mut ChatOptions) {
        if self.count > MAX_ROUNDS {
            options.tool_choice = Json::from_value("none").ok();
        } else if let Some(choice) = options.tool_choice.take() {
            options.tool_choice = without_requirement(&choice);
        }
    }

    /// The choice as the client sees it, with the client's own calls only. A model that still
    /// calls server tools after the last round was cut off: its finish reason becomes `length`.
    #[must_use]
    pub fn shown(&self, mut choice: LlmChoice) -> LlmChoice {
        let all = choice.tool_calls.len();
        choice
            .tool_calls
            .retain(|call| self.is_client_tool(&call.name));
        if choice.finish_reason == Some(FinishReason::ToolCalls)
            && choice.tool_calls.is_empty()
            && all > 0
        {
            choice.finish_reason = Some(FinishReason::Length);
        }
        choice
    }

    pub(super) fn is_client_tool(&self, name: &str) -> bool {
        self.client_tools.iter().any(|tool| tool == name)
    }
}

fn is_none(choice: &Json) -> bool {
    choice.read::<&str>().is_ok_and(|choice| choice == "none")
}

/// A tool choice that keeps the set of allowed tools and requires none. `None` is the default.
fn without_requirement(choice: &Json) -> Option<Json> {
    let mut value: serde_json::Value = choice.read().ok()?;
    match value.pointer_mut("/allowed_tools/mode") {
        Some(mode) => {
            *mode = "auto".into();
            Json::from_value(&value).ok()
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> FunctionTool {
        FunctionTool {
            name: name.to_owned(),
            ..FunctionTool::default()
        }
    }

    fn options(tools: &[&str]) -> ChatOptions {
        let tools: Vec<Tool> = tools.iter().map(|name| function(name).into()).collect();
        ChatOptions {
            tools: Some(tools).filter(|tools| !tools.is_empty()),
            ..ChatOptions::default()
        }
    }

    fn calls(names: &[&str]) -> LlmChoice {
        let call = |name: &&str| ToolCall {
            id: format!("call_{name}"),
            name: (*name).to_owned(),
            arguments: "{}".to_owned(),
            ..ToolCall::default()
        };
        LlmChoice {
            tool_calls: names.iter().map(call).collect(),
            finish_reason: Some(FinishReason::ToolCalls),
            ..LlmChoice::default()
        }
    }

    fn rounds(client_tools: &[&str]) -> Rounds {
        Rounds::offer(&mut options(client_tools), vec![function("time_now")], None)
            .expect("offered")
    }

    fn names(calls: &[ToolCall]) -> Vec<&str> {
        calls.iter().map(|call| call.name.as_str()).collect()
    }

    #[test]
    fn client_tool_replaces_a_server_tool_of_the_same_name() {
        let mut both = options(&["time_now"]);
        let server = vec![function("time_now"), function("sessions_list")];
        let mut rounds = Rounds::offer(&mut both, server, None).expect("one tool remains");
        assert_eq!(both.tools.as_ref().map(Vec::len), Some(2));
        assert_eq!(rounds.after(&calls(&["time_now"])), Step::End);
        let mut replaced = options(&["time_now"]);
        let server = vec![function("time_now")];
        assert_eq!(Rounds::offer(&mut replaced, server, None), None);
    }

    #[test]
    fn no_tool_is_offered_where_it_cannot_run() {
        let server = || vec![function("time_now")];
        let several = ChatOptions {
            n: Some(2),
            ..ChatOptions::default()
        };
        let forbidden = ChatOptions {
            tool_choice: Json::from_value("none").ok(),
            ..ChatOptions::default()
        };
        let legacy = ChatOptions {
            functions: Some(Vec::new()),
            ..ChatOptions::default()
        };
        let full = options(&["x"; 128]);
        for mut options in [several, forbidden, legacy, full] {
            let before = options.clone();
            assert_eq!(Rounds::offer(&mut options, server(), None), None);
            assert_eq!(options, before);
        }
    }

    #[test]
    fn server_tools_run_and_client_calls_are_returned() {
        let mut rounds = rounds(&["weather"]);
        let choice = calls(&["time_now", "weather", "no_such_tool"]);
        let Step::Act {
            calls,
            run,
            ask_again,
        } = rounds.after(&choice)
        else {
            panic!("the choice has calls of server tools");
        };
        // The server rejects calls of unknown tools.
        assert_eq!(names(&calls), ["time_now", "no_such_tool"]);
        assert!(run && !ask_again);
        let returned = rounds.shown(choice);
        assert_eq!(names(&returned.tool_calls), ["weather"]);
        assert_eq!(returned.finish_reason, Some(FinishReason::ToolCalls));
    }

    #[test]
    fn truncated_response_ends_the_turn() {
        for reason in [
            None,
            Some(FinishReason::Length),
            Some(FinishReason::ContentFilter),
        ] {
            let choice = LlmChoice {
                finish_reason: reason,
                ..calls(&["time_now"])
            };
            assert_eq!(rounds(&[]).after(&choice), Step::End, "{reason:?}");
        }
    }

    #[test]
    fn eight_rounds_run_and_the_ninth_is_refused() {
        let mut rounds = rounds(&[]);
        for round in 1..=9 {
            let step = rounds.after(&calls(&["time_now"]));
            let Step::Act { run, ask_again, .. } = step else {
                panic!("round {round}");
            };
            assert_eq!((run, ask_again), (round <= 8, true), "round {round}");
            let mut next = options(&[]);
            rounds.narrow(&mut next);
            assert_eq!(next.tool_choice.as_ref().is_some_and(is_none), round > 8);
        }
        let again = calls(&["time_now"]);
        assert_eq!(rounds.after(&again), Step::End);
        let returned = rounds.shown(again);
        assert_eq!(returned.finish_reason, Some(FinishReason::Length));
        assert!(returned.tool_calls.is_empty());
    }

    #[test]
    fn calls_beyond_the_requested_number_do_not_run() {
        let server = vec![function("time_now")];
        let mut rounds = Rounds::offer(&mut options(&[]), server, Some(3)).expect("offered");
        let mut runs = |names: &[&str]| match rounds.after(&calls(names)) {
            Step::Act { run, .. } => Some(run),
            Step::End => None,
        };
        assert_eq!(runs(&["time_now", "time_now"]), Some(true));
        assert_eq!(runs(&["time_now", "time_now"]), Some(false), "one is left");
        assert_eq!(runs(&["time_now"]), None, "the model was asked to answer");
    }

    #[test]
    fn required_tool_is_not_required_again() {
        for (choice, after) in [
            (r#""required""#, None),
            (r#""auto""#, None),
            (
                r#"{"type":"function","function":{"name":"time_now"}}"#,
                None,
            ),
            (
                r#"{"allowed_tools":{"mode":"required","tools":[]},"type":"allowed_tools"}"#,
                Some(r#"{"allowed_tools":{"mode":"auto","tools":[]},"type":"allowed_tools"}"#),
            ),
        ] {
            let mut options = ChatOptions {
                tool_choice: Json::parse(choice.to_owned()).ok(),
                ..ChatOptions::default()
            };
            rounds(&[]).narrow(&mut options);
            assert_eq!(options.tool_choice.as_ref().map(Json::as_str), after);
        }
    }
}
