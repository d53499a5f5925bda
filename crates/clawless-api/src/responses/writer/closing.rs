//! The end of items and of the response.

use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::tool::CallForm;

use super::ResponseWriter;
use crate::responses::carrier::Carrier;
use crate::responses::object::End;
use crate::responses::object_text::ObjectText;
use crate::responses::output::{Item, ItemContent, Reasoning, Status, annotations};

impl ResponseWriter {
    /// Ends an item: the `done` events of its parts and its own.
    pub(super) fn close(&mut self, position: usize, status: Status, out: &mut String) {
        let members = self.of_message.clone().finish();
        let Some(item) = self.items.get(position).filter(|it| it.done.is_none()) else {
            return;
        };
        let text = item.to_text(status, &members);
        for (kind, body) in done_events(item, &members) {
            self.of_item(kind, position, |event| event.and(&body), out);
        }
        if let Some(item) = self.items.get_mut(position) {
            item.done = Some(text.clone());
        }
        let done = |event: ObjectText| {
            let event = event.number("output_index", position as u64);
            event.raw("item", &text)
        };
        self.write("response.output_item.done", done, out);
    }

    /// Ends all items that the end of the response completes.
    pub(super) fn close_all(&mut self, end: &End<'_>, out: &mut String) {
        if let End::Failed(_) = end {
            return;
        }
        self.add_opaque(out);
        let has_members = !self.of_message.clone().finish().is_empty();
        let has_item = |item: &Item| !matches!(item.content, ItemContent::Reasoning(_));
        if has_members && !self.items.iter().any(has_item) {
            self.open_message(out);
        }
        let status = end.status_of_items();
        for position in 0..self.items.len() {
            let is_call = |item: &Item| matches!(item.content, ItemContent::Call(_));
            // A call that a limit has cut off must not be taken for a whole one.
            let is_cut = status != Status::Completed;
            if !(is_cut && self.items.get(position).is_some_and(is_call)) {
                self.close(position, status, out);
            }
        }
    }

    /// Adds what the provider wants back to the reasoning, if the client has requested it.
    fn add_opaque(&mut self, out: &mut String) {
        if !self.echo.has_opaque {
            return;
        }
        let Some(opaque) = self.carrier().as_ref().map(Carrier::encode) else {
            return;
        };
        let is_reasoning = |item: &Item| matches!(item.content, ItemContent::Reasoning(_));
        let position = self.items.iter().position(is_reasoning);
        let position = position
            .unwrap_or_else(|| self.open(ItemContent::Reasoning(Reasoning::default()), out));
        if let Some(ItemContent::Reasoning(reasoning)) = self.content(position) {
            reasoning.opaque = Some(opaque);
        }
    }

    /// What the provider wants back; `None` if there is nothing.
    fn carrier(&self) -> Option<Carrier> {
        let (mut reasoning, mut calls) = (String::new(), Members::default());
        for item in &self.items {
            match &item.content {
                ItemContent::Reasoning(it) => reasoning.push_str(&it.text),
                ItemContent::Call(call) => {
                    let members = call.members.clone().finish();
                    calls.push_object(&call.call_id, &members);
                }
                ItemContent::Message(_) => {}
            }
        }
        let is_call = |item: &Item| matches!(item.content, ItemContent::Call(_));
        let has_call = !reasoning.is_empty() && self.items.iter().any(is_call);
        let carrier = Carrier {
            origin: self.head.origin.clone(),
            // As a session stores it: only beside calls may the same model need it to go on.
            reasoning: has_call.then_some(reasoning),
            thinking_blocks: self.thinking_blocks.clone(),
            members: self.of_message.clone().finish(),
            calls,
        };
        (!carrier.is_empty()).then_some(carrier)
    }
}

/// The events that end the parts of an item.
fn done_events(item: &Item, members: &Members) -> Vec<(&'static str, ObjectText)> {
    let mut events = Vec::new();
    match &item.content {
        ItemContent::Reasoning(reasoning) if reasoning.text.is_empty() => {}
        ItemContent::Reasoning(reasoning) => {
            let (text, part, index) = if reasoning.is_summary {
                (
                    "response.reasoning_summary_text.done",
                    "response.reasoning_summary_part.done",
                    "summary_index",
                )
            } else {
                (
                    "response.reasoning_text.done",
                    "response.content_part.done",
                    "content_index",
                )
            };
            let at = || ObjectText::new().number(index, 0_u32);
            let done = reasoning.part(&reasoning.text);
            events.push((text, at().text("text", &reasoning.text)));
            events.push((part, at().raw("part", &done)));
        }
        ItemContent::Message(message) => {
            let annotations = annotations(members);
            for (position, part) in message.parts.iter().enumerate() {
                let at = || ObjectText::new().number("content_index", position as u64);
                let (kind, body) = if part.is_refusal {
                    let body = at().text("refusal", &part.text);
                    ("response.refusal.done", body)
                } else {
                    let logprobs: Vec<&str> = message.logprobs.iter().map(Json::as_str).collect();
                    let body = at().text("text", &part.text).list("logprobs", &logprobs);
                    ("response.output_text.done", body)
                };
                let done = message.part(part, &part.text, annotations.as_deref());
                events.push((kind, body));
                let body = at().raw("part", &done);
                events.push(("response.content_part.done", body));
            }
        }
        ItemContent::Call(call) => {
            let (kind, text) = match call.form {
                CallForm::Custom => ("response.custom_tool_call_input.done", "input"),
                CallForm::Function | CallForm::Older => {
                    ("response.function_call_arguments.done", "arguments")
                }
            };
            let body = ObjectText::new()
                .text("name", &call.name)
                .text(text, &call.text);
            events.push((kind, body));
        }
    }
    events
}
