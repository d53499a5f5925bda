//! Normalizes tool calls. Servers omit indexes and ids, repeat names, give every call the index 0
//! or send whole calls at once. Clients expect each call to start once with id and name, followed
//! by its arguments.
#![allow(clippy::boxed_local, reason = "parts of an answer stay in their boxes")]

use clawless_core::llm::Delta;
use clawless_core::members::Members;
use clawless_core::tool::CallForm;

use super::limits::MAX_PARALLEL;
use super::wire::{Function, ToolCall};
use crate::error::LlmError;
use crate::tolerant::{LooseInt, Maybe};

/// The tool calls of one choice.
#[derive(Debug, Default)]
pub(crate) struct ToolCalls {
    calls: Vec<Call>,
    /// The number of calls with a name: those that were reported to the client.
    started: u32,
}

#[derive(Debug)]
struct Call {
    /// The server's index.
    index: Option<i64>,
    /// The server's id.
    id: Option<String>,
    name: Option<String>,
    form: CallForm,
    /// The index reported to clients; set once the name is known.
    number: u32,
    /// Arguments received before the name.
    pending: String,
    /// Unknown members that are not reported yet.
    members: Members,
    arguments: Extent,
    /// Whether the call had no arguments and got an empty object at the end.
    filled: bool,
}

impl ToolCalls {
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether the arguments of every function are complete JSON.
    pub(crate) fn are_whole(&self) -> bool {
        let mut functions = self.calls.iter().filter(|it| it.form == CallForm::Function);
        functions.all(|call| call.arguments.is_whole())
    }

    /// Adds a piece of a call. `make_id` generates an id for the n-th call if the server sends
    /// none.
    pub(crate) fn push(
        &mut self,
        mut piece: Box<ToolCall>,
        make_id: impl Fn(usize) -> String,
        out: &mut Vec<Delta>,
    ) -> Result<(), LlmError> {
        let (form, name, arguments) = if let Some(custom) = piece.custom.0 {
            piece.unknown.push_object("custom", &custom.unknown);
            (CallForm::Custom, custom.name.0, custom.input.0)
        } else {
            let function = piece.function.0.unwrap_or_default();
            piece.unknown.push_object("function", &function.unknown);
            let arguments = function.arguments.map(|it| it.0);
            (CallForm::Function, function.name.0, arguments)
        };
        let (index, id) = (piece.index.0, piece.id.0);
        let arguments = arguments.unwrap_or_default();
        let members = piece.unknown;
        let is_empty = id.is_none() && name.is_none() && arguments.is_empty();
        if is_empty && (members.is_empty() || self.calls.is_empty()) {
            // Some servers end a call with an empty piece.
            return Ok(());
        }
        let position = match self.find(index, id.as_deref(), name.as_deref(), &arguments) {
            Some(position) => position,
            None => self.start(index)?,
        };
        let Some(call) = self.calls.get_mut(position) else {
            return Ok(());
        };
        if call.id.is_none() {
            call.id = id;
        }
        call.members.0.extend(members.0);
        if let (None, Some(name)) = (&call.name, name) {
            let id = call.id.get_or_insert_with(|| make_id(position)).clone();
            call.name = Some(name.clone());
            call.form = form;
            call.number = self.started;
            self.started += 1;
            out.push(Delta::ToolCallStart {
                call: call.number,
                id,
                name,
                form,
                members: std::mem::take(&mut call.members),
            });
        }
        if call.name.is_some() && !call.members.is_empty() {
            out.push(Delta::ToolCallMembers {
                call: call.number,
                form: call.form,
                members: std::mem::take(&mut call.members),
            });
        }
        if !arguments.is_empty() {
            if call.filled {
                return Err(LlmError::Malformed(
                    "arguments after the end of their call".to_owned(),
                ));
            }
            call.arguments.push(&arguments);
            call.pending.push_str(&arguments);
        }
        if call.name.is_some() && !call.pending.is_empty() {
            out.push(Delta::ToolCallArguments {
                call: call.number,
                arguments: std::mem::take(&mut call.pending),
                form: call.form,
            });
        }
        Ok(())
    }

