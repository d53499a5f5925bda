//! Streamed responses: typed events, numbered from 0.

mod closing;
mod deltas;

use clawless_core::chat::{FinishReason, Usage};
use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmChoice, LlmEvent, LlmResponse};
use clawless_core::members::{Members, MergedMembers};
use clawless_core::{ApiError, Timestamp};

use super::echo::ResponseEcho;
use super::object::{self, End};
use super::object_text::ObjectText;
use super::output::{Item, ItemContent, Status};
use crate::activity::ToolActivity;
use crate::answer_head::AnswerHead;

/// The member of a response with the activity of server tools, an extension.
const EXTENSION: &str = "clawless";

/// Writes the events of one response: `response.created` first, one terminal event last. Model output
/// is encoded as JSON, so it cannot leave its `data:` line.
///
/// An item is done when the next one begins. Calls stay open until the end, because their arguments
/// may interleave; so does everything if the client wants what the provider needs back, which is
/// known at the end only. An answer that breaks off gets no `done` event for what is open, so that half a
/// call is never taken for a whole one.
#[derive(Debug)]
pub struct ResponseWriter {
    head: AnswerHead,
    echo: ResponseEcho,
    /// The number of the next event.
    sequence: u64,
    items: Vec<Item>,
    finish: Option<FinishReason>,
    thinking_blocks: Option<Json>,
    /// The provider's own members of the message.
    of_message: MergedMembers,
    /// The provider's own members of the answer.
    of_answer: MergedMembers,
    activity: Vec<ToolActivity>,
}

impl ResponseWriter {
    /// A writer for the response to a request.
    pub fn new(head: AnswerHead, echo: ResponseEcho) -> Self {
        Self {
            head,
            echo,
            sequence: 0,
            items: Vec::new(),
            finish: None,
            thinking_blocks: None,
            of_message: MergedMembers::default(),
            of_answer: MergedMembers::default(),
            activity: Vec::new(),
        }
    }

    /// Appends an event. A response has one choice; events of others write nothing.
    pub fn event(&mut self, event: &LlmEvent, out: &mut String) {
        self.start(out);
        match event {
            LlmEvent::Delta { index: 0, delta } => self.delta(delta, out),
            LlmEvent::Finish { index: 0, reason } => self.finish = Some(*reason),
            LlmEvent::Members(members) => self.of_answer.replace(members),
            LlmEvent::Delta { .. } | LlmEvent::Finish { .. } | LlmEvent::Usage(_) => {}
        }
    }

    /// Records the activity of server tools, which the response reports at its end.
    pub fn activity(&mut self, activity: &[ToolActivity]) {
        for call in activity {
            self.activity.retain(|known| !known.is_same_call(call));
            self.activity.push(call.clone());
        }
    }

    /// Sets when the answer was complete, for a response that completes.
    pub const fn set_completed(&mut self, at: Option<Timestamp>) {
        self.head.completed = at;
    }

    /// Appends the end of a response: its last items, and the terminal event.
    pub fn finish(&mut self, usage: Usage, out: &mut String) {
        self.end(End::Answered(self.finish, usage), out);
    }

    /// Appends the end of a response that broke off: `response.failed`, or `error` if no response
    /// was begun.
    pub fn fail(&mut self, error: &ApiError, out: &mut String) {
        if self.sequence == 0 {
            write_error(error, out);
            return;
        }
        self.end(End::Failed(error), out);
    }

    /// The response as one object, with `answer` and the reason why it broke off, if it did.
    pub fn whole(mut self, answer: LlmResponse, failure: Option<&ApiError>) -> String {
        let usage = answer.usage.unwrap_or_default();
        let mut unused = String::new();
        self.of_answer.replace(&answer.members);
        if let Some(choice) = answer.choices.into_iter().next() {
            self.finish = choice.finish_reason;
            for delta in deltas(choice) {
                self.delta(&delta, &mut unused);
                unused.clear();
            }
        }
        let end = match failure {
            None => End::Answered(self.finish, usage),
            Some(error) => End::Failed(error),
        };
        self.close_all(&end, &mut unused);
        self.response(&end)
    }

    /// Appends the first events, once.
    fn start(&mut self, out: &mut String) {
        if self.sequence > 0 {
            return;
        }
        for kind in ["response.created", "response.in_progress"] {
            let response = self.response(&End::Running);
            self.write(kind, |event| event.raw("response", &response), out);
        }
    }

