//! The deltas of an answer as events of its items.

use clawless_core::json::Json;
use clawless_core::llm::Delta;
use clawless_core::members::MergedMembers;
use clawless_core::tool::{CallForm, ToolCall};
use serde::Deserialize;

use super::ResponseWriter;
use crate::responses::object_text::ObjectText;
use crate::responses::output::{Call, Item, ItemContent, OutputMessage, Part, Reasoning};

/// The part of an item that a text belongs to.
#[derive(Debug, Clone, Copy)]
struct PartPosition {
    item: usize,
    part: usize,
}

impl ResponseWriter {
    /// Appends an addition to the answer.
    pub(super) fn delta(&mut self, delta: &Delta, out: &mut String) {
        match delta {
            Delta::Content(text) => self.text(text, false, out),
            Delta::Refusal(text) => self.text(text, true, out),
            Delta::Reasoning(text) => self.reasoning(text, out),
            Delta::ToolCallStart {
                call,
                id,
                name,
                form,
                members,
            } => self.call(
                *call,
                ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    form: *form,
                    members: members.clone(),
                },
                out,
            ),
            Delta::ToolCallArguments {
                call, arguments, ..
            } => self.arguments(*call, arguments, out),
            Delta::ToolCallMembers { call, members, .. } => {
                if let Some((_, call)) = self.find_call(*call) {
                    call.members.add(members);
                }
            }
            Delta::Logprobs(json) => self.logprobs(json),
            // All blocks follow at once.
            Delta::ThinkingBlock(_) | Delta::Citation(_) | Delta::TextEnd | Delta::Block(_) => {}
            Delta::ThinkingBlocks(blocks) => self.thinking_blocks = Some(blocks.clone()),
            Delta::Members(members) => self.of_message.add(members),
            Delta::ChoiceMembers(members) => self.of_answer.replace(members),
        }
    }

    /// Adds text to the message, or to its refusal.
    fn text(&mut self, text: &str, is_refusal: bool, out: &mut String) {
        if text.is_empty() {
            return;
        }
        let item = self.open_message(out);
        let Some(part) = self.open_part(item, is_refusal, out) else {
            return;
        };
        let at = PartPosition { item, part };
        if is_refusal {
            self.part_event(
                "response.refusal.delta",
                at,
                |it| it.text("delta", text),
                out,
            );
        } else {
            let delta = |it: ObjectText| it.text("delta", text).raw("logprobs", "[]");
            self.part_event("response.output_text.delta", at, delta, out);
        }
        if let Some(ItemContent::Message(message)) = self.content(item)
            && let Some(part) = message.parts.get_mut(part)
        {
            part.text.push_str(text);
        }
    }

    /// The position of the message that receives text. Opens one if there is none.
    pub(super) fn open_message(&mut self, out: &mut String) -> usize {
        let is_open =
            |item: &Item| item.done.is_none() && matches!(item.content, ItemContent::Message(_));
        if let Some(position) = self.items.iter().position(is_open) {
            return position;
        }
        self.open(ItemContent::Message(OutputMessage::default()), out)
    }

    /// The position of the part of a message. Opens it if there is none.
    fn open_part(&mut self, item: usize, is_refusal: bool, out: &mut String) -> Option<usize> {
        let ItemContent::Message(message) = self.content(item)? else {
            return None;
        };
        let mut parts = message.parts.iter();
        if let Some(position) = parts.position(|part| part.is_refusal == is_refusal) {
            return Some(position);
        }
        let part = Part {
            is_refusal,
            text: String::new(),
        };
        let shown = message.part(&part, "", None);
        message.parts.push(part);
        let part = message.parts.len() - 1;
        let at = PartPosition { item, part };
        self.part_event(
            "response.content_part.added",
            at,
            |it| it.raw("part", &shown),
            out,
        );
        Some(part)
    }

    fn reasoning(&mut self, text: &str, out: &mut String) {
        if text.is_empty() {
            return;
        }
        let is_summary = self.echo.has_summary;
        let is_open =
            |item: &Item| item.done.is_none() && matches!(item.content, ItemContent::Reasoning(_));
        let position = self.items.iter().position(is_open).unwrap_or_else(|| {
            let reasoning = Reasoning {
                is_summary,
                ..Reasoning::default()
            };
            let part = reasoning.part("");
            let item = self.open(ItemContent::Reasoning(reasoning), out);
            let (kind, part_of) = if is_summary {
                ("response.reasoning_summary_part.added", "summary_index")
            } else {
                ("response.content_part.added", "content_index")
            };
            let added = |it: ObjectText| it.number(part_of, 0_u32).raw("part", &part);
            self.of_item(kind, item, added, out);
            item
        });
        let (kind, part_of) = if is_summary {
            ("response.reasoning_summary_text.delta", "summary_index")
        } else {
            ("response.reasoning_text.delta", "content_index")
        };
        let delta = |it: ObjectText| it.number(part_of, 0_u32).text("delta", text);
        self.of_item(kind, position, delta, out);
        if let Some(ItemContent::Reasoning(reasoning)) = self.content(position) {
            reasoning.text.push_str(text);
        }
    }

    fn call(&mut self, position: u32, call: ToolCall, out: &mut String) {
        let mut members = MergedMembers::default();
        members.add(&call.members);
        let member = self.echo.namespaces.find(&call.name).cloned();
        let (name, namespace) = match member {
            Some(member) => (member.name, Some(member.namespace)),
            None => (call.name, None),
        };
        let call = Call {
            position,
            form: call.form,
            call_id: call.id,
            name,
            namespace,
            text: String::new(),
            members,
        };
        self.open(ItemContent::Call(call), out);
    }

    fn arguments(&mut self, call: u32, text: &str, out: &mut String) {
        if text.is_empty() {
            return;
        }
        let Some((position, call)) = self.find_call(call) else {
            return;
        };
        call.text.push_str(text);
        let kind = match call.form {
            CallForm::Custom => "response.custom_tool_call_input.delta",
            CallForm::Function | CallForm::Older => "response.function_call_arguments.delta",
        };
        self.of_item(kind, position, |it| it.text("delta", text), out);
    }

    /// The open call at a position among the calls.
    fn find_call(&mut self, position: u32) -> Option<(usize, &mut Call)> {
        let items = self.items.iter_mut().enumerate().rev();
        let mut calls = items.filter_map(|(at, item)| match &mut item.content {
            ItemContent::Call(call) if item.done.is_none() => Some((at, call)),
            _ => None,
        });
        calls.find(|(_, call)| call.position == position)
    }

    fn logprobs(&mut self, json: &Json) {
        #[derive(Deserialize)]
        struct Logprobs {
            content: Option<Vec<Json>>,
        }
        if !self.echo.has_logprobs {
            return;
        }
        let Ok(Logprobs { content }) = json.read() else {
            return;
        };
        let items = self.items.iter_mut().rev();
        let mut messages = items.filter_map(|item| match &mut item.content {
            ItemContent::Message(message) if item.done.is_none() => Some(message),
            _ => None,
        });
        if let Some(message) = messages.next() {
            message.logprobs.extend(content.unwrap_or_default());
        }
    }

    /// Appends an event of a part of an item.
    fn part_event(
        &mut self,
        kind: &str,
        at: PartPosition,
        body: impl FnOnce(ObjectText) -> ObjectText,
        out: &mut String,
    ) {
        let part = at.part as u64;
        let body = |event: ObjectText| body(event.number("content_index", part));
        self.of_item(kind, at.item, body, out);
    }
}