    /// Ends the response, which may still continue: a function call without arguments gets the
    /// empty object.
    ///
    /// # Errors
    /// A call has no name.
    pub(crate) fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), LlmError> {
        for call in &mut self.calls {
            if call.name.is_none() {
                return Err(LlmError::Malformed("a tool call without a name".to_owned()));
            }
            if call.arguments == Extent::default() && call.form == CallForm::Function {
                call.arguments = Extent::whole();
                call.filled = true;
                out.push(Delta::ToolCallArguments {
                    call: call.number,
                    arguments: "{}".to_owned(),
                    form: call.form,
                });
            }
        }
        Ok(())
    }

    /// The call that a piece belongs to; `None` if the piece starts a new one.
    fn find(
        &self,
        index: Option<i64>,
        id: Option<&str>,
        name: Option<&str>,
        arguments: &str,
    ) -> Option<usize> {
        if let Some(id) = id {
            let known = |call: &Call| {
                call.id.as_deref() == Some(id) && (index.is_none() || call.index == index)
            };
            if let Some(position) = self.calls.iter().rposition(known) {
                return Some(position);
            }
        }
        let position = match index {
            Some(index) => {
                let at_index = |call: &Call| call.index == Some(index);
                self.calls.iter().rposition(at_index)?
            }
            None => self.calls.len().checked_sub(1)?,
        };
        let call = self.calls.get(position)?;
        let Some(name) = name else {
            return Some(position);
        };
        // The piece has a name: either a new call at the same index, or a repeated name.
        let is_new = match (&call.name, id) {
            (None, _) => false,
            (Some(_), Some(id)) => call.id.as_deref() != Some(id),
            (Some(known), None) => {
                let another = known != name && call.arguments.has_started;
                // The end of a custom tool's input cannot be detected.
                let is_whole = call.form == CallForm::Function && call.arguments.is_whole();
                another || (is_whole && !arguments.is_empty())
            }
        };
        (!is_new).then_some(position)
    }

    fn start(&mut self, index: Option<i64>) -> Result<usize, LlmError> {
        let position = self.calls.len();
        if position >= MAX_PARALLEL as usize {
            return Err(LlmError::Malformed(format!(
                "more than {MAX_PARALLEL} tool calls"
            )));
        }
        self.calls.push(Call {
            index,
            id: None,
            name: None,
            form: CallForm::Function,
            number: 0,
            pending: String::new(),
            members: Members::default(),
            arguments: Extent::default(),
            filled: false,
        });
        Ok(position)
    }
}

impl From<Box<Function>> for ToolCall {
    /// A call in the legacy form: there is at most one.
    fn from(function: Box<Function>) -> Self {
        Self {
            index: LooseInt(Some(0)),
            function: Maybe(Some(function)),
            ..Self::default()
        }
    }
}

