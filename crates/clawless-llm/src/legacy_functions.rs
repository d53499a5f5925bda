//! Translates `OpenAI`'s legacy functions (`functions`, `function_call`, messages of the role
//! `function`) into tools for wires without them, and responses back into the legacy form.

use std::borrow::Cow;

use clawless_core::chat::{ChatOptions, MessageView};
use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmEvent, LlmRequest, LlmResponse};
use clawless_core::members::Members;
use clawless_core::tool::{CallForm, Tool, ToolCall};
use clawless_core::{FinishReason, Message, Role};
use serde::{Deserialize, Serialize};

use crate::error::LlmError;
use crate::protocol::{Decoder, Progress};

/// Whether a response must have the legacy form.
pub(crate) const fn is_requested(options: &ChatOptions) -> bool {
    options.functions.is_some()
}

/// Converts functions to tools, of which at most one is called at a time, and adds ids to calls and
/// results. A custom tool call, which a session's history may contain, becomes a function call with
/// one argument.
///
/// # Errors
/// A function message has no preceding call.
pub(crate) fn in_tools(request: &LlmRequest) -> Result<Cow<'_, LlmRequest>, LlmError> {
    let is_plain =
        |message: &Message| message.role() != Role::Function && !has_other_calls(message);
    if !is_requested(&request.options) && request.messages.iter().all(is_plain) {
        return Ok(Cow::Borrowed(request));
    }
    let mut translated = request.clone();
    options_in_tools(&mut translated.options)?;
    let mut calls = Calls::default();
    for (position, message) in translated.messages.iter_mut().enumerate() {
        if message.role() == Role::Function {
            *message = calls.convert_result(position, message)?;
        } else if has_other_calls(message) {
            *message = calls.convert_calls(position, message)?;
        }
    }
    Ok(Cow::Owned(translated))
}

/// Whether an assistant message may contain calls other than function tool calls.
fn has_other_calls(message: &Message) -> bool {
    let text = message.raw().as_str();
    message.role() == Role::Assistant
        && !message.has_blocks()
        && (text.contains("\"function_call\"") || text.contains("\"custom\""))
}

fn options_in_tools(options: &mut ChatOptions) -> Result<(), LlmError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Choice {
        Word(String),
        Named { name: String },
    }
    #[derive(Serialize)]
    struct Named {
        r#type: &'static str,
        function: Function,
    }
    #[derive(Serialize)]
    struct Function {
        name: String,
    }
    let Some(functions) = options.functions.take() else {
        return Ok(());
    };
    options.tools = Some(functions.into_iter().map(Tool::from).collect());
    options.parallel_tool_calls = Some(false);
    let Some(choice) = options.function_call.take() else {
        return Ok(());
    };
    let unknown = || LlmError::Unsupported {
        message: "`function_call` is `none`, `auto`, or names a function.".to_owned(),
        param: "function_call".to_owned(),
    };
    options.tool_choice = Some(match choice.read().map_err(|_| unknown())? {
        Choice::Word(word) if matches!(word.as_str(), "none" | "auto") => choice,
        Choice::Word(_) => return Err(unknown()),
        Choice::Named { name } => json(&Named {
            r#type: "function",
            function: Function { name },
        })?,
    });
    Ok(())
}

/// The calls of a conversation in the legacy form, which have no ids.
#[derive(Default)]
struct Calls {
    /// Calls without a result: the id and the function's name.
    open: Vec<(String, String)>,
}

impl Calls {
    /// An assistant message with each call as a function tool call.
    fn convert_calls(&mut self, position: usize, message: &Message) -> Result<Message, LlmError> {
        #[derive(Serialize)]
        struct Call {
            id: String,
            r#type: &'static str,
            function: Function,
        }
        #[derive(Serialize)]
        struct Function {
            name: String,
            arguments: String,
        }
        #[derive(Serialize)]
        struct Input {
            input: String,
        }
        let view: MessageView = message.view().map_err(unreadable)?;
        let call = |id, name, arguments| Call {
            id,
            r#type: "function",
            function: Function { name, arguments },
        };
        let mut calls = Vec::new();
        for it in view.tool_calls.into_iter().flatten() {
            if let Some(function) = it.function {
                calls.push(call(it.id, function.name, function.arguments));
            } else if let Some(custom) = it.custom {
                let arguments = json(&Input {
                    input: custom.input,
                })?;
                calls.push(call(it.id, custom.name, arguments.as_str().to_owned()));
            }
        }
        if let Some(legacy) = view.function_call {
            let id = format!("call_{position}");
            self.open.push((id.clone(), legacy.name.clone()));
            calls.push(call(id, legacy.name, legacy.arguments));
        }
        if calls.is_empty() {
            return Ok(message.clone());
        }
        rewritten(message, Role::Assistant, |members| {
            members.retain(|(name, _)| !matches!(name.as_str(), "function_call" | "tool_calls"));
            members.push(("tool_calls".to_owned(), json(&calls)?));
            Ok(())
        })
    }

