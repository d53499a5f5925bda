//! The part of a streamed round that the client receives.

use super::state::Rounds;
use super::text::SEPARATOR;
use crate::llm::{Delta, LlmEvent};

/// Filters the events of one round: calls of server tools and the ends of rounds are hidden.
#[derive(Debug)]
pub struct ClientView<'a> {
    rounds: &'a Rounds,
    /// The positions of the client's calls among all calls. The position in this list is the one
    /// that the client sees.
    client_calls: Vec<u32>,
    /// Whether the next text follows the text of an earlier round.
    needs_separator: bool,
}

impl<'a> ClientView<'a> {
    /// A view of one round. `has_text`: the client has received text of an earlier round.
    pub const fn new(rounds: &'a Rounds, has_text: bool) -> Self {
        Self {
            rounds,
            client_calls: Vec::new(),
            needs_separator: has_text,
        }
    }

    /// The event as the client sees it; `None` if it is hidden. `Finish` events are hidden because
    /// another round may follow.
    pub fn filter(&mut self, event: &LlmEvent) -> Option<LlmEvent> {
        let (index, delta) = match event {
            LlmEvent::Delta { index, delta } => (index, delta),
            LlmEvent::Members(_) => return Some(event.clone()),
            LlmEvent::Finish { .. } | LlmEvent::Usage(_) => return None,
        };
        let delta = match delta {
            Delta::ToolCallStart {
                call,
                id,
                name,
                form,
                members,
            } => {
                if !self.rounds.is_client_tool(name) {
                    return None;
                }
                self.client_calls.push(*call);
                Delta::ToolCallStart {
                    call: self.position(*call)?,
                    id: id.clone(),
                    name: name.clone(),
                    form: *form,
                    members: members.clone(),
                }
            }
            Delta::ToolCallMembers {
                call,
                form,
                members,
            } => Delta::ToolCallMembers {
                call: self.position(*call)?,
                form: *form,
                members: members.clone(),
            },
            Delta::ToolCallArguments {
                call,
                arguments,
                form,
            } => Delta::ToolCallArguments {
                call: self.position(*call)?,
                arguments: arguments.clone(),
                form: *form,
            },
            Delta::Content(text) if self.needs_separator && !text.is_empty() => {
                self.needs_separator = false;
                Delta::Content(format!("{SEPARATOR}{text}"))
            }
            other => other.clone(),
        };
        Some(LlmEvent::Delta {
            index: *index,
            delta,
        })
    }

    fn position(&self, call: u32) -> Option<u32> {
        let position = self.client_calls.iter().position(|other| *other == call)?;
        u32::try_from(position).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ChatOptions;
    use crate::members::Members;
    use crate::tool::{CallForm, FunctionTool};

    fn function(name: &str) -> FunctionTool {
        FunctionTool {
            name: name.to_owned(),
            ..FunctionTool::default()
        }
    }

    #[test]
    fn client_calls_have_their_own_positions() {
        let mut options = ChatOptions {
            tools: Some(vec![function("weather").into(), function("news").into()]),
            ..ChatOptions::default()
        };
        let rounds =
            Rounds::offer(&mut options, vec![function("time_now")], None).expect("offered");
        let mut view = ClientView::new(&rounds, true);
        let start = |call, name: &str| Delta::ToolCallStart {
            call,
            id: format!("call_{call}"),
            name: name.to_owned(),
            form: CallForm::Function,
            members: Members::default(),
        };
        let arguments = |call| Delta::ToolCallArguments {
            call,
            arguments: "{}".to_owned(),
            form: CallForm::Function,
        };
        let text = |text: &str| Delta::Content(text.to_owned());
        let mut filter = |delta| {
            let event = view.filter(&LlmEvent::Delta { index: 0, delta });
            event.map(|event| match event {
                LlmEvent::Delta { delta, .. } => delta,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(
            filter(text("a")),
            Some(text("\n\na")),
            "after an earlier text"
        );
        assert_eq!(filter(text("b")), Some(text("b")));
        assert_eq!(filter(start(0, "time_now")), None);
        assert_eq!(filter(arguments(0)), None);
        let Some(Delta::ToolCallStart { call: 0, id, .. }) = filter(start(1, "weather")) else {
            panic!("the client's first call");
        };
        assert_eq!(id, "call_1");
        assert_eq!(filter(arguments(1)), Some(arguments(0)));
        assert_eq!(filter(start(2, "time_now")), None);
        assert!(matches!(
            filter(start(3, "news")),
            Some(Delta::ToolCallStart { call: 1, .. })
        ));
        assert_eq!(filter(arguments(3)), Some(arguments(1)));
        assert_eq!(filter(arguments(2)), None);
    }
}