    /// Begins an item, and ends those before it that need not wait.
    fn open(&mut self, content: ItemContent, out: &mut String) -> usize {
        if !self.echo.has_opaque {
            for position in 0..self.items.len() {
                let is_call = |item: &Item| matches!(item.content, ItemContent::Call(_));
                if self.items.get(position).is_some_and(|item| !is_call(item)) {
                    self.close(position, Status::Completed, out);
                }
            }
        }
        let kind = content.kind();
        let same = self.items.iter().filter(|it| it.content.kind() == kind);
        let item = Item::new(content, self.head.request.as_str(), same.count());
        let text = item.to_text(Status::InProgress, &Members::default());
        self.items.push(item);
        let position = self.items.len() - 1;
        let added = |event: ObjectText| {
            let event = event.number("output_index", position as u64);
            event.raw("item", &text)
        };
        self.write("response.output_item.added", added, out);
        position
    }

    fn end(&mut self, end: End<'_>, out: &mut String) {
        self.start(out);
        self.close_all(&end, out);
        let response = self.response(&end);
        let kind = format!("response.{}", end.status());
        self.write(&kind, |event| event.raw("response", &response), out);
    }

    /// The response with all its items.
    fn response(&self, end: &End<'_>) -> String {
        let members = self.of_message.clone().finish();
        let items = self.items.iter().map(|item| match &item.done {
            Some(done) => done.clone(),
            None => item.to_text(end.status_of_items(), &members),
        });
        let mut more = self.of_answer.clone().finish().without(&[EXTENSION]);
        if !self.activity.is_empty()
            && let Ok(activity) = Json::from_value(&self.activity)
        {
            let extension = Members(vec![("tool_executions".to_owned(), activity)]);
            more.push_object(EXTENSION, &extension);
        }
        let items: Vec<String> = items.collect();
        object::write(&self.head, &self.echo, end, &items, &more)
    }

    fn content(&mut self, position: usize) -> Option<&mut ItemContent> {
        self.items.get_mut(position).map(|item| &mut item.content)
    }

    /// Appends an event of an item.
    fn of_item(
        &mut self,
        kind: &str,
        position: usize,
        body: impl FnOnce(ObjectText) -> ObjectText,
        out: &mut String,
    ) {
        let id = self.items.get(position).map(|item| item.id.clone());
        let body = |event: ObjectText| {
            let event = event.text("item_id", &id.unwrap_or_default());
            body(event.number("output_index", position as u64))
        };
        self.write(kind, body, out);
    }

    fn write(&mut self, kind: &str, body: impl FnOnce(ObjectText) -> ObjectText, out: &mut String) {
        let event = ObjectText::of_type(kind).number("sequence_number", self.sequence);
        self.sequence += 1;
        write_event(kind, body(event), out);
    }
}

/// The additions that make up a choice.
fn deltas(choice: LlmChoice) -> Vec<Delta> {
    let mut deltas = Vec::new();
    deltas.extend(choice.reasoning.map(Delta::Reasoning));
    deltas.extend(choice.thinking_blocks.map(Delta::ThinkingBlocks));
    deltas.extend(choice.content.map(Delta::Content));
    deltas.extend(choice.refusal.map(Delta::Refusal));
    deltas.extend(choice.logprobs.map(Delta::Logprobs));
    deltas.push(Delta::Members(choice.members));
    deltas.push(Delta::ChoiceMembers(choice.choice_members));
    for (call, it) in (0..).zip(choice.tool_calls) {
        let form = it.form;
        deltas.push(Delta::ToolCallStart {
            call,
            id: it.id,
            name: it.name,
            form,
            members: it.members,
        });
        deltas.push(Delta::ToolCallArguments {
            call,
            arguments: it.arguments,
            form,
        });
    }
    deltas
}

fn write_event(kind: &str, event: ObjectText, out: &mut String) {
    out.extend(["event: ", kind, "\ndata: ", &event.end(), "\n\n"]);
}

/// Appends the error of a stream that has begun no response.
fn write_error(error: &ApiError, out: &mut String) {
    let code = error.code.as_str();
    let details = ObjectText::of_type(error.code.error_type())
        .text("code", code)
        .text("message", &error.message)
        .text_or_null("param", error.param.as_deref());
    let event = ObjectText::of_type("error")
        .number("sequence_number", 0_u32)
        .text("code", code)
        .text("message", &error.message)
        .text_or_null("param", error.param.as_deref())
        .raw("error", &details.end());
    write_event("error", event, out);
}

#[cfg(test)]
#[path = "writer/tests.rs"]
mod tests;
