//! Output items while their answer arrives, and their JSON.

use clawless_core::json::Json;
use clawless_core::members::{Members, MergedMembers};
use clawless_core::tool::CallForm;
use serde::Deserialize;

use super::ids::{ItemKind, item_id};
use super::object_text::ObjectText;

/// Members of an output message that have a meaning here. Providers cannot set them.
const KNOWN: [&str; 6] = ["id", "type", "role", "status", "content", "phase"];

/// The member of a provider's message that becomes a member of its text.
const ANNOTATIONS: &str = "annotations";

/// The state of an item or a response, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It arrives.
    InProgress,
    /// It is complete.
    Completed,
    /// It is cut off.
    Incomplete,
}

impl Status {
    /// The name in JSON.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

/// An output item.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) content: ItemContent,
    /// The item as JSON, once it is done.
    pub(super) done: Option<String>,
}

/// What an item holds.
#[derive(Debug)]
pub(super) enum ItemContent {
    /// Reasoning.
    Reasoning(Reasoning),
    /// A message.
    Message(OutputMessage),
    /// A call.
    Call(Call),
}

/// Reasoning, as a summary or as text.
#[derive(Debug, Default)]
pub(super) struct Reasoning {
    pub(super) is_summary: bool,
    pub(super) text: String,
    /// What the provider wants back.
    pub(super) opaque: Option<String>,
}

/// The text and the refusal of an answer.
#[derive(Debug, Default)]
pub(super) struct OutputMessage {
    pub(super) parts: Vec<Part>,
    pub(super) logprobs: Vec<Json>,
}

/// A part of a message.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) is_refusal: bool,
    pub(super) text: String,
}

/// A call of a tool.
#[derive(Debug)]
#[allow(clippy::struct_field_names, reason = "the wire's own name")]
pub(super) struct Call {
    /// The position among the calls of the answer.
    pub(super) position: u32,
    pub(super) form: CallForm,
    pub(super) call_id: String,
    pub(super) name: String,
    /// The namespace of the tool, if it has one.
    pub(super) namespace: Option<String>,
    pub(super) text: String,
    pub(super) members: MergedMembers,
}

impl Item {
    /// An item without content, the `number`th of its kind in the answer to the request `owner`.
    pub(super) fn new(content: ItemContent, owner: &str, number: usize) -> Self {
        Self {
            id: item_id(content.kind(), owner, number),
            content,
            done: None,
        }
    }

    /// The item as JSON. `members` are the provider's own members of the message.
    pub(super) fn to_text(&self, status: Status, members: &Members) -> String {
        let item = ObjectText::new().text("id", &self.id);
        let status = status.as_str();
        match &self.content {
            ItemContent::Reasoning(reasoning) => reasoning.write(item, status),
            ItemContent::Message(message) => message.write(item, status, members),
            ItemContent::Call(call) => call.write(item, status, &self.id),
        }
    }
}

impl ItemContent {
    pub(super) const fn kind(&self) -> ItemKind {
        match self {
            Self::Reasoning(_) => ItemKind::Reasoning,
            Self::Message(_) => ItemKind::Message,
            Self::Call(call) => call.kind(),
        }
    }
}

impl Reasoning {
    /// The part that holds the text.
    pub(super) fn part(&self, text: &str) -> String {
        let kind = if self.is_summary {
            "summary_text"
        } else {
            "reasoning_text"
        };
        ObjectText::of_type(kind).text("text", text).end()
    }

    fn write(&self, item: ObjectText, status: &str) -> String {
        let has_text = !self.text.is_empty();
        let part = self.part(&self.text);
        let of = |shown: bool| {
            if shown {
                vec![part.clone()]
            } else {
                Vec::new()
            }
        };
        let mut item = item.text("type", "reasoning");
        item = item.list("summary", &of(has_text && self.is_summary));
        if has_text && !self.is_summary {
            item = item.list("content", &of(true));
        }
        if let Some(opaque) = &self.opaque {
            item = item.text("encrypted_content", opaque);
        }
        item.text("status", status).end()
    }
}

impl OutputMessage {
    /// A part as JSON, with the given text.
    pub(super) fn part(&self, part: &Part, text: &str, annotations: Option<&str>) -> String {
        if part.is_refusal {
            return ObjectText::of_type("refusal").text("refusal", text).end();
        }
        let logprobs: Vec<&str> = if text.is_empty() {
            Vec::new()
        } else {
            self.logprobs.iter().map(Json::as_str).collect()
        };
        ObjectText::of_type("output_text")
            .text("text", text)
            .raw("annotations", annotations.unwrap_or("[]"))
            .list("logprobs", &logprobs)
            .end()
    }

    fn write(&self, item: ObjectText, status: &str, members: &Members) -> String {
        let annotations = annotations(members);
        let parts = self.parts.iter();
        let parts = parts.map(|part| self.part(part, &part.text, annotations.as_deref()));
        let parts: Vec<String> = parts.collect();
        let mut item = item
            .text("type", "message")
            .text("status", status)
            .text("role", "assistant")
            .list("content", &parts);
        if status != Status::InProgress.as_str() {
            let mut members = members.clone().without(&KNOWN);
            if annotations.is_some() {
                members = members.without(&[ANNOTATIONS]);
            }
            item = item.members(&members);
        }
        item.end()
    }
}

impl Call {
    pub(super) const fn kind(&self) -> ItemKind {
        match self.form {
            CallForm::Custom => ItemKind::CustomCall,
            CallForm::Function | CallForm::Older => ItemKind::FunctionCall,
        }
    }

    fn write(&self, item: ObjectText, status: &str, id: &str) -> String {
        let (kind, text) = match self.form {
            CallForm::Custom => ("custom_tool_call", "input"),
            CallForm::Function | CallForm::Older => ("function_call", "arguments"),
        };
        let call_id = if self.call_id.is_empty() {
            id
        } else {
            &self.call_id
        };
        let known = ["id", "type", "status", "call_id", "name", "namespace", text];
        let mut item = item
            .text("type", kind)
            .text("status", status)
            .text(text, &self.text)
            .text("call_id", call_id)
            .text("name", &self.name);
        if let Some(namespace) = &self.namespace {
            item = item.text("namespace", namespace);
        }
        item.members(&self.members.clone().finish().without(&known))
            .end()
    }
}

/// The provider's annotations in this surface's shape: `null` members and wrappers are left out.
/// `None` if there is no list of them.
pub(super) fn annotations(members: &Members) -> Option<String> {
    /// An annotation of a chat message names its type and holds its members in an object of that
    /// name.
    #[derive(Deserialize)]
    struct Annotation {
        r#type: String,
    }
    let all: Vec<Json> = members.get(ANNOTATIONS)?.read().ok()?;
    let flat = all.iter().map(|json| {
        let kind = json.read::<Annotation>().ok();
        let inner = kind.and_then(|kind| {
            let mut outer: Members = json.read().ok()?;
            let inner = outer.take_object(&kind.r#type);
            let object = ObjectText::of_type(&kind.r#type).members(&inner.without(&["type"]));
            Some(object.members(&outer.without(&["type"])).end())
        });
        inner.unwrap_or_else(|| json.as_str().to_owned())
    });
    Some(super::object_text::list(&flat.collect::<Vec<_>>()))
}