/// Tracks where a streamed JSON text ends, without storing its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Extent {
    has_started: bool,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Extent {
    const fn whole() -> Self {
        Self {
            has_started: true,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// Whether the object is complete.
    const fn is_whole(self) -> bool {
        self.has_started && self.depth == 0 && !self.in_string
    }

    fn push(&mut self, text: &str) {
        self.has_started = true;
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tolerant::OneOrMany;

    /// The deltas of these pieces, written as `#call id name` and `#call arguments`.
    fn read(pieces: &str) -> Result<Vec<String>, LlmError> {
        let OneOrMany::<ToolCall>(pieces) = serde_json::from_str(pieces).expect("JSON");
        let (mut calls, mut out) = (ToolCalls::default(), Vec::new());
        for piece in pieces {
            calls.push(piece, |n| format!("made_{n}"), &mut out)?;
        }
        calls.finish(&mut out)?;
        Ok(out.into_iter().map(show).collect())
    }

    fn show(delta: Delta) -> String {
        match delta {
            Delta::ToolCallStart {
                call,
                id,
                name,
                form,
                members: _,
            } => format!("#{call} {id} {name}{}", mark(form)),
            Delta::ToolCallArguments {
                call,
                arguments,
                form,
            } => format!("#{call} {arguments}{}", mark(form)),
            other => panic!("{other:?}"),
        }
    }

    fn mark(form: CallForm) -> &'static str {
        match form {
            CallForm::Function => "",
            CallForm::Custom => "!",
            CallForm::Older => panic!("no server's own form"),
        }
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "one table")]
    fn calls_of_all_servers_are_normalized() {
        let cases: &[(&str, &str, &[&str])] = &[
            (
                "as OpenAI sends it, in parallel and interleaved",
                r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}},
                    {"index":1,"id":"b","type":"function","function":{"name":"f","arguments":""}},
                    {"index":0,"function":{"arguments":"{\"x\""}},
                    {"index":1,"function":{"arguments":"{}"}},
                    {"index":0,"function":{"arguments":":1}"}}]"#,
                &["#0 a f", "#1 b f", r#"#0 {"x""#, "#1 {}", "#0 :1}"],
            ),
            (
                "whole calls without an index",
                r#"[{"id":"a","function":{"name":"f","arguments":"{}"}},
                    {"id":"b","function":{"name":"f","arguments":"{}"}}]"#,
                &["#0 a f", "#0 {}", "#1 b f", "#1 {}"],
            ),
            (
                "whole calls that all have the index 0",
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},
                    {"index":0,"id":"b","function":{"name":"f","arguments":"{\"x\":"}},
                    {"index":0,"function":{"arguments":"1}"}}]"#,
                &["#0 a f", "#0 {}", "#1 b f", r#"#1 {"x":"#, "#1 1}"],
            ),
            (
                "whole calls with neither index nor id, of the same function",
                r#"[{"function":{"name":"f","arguments":"{\"c\":\"}\"}"}},
                    {"function":{"name":"f","arguments":"{\"c\":2}"}}]"#,
                &[
                    "#0 made_0 f",
                    r#"#0 {"c":"}"}"#,
                    "#1 made_1 f",
                    r#"#1 {"c":2}"#,
                ],
            ),
            (
                "id and name repeated on every piece",
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}},
                    {"index":0,"id":"a","function":{"name":"f","arguments":"}"}},
                    {"index":0,"id":"a","function":{"name":"f","arguments":""}}]"#,
                &["#0 a f", "#0 {", "#0 }"],
            ),
            (
                "name repeated, without an id",
                r#"[{"index":0,"function":{"name":"f","arguments":"{"}},
                    {"index":0,"function":{"name":"f","arguments":"}"}}]"#,
                &["#0 made_0 f", "#0 {", "#0 }"],
            ),
            (
                "another id on every piece, the name only at first",
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}},
                    {"index":0,"id":"z","function":{"arguments":"}"}}]"#,
                &["#0 a f", "#0 {", "#0 }"],
            ),
            (
                "arguments before the name",
                r#"[{"index":0,"id":"a","function":{"arguments":"{"}},
                    {"index":0,"function":{"name":"f"}},
                    {"index":0,"function":{"arguments":"}"}}]"#,
                &["#0 a f", "#0 {}"],
            ),
            (
                "all arguments before the name",
                r#"[{"index":0,"id":"a","function":{"arguments":"{\"x\":1}"}},
                    {"index":0,"function":{"name":"f"}}]"#,
                &["#0 a f", r#"#0 {"x":1}"#],
            ),
            (
                "a call that is named after the next one",
                r#"[{"index":0,"id":"a","function":{"arguments":"{"}},
                    {"index":1,"id":"b","function":{"name":"g","arguments":"[]"}},
                    {"index":0,"function":{"name":"f","arguments":"}"}}]"#,
                &["#0 b g", "#0 []", "#1 a f", "#1 {}"],
            ),
            (
                "no arguments at all, and null for them",
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":null}},
                    {"index":1,"id":"","function":{"name":"g"}}]"#,
                &["#0 a f", "#1 made_1 g", "#0 {}", "#1 {}"],
            ),
            (
                "arguments as an object",
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":{"x":1}}}]"#,
                &["#0 a f", r#"#0 {"x":1}"#],
            ),
            (
                "indexes that begin at 5 and go backwards",
                r#"[{"index":5,"id":"a","function":{"name":"f","arguments":"{}"}},
                    {"index":-3,"id":"b","function":{"name":"g","arguments":"{}"}}]"#,
                &["#0 a f", "#0 {}", "#1 b g", "#1 {}"],
            ),
            (
                "a custom tool beside a function, its input in pieces",
                r#"[{"index":0,"id":"a","type":"custom","custom":{"name":"run","input":""}},
                    {"index":1,"id":"b","type":"function","function":{"name":"f","arguments":""}},
                    {"index":0,"custom":{"input":"SELECT \"x"}},
                    {"index":0,"custom":{"input":"} from y"}}]"#,
                &[
                    "#0 a run!",
                    "#1 b f",
                    r#"#0 SELECT "x!"#,
                    "#0 } from y!",
                    "#1 {}",
                ],
            ),
            (
                "a custom tool without an input, its name repeated",
                r#"[{"index":0,"custom":{"name":"run","input":"a"}},
                    {"index":0,"custom":{"name":"run","input":"b"}},
                    {"index":1,"id":"c","custom":{"name":"stop"}}]"#,
                &["#0 made_0 run!", "#0 a!", "#0 b!", "#1 c stop!"],
            ),
        ];
        for (habit, pieces, expected) in cases {
            let read = read(pieces).unwrap_or_else(|error| panic!("{habit}: {error}"));
            // Buffered arguments may be joined; only the order within each call matters.
            assert_eq!(joined(&read), joined(&owned(expected)), "{habit}");
        }
    }

    fn owned(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    /// Joins the lines of each call, so that the split of arguments does not matter.
    fn joined(lines: &[String]) -> Vec<String> {
        let mut calls: Vec<String> = Vec::new();
        for line in lines {
            let (number, text) = line.split_once(' ').expect("a line");
            let number: usize = number.trim_start_matches('#').parse().expect("a number");
            if calls.len() <= number {
                calls.resize(number + 1, String::new());
            }
            calls[number].push_str(text);
        }
        calls
    }

    #[test]
    fn a_call_without_a_name_is_an_error() {
        assert!(read(r#"[{"index":0,"id":"a","function":{"arguments":"{}"}}]"#).is_err());
    }

    #[test]
    fn calls_are_bounded() {
        let piece = r#"{"function":{"name":"f","arguments":"{}"}},"#;
        let pieces = format!("[{}]", piece.repeat(200).trim_end_matches(','));
        assert!(matches!(read(&pieces), Err(LlmError::Malformed(_))));
    }
}