    /// A function message as the result of the last call of that function.
    fn convert_result(&mut self, position: usize, message: &Message) -> Result<Message, LlmError> {
        let name = message.view().map_err(unreadable)?.name.unwrap_or_default();
        let call = self
            .open
            .iter()
            .rposition(|(_, function)| *function == name);
        let Some(call) = call else {
            return Err(LlmError::Unsupported {
                message: format!("No call before this message asked for `{name}`."),
                param: format!("messages[{position}].name"),
            });
        };
        let (id, _) = self.open.swap_remove(call);
        rewritten(message, Role::Tool, |members| {
            members.retain(|(name, _)| !matches!(name.as_str(), "role" | "name"));
            members.push(("role".to_owned(), json(&Role::Tool)?));
            members.push(("tool_call_id".to_owned(), json(&id)?));
            Ok(())
        })
    }
}

fn rewritten(
    message: &Message,
    role: Role,
    change: impl FnOnce(&mut Vec<(String, Json)>) -> Result<(), LlmError>,
) -> Result<Message, LlmError> {
    let mut members: Members = message.raw().read().map_err(unreadable)?;
    change(&mut members.0)?;
    Ok(Message::from_stored(role, json(&members)?))
}

fn json<T: Serialize>(value: &T) -> Result<Json, LlmError> {
    Json::from_value(value).map_err(unreadable)
}

#[allow(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unreadable(error: serde_json::Error) -> LlmError {
    LlmError::Malformed(error.to_string())
}

/// Decodes a response into the legacy form, which holds one call. Only the first call is returned;
/// the model repeats the others because it receives no results for them.
pub(crate) struct LegacyFunctionsDecoder(pub(crate) Box<dyn Decoder>);

impl LegacyFunctionsDecoder {
    fn translate<T>(
        &mut self,
        out: &mut Vec<LlmEvent>,
        read: impl FnOnce(&mut dyn Decoder, &mut Vec<LlmEvent>) -> T,
    ) -> T {
        let mut events = Vec::new();
        let outcome = read(&mut *self.0, &mut events);
        out.extend(events.into_iter().filter_map(event));
        outcome
    }
}

impl Decoder for LegacyFunctionsDecoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        self.translate(out, |inner, events| inner.push(bytes, events))
    }

    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        self.translate(out, |inner, events| inner.end(events))
    }

    fn has_begun(&self) -> bool {
        self.0.has_begun()
    }

    fn is_whole(&self) -> bool {
        self.0.is_whole()
    }
}

fn event(mut event: LlmEvent) -> Option<LlmEvent> {
    match &mut event {
        LlmEvent::Delta {
            delta:
                Delta::ToolCallStart { call, form, .. }
                | Delta::ToolCallArguments { call, form, .. }
                | Delta::ToolCallMembers { call, form, .. },
            ..
        } => {
            if *call > 0 {
                return None;
            }
            *form = CallForm::Older;
        }
        LlmEvent::Finish { reason, .. } => *reason = legacy_reason(*reason),
        _ => {}
    }
    Some(event)
}

/// A whole response in the legacy form.
pub(crate) fn whole(mut answer: LlmResponse) -> LlmResponse {
    for choice in &mut answer.choices {
        choice.tool_calls.truncate(1);
        for ToolCall { form, .. } in &mut choice.tool_calls {
            *form = CallForm::Older;
        }
        choice.finish_reason = choice.finish_reason.map(legacy_reason);
    }
    answer
}

const fn legacy_reason(reason: FinishReason) -> FinishReason {
    match reason {
        FinishReason::ToolCalls => FinishReason::FunctionCall,
        other => other,
    }
}
