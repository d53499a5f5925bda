//! Rounds of a turn: which of the tools that a model calls are ours to run, and when it is enough.
//!
//! A model may call the server's tools and the client's own in one answer. Ours run inside the
//! turn and the model is asked again; the client's go back to it, as `OpenAI` does.

use std::borrow::Cow;

use crate::chat::{ChatOptions, FinishReason, Message, Role};
use crate::json::Json;
use crate::llm::{Delta, LlmChoice, LlmEvent};
use crate::tool::{FunctionTool, Tool, ToolCall};

/// How often server tools run within one turn.
pub const MAX_ROUNDS: u32 = 8;

/// The most tools of a request, as `OpenAI` has it.
const MAX_TOOLS: usize = 128;

/// What stands between the texts of two rounds.
const JOINT: &str = "\n\n";

/// The tools of a turn, and how often ours have run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rounds {
    /// The names of the client's own tools.
    clients: Vec<String>,
    done: u32,
}

/// What comes after an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it was the last one.
    End,
    /// Calls that the server answers.
    Act {
        /// The calls, in the model's order.
        calls: Vec<ToolCall>,
        /// Whether they run; else the model is told that it was enough.
        run: bool,
        /// Whether the model is asked again; else the client has calls of its own to answer.
        ask_again: bool,
    },
}

impl Rounds {
    /// Offers the server's tools beside the client's own, which win where two have one name.
    ///
    /// `None`, and nothing is offered, where there is nothing to offer or no way to run it: several
    /// answers to one request, functions in the older form, tools that the client forbids, or too
    /// many of them.
    pub fn offer(options: &mut ChatOptions, server: Vec<FunctionTool>) -> Option<Self> {
        let forbidden = options.tool_choice.as_ref().is_some_and(is_none);
        if options.n.unwrap_or(1) > 1 || options.functions.is_some() || forbidden {
            return None;
        }
        let own = options.tools.iter().flatten();
        let clients: Vec<String> = own.filter_map(Tool::name).map(Cow::into_owned).collect();
        let ours = server.into_iter().filter(|it| !clients.contains(&it.name));
        let ours: Vec<Tool> = ours.map(Tool::from).collect();
        let own = options.tools.as_ref().map_or(0, Vec::len);
        if ours.is_empty() || own + ours.len() > MAX_TOOLS {
            return None;
        }
        options.tools.get_or_insert_default().extend(ours);
        Some(Self { clients, done: 0 })
    }

    /// What to do with an answer. One that was cut off is the last: half a call is none.
    pub fn after(&mut self, choice: &LlmChoice) -> Step {
        let is_whole = matches!(
            choice.finish_reason,
            Some(FinishReason::ToolCalls | FinishReason::Stop)
        );
        let (clients, calls): (Vec<_>, Vec<_>) = choice
            .tool_calls
            .iter()
            .cloned()
            .partition(|call| self.is_clients(&call.name));
        if calls.is_empty() || !is_whole || self.done > MAX_ROUNDS {
            return Step::End;
        }
        let run = self.done < MAX_ROUNDS;
        self.done += 1;
        Step::Act {
            calls,
            run,
            ask_again: clients.is_empty(),
        }
    }

    /// Fits the options for asking again: a tool that the client insisted on has been called, and
    /// after the last round there are none to call.
    pub fn narrow(&self, options: &mut ChatOptions) {
        if self.done > MAX_ROUNDS {
            options.tool_choice = Json::of("none").ok();
        } else if let Some(choice) = options.tool_choice.take() {
            options.tool_choice = relaxed(&choice);
        }
    }

    /// The answer as the client sees it: with its own calls only. One that still wants ours when
    /// there are no more rounds was cut short.
    #[must_use]
    pub fn shown(&self, mut choice: LlmChoice) -> LlmChoice {
        let all = choice.tool_calls.len();
        choice.tool_calls.retain(|call| self.is_clients(&call.name));
        if choice.finish_reason == Some(FinishReason::ToolCalls)
            && choice.tool_calls.is_empty()
            && all > 0
        {
            choice.finish_reason = Some(FinishReason::Length);
        }
        choice
    }

