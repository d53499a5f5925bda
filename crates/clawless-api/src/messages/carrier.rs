//! The provider's own members of an answer, which this surface has no place for. A block of encrypted
//! reasoning carries them: clients return it unchanged, and the model gets its members back.

use clawless_core::json::Json;
use clawless_core::llm::{CONTENT_BLOCKS, CallMembers, CarriedMembers, ClientText};
use clawless_core::members::{Members, MergedMembers};
use clawless_core::tool::ToolCall;

/// Members that are only shown: no model needs them back, and an image is long.
const SHOWN: [&str; 5] = [
    CONTENT_BLOCKS,
    "annotations",
    "audio",
    "citations",
    "images",
];

/// Members that wait for their block.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    members: MergedMembers,
    /// The calls so far: the position, the id, and the members.
    calls: Vec<(u32, String, MergedMembers)>,
    has_members: bool,
}

impl Carrier {
    /// A carrier of the members of a whole answer.
    pub(super) fn of_answer(members: &Members, calls: &[ToolCall]) -> Self {
        let mut carrier = Self::default();
        carrier.add(members);
        for (number, call) in (0..).zip(calls) {
            carrier.add_call(number, &call.id, &call.members);
        }
        carrier
    }

    /// Adds members of the message.
    pub(super) fn add(&mut self, members: &Members) {
        let members = needed(members);
        self.has_members |= !members.is_empty();
        self.members.add(&members);
    }

    /// Adds a call, with the members of its beginning.
    pub(super) fn add_call(&mut self, number: u32, id: &str, members: &Members) {
        self.calls
            .push((number, id.to_owned(), MergedMembers::default()));
        self.add_to_call(number, members);
    }

    /// Adds members of a call.
    pub(super) fn add_to_call(&mut self, number: u32, members: &Members) {
        let mut calls = self.calls.iter_mut();
        if let Some((_, _, merged)) = calls.find(|(known, ..)| *known == number) {
            let members = needed(members);
            self.has_members |= !members.is_empty();
            merged.add(&members);
        }
    }

    /// The block of the members so far; `None` if there are none.
    pub(super) fn take(&mut self, origin: &str) -> Option<Members> {
        if !std::mem::take(&mut self.has_members) {
            return None;
        }
        let calls = self.calls.iter_mut().filter_map(|(_, id, merged)| {
            let members = std::mem::take(merged).finish();
            let id = id.clone();
            (!members.is_empty()).then_some(CallMembers { id, members })
        });
        let carried = CarriedMembers {
            origin: origin.to_owned(),
            calls: calls.collect(),
            members: std::mem::take(&mut self.members).finish(),
        };
        let text = |text: &str| Json::from_value(text).ok();
        Some(Members(vec![
            ("type".to_owned(), text("redacted_thinking")?),
            ("data".to_owned(), text(&carried.to_text())?),
        ]))
    }
}

/// The members that a model may need back.
fn needed(members: &Members) -> Members {
    let is_needed = |(name, value): &&(String, Json)| {
        !SHOWN.contains(&name.as_str()) && !matches!(value.as_str(), "null" | "[]" | "{}" | "\"\"")
    };
    Members(members.0.iter().filter(is_needed).cloned().collect())
}
