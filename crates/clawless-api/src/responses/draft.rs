//! An assistant message that is assembled from items. A chat message holds what this surface has as
//! several items: reasoning, a message, and calls.

use clawless_core::json::Json;
use clawless_core::llm::{CHOICE, ORIGIN};
use clawless_core::members::Members;
use clawless_core::tool::CallForm;

use super::carrier::Carrier;
use super::content::{Part, join};
use super::object_text::ObjectText;

/// Members of an assistant message that have a meaning here. Items cannot set them.
const KNOWN: [&str; 10] = [
    "role",
    "content",
    "refusal",
    "reasoning_content",
    "thinking_blocks",
    "tool_calls",
    "function_call",
    "clawless_blocks",
    ORIGIN,
    CHOICE,
];

/// An assistant message that is being assembled.
#[derive(Debug, Default)]
pub(super) struct Draft {
    content: Vec<Part>,
    reasoning: Vec<String>,
    calls: Vec<Call>,
    members: Members,
    carrier: Option<Carrier>,
}

/// A call of a tool.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) text: String,
    pub(super) form: CallForm,
    /// Members that have no meaning here.
    pub(super) members: Members,
}

/// What a draft has become.
#[derive(Debug)]
pub(super) enum Drafted {
    /// Nothing was drafted.
    Nothing,
    /// Reasoning without the answer that it belongs to.
    ReasoningOnly,
    /// A message, as JSON.
    Message(Json),
}

impl Draft {
    /// Whether a message item begins another message: this one has its content, and no call that
    /// must be followed by a result.
    pub(super) fn is_closed_to_content(&self) -> bool {
        !self.content.is_empty() && self.calls.is_empty()
    }

    /// Whether reasoning begins another message.
    pub(super) fn is_closed_to_reasoning(&self, has_text: bool, has_carrier: bool) -> bool {
        self.is_closed_to_content() && (has_text || (has_carrier && self.carrier.is_some()))
    }

    /// Adds the content of a message, and members that have no meaning here.
    pub(super) fn add_content(&mut self, parts: Vec<Part>, members: Members) {
        self.content.extend(parts);
        self.members.0.extend(members.without(&KNOWN).0);
    }

    /// Adds reasoning, and what its provider wants back.
    pub(super) fn add_reasoning(&mut self, text: Option<String>, carrier: Option<Carrier>) {
        self.reasoning.extend(text);
        self.carrier = carrier.or(self.carrier.take());
    }

    /// Adds a call.
    pub(super) fn add_call(&mut self, call: Call) {
        self.calls.push(call);
    }

    /// The message.
    pub(super) fn finish(self) -> Drafted {
        if self.content.is_empty() && self.calls.is_empty() {
            return if self.reasoning.is_empty() && self.carrier.is_none() {
                Drafted::Nothing
            } else {
                Drafted::ReasoningOnly
            };
        }
        self.into_json().map_or(Drafted::Nothing, Drafted::Message)
    }

    fn into_json(self) -> Option<Json> {
        let content = match self.content.as_slice() {
            [] => "null".to_owned(),
            parts => join(parts),
        };
        let mut message = ObjectText::new().text("role", "assistant");
        message = message.raw("content", &content);
        let carrier = self.carrier.unwrap_or_default();
        let reasoning = if carrier.origin.is_empty() {
            (!self.reasoning.is_empty()).then(|| self.reasoning.join("\n\n"))
        } else {
            carrier.reasoning
        };
        if let Some(reasoning) = reasoning {
            message = message.text("reasoning_content", &reasoning);
        }
        if let Some(blocks) = carrier.thinking_blocks {
            message = message.raw("thinking_blocks", blocks.as_str());
        }
        if !self.calls.is_empty() {
            let calls = self.calls.into_iter();
            let calls: Vec<String> = calls.map(|call| call.into_text(&carrier.calls)).collect();
            message = message.list("tool_calls", &calls);
        }
        let mut members = carrier.members.without(&KNOWN);
        let own: Vec<&str> = members.0.iter().map(|(name, _)| name.as_str()).collect();
        let others = self.members.without(&own);
        members.0.extend(others.0);
        message = message.members(&unique(members));
        if !carrier.origin.is_empty() {
            message = message.text(ORIGIN, &carrier.origin);
        }
        message.into_json()
    }
}

impl Call {
    /// The call as an element of `tool_calls`. `carried` has the members that its provider wants
    /// back, by the id of the call.
    fn into_text(mut self, carried: &Members) -> String {
        let carried: Option<Members> = carried.get(&self.id).and_then(|it| it.read().ok());
        let mut members = carried.unwrap_or_default();
        members.0.append(&mut self.members.0);
        let mut members = unique(members);
        let of_function = members.take_object("function");
        let of_custom = members.take_object("custom");
        let (kind, text, object) = match self.form {
            CallForm::Custom => ("custom", "input", of_custom),
            CallForm::Function | CallForm::Older => ("function", "arguments", of_function),
        };
        let called = ObjectText::new()
            .text("name", &self.name)
            .text(text, &self.text)
            .members(&object.without(&["name", text]));
        ObjectText::new()
            .text("id", &self.id)
            .text("type", kind)
            .raw(kind, &called.end())
            .members(&members.without(&["id", "type"]))
            .end()
    }
}

/// The members, the first of each name.
fn unique(members: Members) -> Members {
    let mut all = Members::default();
    for (name, value) in members.0 {
        if all.get(&name).is_none() {
            all.0.push((name, value));
        }
    }
    all
}