    fn is_clients(&self, name: &str) -> bool {
        self.clients.iter().any(|own| own == name)
    }
}

/// The text of several rounds as one.
pub fn join(said: &mut Option<String>, more: Option<&str>) {
    let Some(more) = more.filter(|more| !more.is_empty()) else {
        return;
    };
    let said = said.get_or_insert_default();
    if !said.is_empty() {
        said.push_str(JOINT);
    }
    said.push_str(more);
}

/// The answer of a stored turn, as its client saw it: the text of all its rounds, and the calls that
/// no tool has answered. None where the model said nothing.
///
/// The model's part is the turn's end: its messages, and the results of tools between them.
///
/// # Errors
/// Where a message is not one that [`LlmChoice::to_stored`] wrote.
pub fn stored_answer(
    messages: &[Message],
    reason: Option<FinishReason>,
) -> Result<Option<LlmChoice>, serde_json::Error> {
    let is_ours = |message: &&Message| matches!(message.role(), Role::Assistant | Role::Tool);
    let part = messages.iter().rev().take_while(is_ours).count();
    let part = messages.get(messages.len() - part..).unwrap_or_default();
    // Results before the model's first word answer calls of an earlier turn.
    let first = part.iter().position(|it| it.role() == Role::Assistant);
    let part = first
        .and_then(|first| part.get(first..))
        .unwrap_or_default();
    let mut answer: Option<LlmChoice> = None;
    for message in part {
        if message.role() == Role::Tool {
            let id = message.view()?.tool_call_id;
            if let Some(answer) = &mut answer {
                answer
                    .tool_calls
                    .retain(|call| Some(&call.id) != id.as_ref());
            }
            continue;
        }
        let mut said = LlmChoice::from_stored(message, reason)?;
        if let Some(before) = answer.take() {
            let mut text = before.content;
            join(&mut text, said.content.as_deref());
            said.content = text;
        }
        answer = Some(said);
    }
    Ok(answer)
}

/// Lets through what a client may see of one round's stream.
#[derive(Debug)]
pub struct ClientView<'a> {
    rounds: &'a Rounds,
    /// The positions of the client's calls among all calls; its own positions are those in here.
    shown: Vec<u32>,
    /// Whether the next text follows one of an earlier round.
    joint: bool,
}

impl<'a> ClientView<'a> {
    /// For a round before which the client has seen a text, or has not.
    pub const fn new(rounds: &'a Rounds, has_text: bool) -> Self {
        Self {
            rounds,
            shown: Vec::new(),
            joint: has_text,
        }
    }

    /// The event as the client sees it; none where it is not for the client. Ends are held back:
    /// whether it is the answer's end shows later.
    pub fn let_through(&mut self, event: &LlmEvent) -> Option<LlmEvent> {
        let LlmEvent::Delta { index, delta } = event else {
            return None;
        };
        let delta = match delta {
            Delta::ToolCallStart {
                call,
                id,
                name,
                form,
            } => {
                if !self.rounds.is_clients(name) {
                    return None;
                }
                self.shown.push(*call);
                Delta::ToolCallStart {
                    call: self.position(*call)?,
                    id: id.clone(),
                    name: name.clone(),
                    form: *form,
                }
            }
            Delta::ToolCallArguments {
                call,
                arguments,
                form,
            } => Delta::ToolCallArguments {
                call: self.position(*call)?,
                arguments: arguments.clone(),
                form: *form,
            },
            Delta::Content(text) if self.joint && !text.is_empty() => {
                self.joint = false;
                Delta::Content(format!("{JOINT}{text}"))
            }
            other => other.clone(),
        };
        Some(LlmEvent::Delta {
            index: *index,
            delta,
        })
    }

