//! Finds tool calls in an answer while it is decoded.

use super::ToolCall;
use super::tools::{Tool, ToolChoice, opening};
use crate::event::Event;
use crate::text::overlap;
use serde_json::Value;

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";

/// Holds text that may be a call and releases the rest.
#[derive(Debug, Clone)]
pub(crate) struct CallReader {
    names: Vec<String>,
    held: String,
    inside: bool,
    called: bool,
}

impl CallReader {
    /// A reader for these tools. The start of a required call is in the prompt.
    pub(crate) fn new(tools: &[Tool], choice: &ToolChoice) -> Self {
        let opening = opening(choice);
        Self {
            names: tools.iter().map(|tool| tool.name.clone()).collect(),
            inside: opening.is_some(),
            held: opening.unwrap_or_default(),
            called: false,
        }
    }

    /// Adds text and returns the events that are certain.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Event> {
        self.held.push_str(text);
        let mut events = Vec::new();
        loop {
            let mark = if self.inside { CLOSE } else { OPEN };
            let Some((before, after)) = self.held.split_once(mark) else {
                break;
            };
            let (before, after) = (before.to_owned(), after.to_owned());
            self.held = after;
            let event = if self.inside {
                self.read(&before, CLOSE)
            } else {
                self.plain(before)
            };
            events.extend(event);
            self.inside = !self.inside;
        }
        if !self.inside {
            // White space around calls is not content: it is held until the next text.
            let blank = self.called && self.held.trim().is_empty();
            let keep = if blank {
                self.held.len()
            } else {
                overlap(&self.held, OPEN)
            };
            let tail = self.held.split_off(self.held.len() - keep);
            let before = std::mem::replace(&mut self.held, tail);
            events.extend(self.plain(before));
        }
        events
    }

    /// Ends the answer. A complete call without its closing mark is valid.
    pub(crate) fn finish(&mut self) -> Vec<Event> {
        let held = std::mem::take(&mut self.held);
        let event = if self.inside {
            self.read(&held, "")
        } else {
            self.plain(held)
        };
        event.into_iter().collect()
    }

    fn plain(&self, text: String) -> Option<Event> {
        let nothing = text.is_empty() || (self.called && text.trim().is_empty());
        (!nothing).then_some(Event::Text(text))
    }

    /// A call, or the model's text if it is not a valid call.
    fn read(&mut self, body: &str, close: &str) -> Option<Event> {
        match self.parse(body) {
            Some(call) => {
                self.called = true;
                Some(Event::Call(call))
            }
            None => self.plain(format!("{OPEN}{body}{close}")),
        }
    }

    fn parse(&self, body: &str) -> Option<ToolCall> {
        let call: Value = serde_json::from_str(body.trim()).ok()?;
        let name = call.get("name")?.as_str()?;
        if !self.names.iter().any(|known| known == name) {
            return None;
        }
        let arguments = match call.get("arguments") {
            None | Some(Value::Null) => "{}".to_owned(),
            Some(object @ Value::Object(_)) => object.to_string(),
            Some(_) => return None,
        };
        Some(ToolCall {
            name: name.to_owned(),
            arguments,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Vec<Tool> {
        vec![Tool {
            name: "add".into(),
            definition: Value::Null,
        }]
    }

    /// The events in short: text in quotes, calls as `name(arguments)`.
    fn read(choice: &ToolChoice, parts: &[&str]) -> Vec<String> {
        let mut reader = CallReader::new(&tools(), choice);
        let mut events: Vec<Event> = parts.iter().flat_map(|part| reader.push(part)).collect();
        events.extend(reader.finish());
        events
            .into_iter()
            .map(|event| match event {
                Event::Text(text) => format!("'{text}'"),
                Event::Call(call) => format!("{}({})", call.name, call.arguments),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn text_without_calls_is_unchanged() {
        assert_eq!(
            read(&ToolChoice::Auto, &["a <t", "b> c"]),
            ["'a '", "'<tb> c'"]
        );
    }

    #[test]
    fn a_call_over_several_tokens_is_one_event() {
        let parts = [
            "Let me.<tool",
            "_call>\n{\"name\": \"add\", ",
            "\"arguments\": {\"a\": 1}}\n</tool_",
            "call>\n",
        ];
        assert_eq!(
            read(&ToolChoice::Auto, &parts),
            ["'Let me.'", "add({\"a\":1})"]
        );
    }

    #[test]
    fn white_space_between_two_calls_is_removed() {
        let call = "<tool_call>{\"name\":\"add\"}</tool_call>";
        let parts = [call, "\n", call];
        assert_eq!(read(&ToolChoice::Auto, &parts), ["add({})", "add({})"]);
    }

    #[test]
    fn an_invalid_call_is_returned_as_text() {
        for text in [
            "<tool_call>nonsense</tool_call>",
            "<tool_call>{\"name\":\"remove\"}</tool_call>",
            "<tool_call>{\"name\":\"add\",\"arguments\":7}</tool_call>",
            "<tool_call>{\"name\":",
        ] {
            assert_eq!(read(&ToolChoice::Auto, &[text]), [format!("'{text}'")]);
        }
    }

    #[test]
    fn a_complete_call_without_its_closing_mark_is_valid() {
        let text = "<tool_call>{\"name\":\"add\",\"arguments\":{}}";
        assert_eq!(read(&ToolChoice::Auto, &[text]), ["add({})"]);
    }

    #[test]
    fn a_required_call_continues_the_prompt() {
        let named = ToolChoice::Named("add".into());
        assert_eq!(
            read(&named, &[" {\"a\": 2}}\n</tool_call>"]),
            ["add({\"a\":2})"]
        );
        let some = ToolChoice::Required;
        assert_eq!(
            read(&some, &[" \"add\", \"arguments\": {}}</tool_call>"]),
            ["add({})"]
        );
    }
}