    fn position(&self, call: u32) -> Option<u32> {
        let at = self.shown.iter().position(|shown| *shown == call)?;
        u32::try_from(at).ok()
    }
}

fn is_none(choice: &Json) -> bool {
    choice.read::<&str>().is_ok_and(|choice| choice == "none")
}

/// A choice of tools without the insistence: what is allowed stays allowed, nothing is required.
fn relaxed(choice: &Json) -> Option<Json> {
    let mut value: serde_json::Value = choice.read().ok()?;
    match value.pointer_mut("/allowed_tools/mode") {
        Some(mode) => {
            *mode = "auto".into();
            Json::of(&value).ok()
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::CallForm;

    fn function(name: &str) -> FunctionTool {
        FunctionTool {
            name: name.to_owned(),
            description: None,
            parameters: None,
            strict: None,
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
            form: CallForm::Function,
        };
        LlmChoice {
            tool_calls: names.iter().map(call).collect(),
            finish_reason: Some(FinishReason::ToolCalls),
            ..LlmChoice::default()
        }
    }

    fn rounds(own: &[&str]) -> Rounds {
        Rounds::offer(&mut options(own), vec![function("time_now")]).expect("offered")
    }

    fn names(calls: &[ToolCall]) -> Vec<&str> {
        calls.iter().map(|call| call.name.as_str()).collect()
    }

    #[test]
    fn a_clients_tool_wins_over_ours_of_the_same_name() {
        let mut both = options(&["time_now"]);
        let server = vec![function("time_now"), function("sessions_list")];
        let mut rounds = Rounds::offer(&mut both, server).expect("one is left");
        assert_eq!(both.tools.as_ref().map(Vec::len), Some(2));
        assert_eq!(rounds.after(&calls(&["time_now"])), Step::End);
        let mut taken = options(&["time_now"]);
        assert_eq!(Rounds::offer(&mut taken, vec![function("time_now")]), None);
    }

    #[test]
    fn nothing_is_offered_where_it_could_not_run() {
        let server = || vec![function("time_now")];
        let several = ChatOptions {
            n: Some(2),
            ..ChatOptions::default()
        };
        let forbidden = ChatOptions {
            tool_choice: Json::of("none").ok(),
            ..ChatOptions::default()
        };
        let older = ChatOptions {
            functions: Some(Vec::new()),
            ..ChatOptions::default()
        };
        let full = options(&["x"; 128]);
        for mut options in [several, forbidden, older, full] {
            let before = options.clone();
            assert_eq!(Rounds::offer(&mut options, server()), None);
            assert_eq!(options, before);
        }
    }

    #[test]
    fn ours_run_and_the_clients_go_back() {
        let mut rounds = rounds(&["weather"]);
        let answer = calls(&["time_now", "weather", "no_such_tool"]);
        let Step::Act {
            calls,
            run,
            ask_again,
        } = rounds.after(&answer)
        else {
            panic!("there is something to do");
        };
        // Who does not exist is ours to refuse.
        assert_eq!(names(&calls), ["time_now", "no_such_tool"]);
        assert!(run && !ask_again);
        let shown = rounds.shown(answer);
        assert_eq!(names(&shown.tool_calls), ["weather"]);
        assert_eq!(shown.finish_reason, Some(FinishReason::ToolCalls));
    }

    #[test]
    fn half_a_call_is_no_call() {
        for reason in [
            None,
            Some(FinishReason::Length),
            Some(FinishReason::ContentFilter),
        ] {
            let answer = LlmChoice {
                finish_reason: reason,
                ..calls(&["time_now"])
            };
            assert_eq!(rounds(&[]).after(&answer), Step::End, "{reason:?}");
        }
    }

    #[test]
    fn eight_rounds_run_and_the_ninth_is_refused() {
        let mut rounds = rounds(&[]);
        for round in 1..=9 {
            let Step::Act { run, ask_again, .. } = rounds.after(&calls(&["time_now"])) else {
                panic!("round {round}");
            };
            assert_eq!((run, ask_again), (round <= 8, true), "round {round}");
            let mut asked = options(&[]);
            rounds.narrow(&mut asked);
            assert_eq!(asked.tool_choice.as_ref().is_some_and(is_none), round > 8);
        }
        let stubborn = calls(&["time_now"]);
        assert_eq!(rounds.after(&stubborn), Step::End);
        let shown = rounds.shown(stubborn);
        assert_eq!(shown.finish_reason, Some(FinishReason::Length));
        assert!(shown.tool_calls.is_empty());
    }

    #[test]
    fn what_was_insisted_on_is_not_insisted_on_again() {
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

    #[test]
    fn a_stream_shows_the_clients_calls_under_positions_of_their_own() {
        let rounds = rounds(&["weather", "news"]);
        let mut view = ClientView::new(&rounds, true);
        let start = |call, name: &str| Delta::ToolCallStart {
            call,
            id: format!("call_{call}"),
            name: name.to_owned(),
            form: CallForm::Function,
        };
        let more = |call| Delta::ToolCallArguments {
            call,
            arguments: "{}".to_owned(),
            form: CallForm::Function,
        };
        let text = |text: &str| Delta::Content(text.to_owned());
        let mut seen = |delta| {
            let event = view.let_through(&LlmEvent::Delta { index: 0, delta });
            event.map(|event| match event {
                LlmEvent::Delta { delta, .. } => delta,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(
            seen(text("a")),
            Some(text("\n\na")),
            "after an earlier text"
        );
        assert_eq!(seen(text("b")), Some(text("b")));
        assert_eq!(seen(start(0, "time_now")), None);
        assert_eq!(seen(more(0)), None);
        let Some(Delta::ToolCallStart { call: 0, id, .. }) = seen(start(1, "weather")) else {
            panic!("the client's first call");
        };
        assert_eq!(id, "call_1");
        assert_eq!(seen(more(1)), Some(more(0)));
        assert_eq!(seen(start(2, "time_now")), None);
        assert!(matches!(
            seen(start(3, "news")),
            Some(Delta::ToolCallStart { call: 1, .. })
        ));
        assert_eq!(seen(more(3)), Some(more(1)));
        assert_eq!(seen(more(2)), None);
    }

    #[test]
    fn a_stored_turn_is_answered_as_its_client_saw_it() {
        let said = |choice: &LlmChoice| {
            Message::from_stored(Role::Assistant, choice.to_stored().expect("JSON"))
        };
        let told = |call: &str| Message::of_tool(call, "result").expect("JSON");
        let user = Message::text(Role::User, "hello").expect("JSON");
        let first = LlmChoice {
            content: Some("Wait.".to_owned()),
            ..calls(&["time_now"])
        };
        let both = calls(&["time_now", "weather"]);
        let turn = [
            told("call_of_an_earlier_turn"),
            said(&first),
            told("call_time_now"),
            said(&both),
            told("call_time_now"),
        ];
        let answer = stored_answer(&turn, Some(FinishReason::ToolCalls));
        let answer = answer.expect("readable").expect("something");
        assert_eq!(answer.content.as_deref(), Some("Wait."));
        assert_eq!(names(&answer.tool_calls), ["weather"]);
        assert_eq!(answer.finish_reason, Some(FinishReason::ToolCalls));
        let silent = stored_answer(&[user, told("call_x")], None);
        assert_eq!(silent.expect("readable"), None);
    }

    #[test]
    fn texts_are_joined_and_silence_is_not() {
        let mut said = None;
        for text in [None, Some("a"), Some(""), Some("b")] {
            join(&mut said, text);
        }
        assert_eq!(said.as_deref(), Some("a\n\nb"));
    }
}
