//! Accumulates stream events into a response, and replays a response as events.

use clawless_core::chat::Block;
use clawless_core::json::Json;
use clawless_core::llm::{ContentBlocks, Delta, LlmChoice, LlmEvent, LlmResponse};
use clawless_core::members::{Members, MergedMembers};
use clawless_core::{Tokens, ToolCall, Usage};
use serde::{Deserialize, Serialize};

use crate::anthropic::SIGNER;

/// Accumulates a response.
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    answer: LlmResponse,
    /// Parts of each choice that are merged at the end, by index in `answer.choices`.
    pending: Vec<Pending>,
    /// Response members other than the choices.
    members: MergedMembers,
    /// The number of pieces of text.
    pieces: u64,
}

/// Parts of one choice that are merged at the end.
#[derive(Debug, Clone, Default)]
struct Pending {
    logprobs: Vec<Json>,
    members: MergedMembers,
    choice_members: MergedMembers,
    /// By call index.
    calls: Vec<MergedMembers>,
}

impl Accumulator {
    /// Applies a batch of events.
    pub fn push_all(&mut self, events: &[LlmEvent]) {
        for event in events {
            self.push(event);
        }
    }

    /// Applies one event.
    pub fn push(&mut self, event: &LlmEvent) {
        match event {
            LlmEvent::Delta { index, delta } => {
                self.pieces = self.pieces.saturating_add(u64::from(has_text(delta)));
                let at = self.at(*index);
                let choice = self.answer.choices.get_mut(at);
                if let (Some(choice), Some(pending)) = (choice, self.pending.get_mut(at)) {
                    add(choice, pending, delta);
                }
            }
            LlmEvent::Finish { index, reason } => {
                let at = self.at(*index);
                if let Some(choice) = self.answer.choices.get_mut(at) {
                    choice.finish_reason = Some(*reason);
                }
            }
            LlmEvent::Usage(usage) => self.answer.usage = Some(*usage),
            LlmEvent::Members(members) => self.members.replace(members),
        }
    }

    /// The usage that the provider has reported so far.
    pub const fn usage(&self) -> Option<Usage> {
        self.answer.usage
    }

    /// The number of pieces of text that were received. Each has one token or more: no server splits
    /// a token.
    pub const fn pieces(&self) -> Tokens {
        Tokens::new(self.pieces)
    }

    /// Whether no event with client-visible output was received.
    pub fn is_empty(&self) -> bool {
        self.answer.choices.is_empty()
    }

    /// The response so far. An interrupted response has no finish reason.
    pub fn finish(mut self) -> LlmResponse {
        self.answer.members = self.members.finish();
        for (choice, pending) in self.answer.choices.iter_mut().zip(self.pending) {
            choice.logprobs = join_logprobs(&pending.logprobs);
            choice.members = pending.members.finish();
            choice.choice_members = pending.choice_members.finish();
            for (call, members) in choice.tool_calls.iter_mut().zip(pending.calls) {
                call.members = members.finish();
            }
            let is_silent = choice.tool_calls.is_empty() && choice.refusal.is_none();
            if choice.content.is_none() && is_silent {
                choice.content = Some(String::new());
            }
        }
        self.answer.choices.sort_by_key(|choice| choice.index);
        self.answer
    }

    /// The index of a choice; adds the choice if it is new.
    fn at(&mut self, index: u32) -> usize {
        let choices = &mut self.answer.choices;
        if let Some(at) = choices.iter().position(|choice| choice.index == index) {
            return at;
        }
        choices.push(LlmChoice {
            index,
            ..LlmChoice::default()
        });
        self.pending.push(Pending::default());
        choices.len() - 1
    }
}

/// Whether a delta has text of the model.
fn has_text(delta: &Delta) -> bool {
    match delta {
        Delta::Content(text) | Delta::Reasoning(text) | Delta::Refusal(text) => !text.is_empty(),
        Delta::ToolCallStart { .. } => true,
        Delta::ToolCallArguments { arguments, .. } => !arguments.is_empty(),
        Delta::ToolCallMembers { .. }
        | Delta::Logprobs(_)
        | Delta::ThinkingBlock(_)
        | Delta::Citation(_)
        | Delta::TextEnd
        | Delta::Block(_)
        | Delta::ThinkingBlocks(_)
        | Delta::Members(_)
        | Delta::ChoiceMembers(_) => false,
    }
}

fn add(choice: &mut LlmChoice, pending: &mut Pending, delta: &Delta) {
    let append = |text: &mut Option<String>, more: &str| {
        text.get_or_insert_default().push_str(more);
    };
    match delta {
        Delta::Content(more) => append(&mut choice.content, more),
        Delta::Reasoning(more) => append(&mut choice.reasoning, more),
        Delta::Refusal(more) => append(&mut choice.refusal, more),
        Delta::ToolCallStart {
            id,
            name,
            form,
            members,
            ..
        } => {
            choice.tool_calls.push(ToolCall {
                id: id.clone(),
                name: name.clone(),
                form: *form,
                ..ToolCall::default()
            });
            let mut merged = MergedMembers::default();
            merged.add(members);
            pending.calls.push(merged);
        }
        Delta::ToolCallMembers { call, members, .. } => {
            let call = usize::try_from(*call).ok();
            if let Some(merged) = call.and_then(|call| pending.calls.get_mut(call)) {
                merged.add(members);
            }
        }
        Delta::ToolCallArguments {
            call, arguments, ..
        } => {
            let call = usize::try_from(*call).ok();
            if let Some(call) = call.and_then(|call| choice.tool_calls.get_mut(call)) {
                call.arguments.push_str(arguments);
            }
        }
        // They are among all blocks, which follow.
        Delta::ThinkingBlock(_) | Delta::Citation(_) | Delta::TextEnd | Delta::Block(_) => {}
        Delta::ThinkingBlocks(blocks) => choice.thinking_blocks = Some(blocks.clone()),
        Delta::Logprobs(json) => pending.logprobs.push(json.clone()),
        Delta::Members(members) => pending.members.add(members),
        Delta::ChoiceMembers(members) => pending.choice_members.replace(members),
    }
}

/// Joins the log probabilities of stream chunks into one object. A single piece is not changed.
fn join_logprobs(pieces: &[Json]) -> Option<Json> {
    #[derive(Default, Serialize, Deserialize)]
    struct Logprobs {
        #[serde(default)]
        content: Option<Vec<Json>>,
        #[serde(default)]
        refusal: Option<Vec<Json>>,
    }
    if let [only] = pieces {
        return Some(only.clone());
    }
    let mut joined = Logprobs::default();
    for piece in pieces {
        let piece: Logprobs = piece.read().ok()?;
        for (all, more) in [
            (&mut joined.content, piece.content),
            (&mut joined.refusal, piece.refusal),
        ] {
            if let Some(more) = more {
                all.get_or_insert_default().extend(more);
            }
        }
    }
    if pieces.is_empty() {
        return None;
    }
    Json::from_value(&joined).ok()
}

/// The events that accumulate to this response.
pub fn replay(answer: LlmResponse) -> Vec<LlmEvent> {
    let mut events = Vec::new();
    if !answer.members.is_empty() {
        events.push(LlmEvent::Members(answer.members));
    }
    for choice in answer.choices {
        let index = choice.index;
        let mut deltas = Vec::new();
        if let Some(blocks) = own_blocks(&choice) {
            deltas.extend(blocks);
            deltas.extend(choice.thinking_blocks.map(Delta::ThinkingBlocks));
        } else {
            match signed_thoughts(choice.reasoning.as_deref(), choice.thinking_blocks.as_ref()) {
                Some(thoughts) => deltas.extend(thoughts),
                None => deltas.extend(choice.reasoning.map(Delta::Reasoning)),
            }
            deltas.extend(choice.thinking_blocks.map(Delta::ThinkingBlocks));
            let content = choice.content.filter(|text| !text.is_empty());
            deltas.extend(content.map(Delta::Content));
        }
        deltas.extend(choice.refusal.map(Delta::Refusal));
        deltas.extend(choice.logprobs.map(Delta::Logprobs));
        if !choice.members.is_empty() {
            deltas.push(Delta::Members(choice.members));
        }
        if !choice.choice_members.is_empty() {
            deltas.push(Delta::ChoiceMembers(choice.choice_members));
        }
        for (call, it) in (0..).zip(choice.tool_calls) {
            let ToolCall {
                id,
                name,
                arguments,
                form,
                members,
            } = it;
            deltas.push(Delta::ToolCallStart {
                call,
                id,
                name,
                form,
                members,
            });
            deltas.push(Delta::ToolCallArguments {
                call,
                arguments,
                form,
            });
        }
        let deltas = deltas.into_iter();
        events.extend(deltas.map(|delta| LlmEvent::Delta { index, delta }));
        let reason = choice.finish_reason;
        events.extend(reason.map(|reason| LlmEvent::Finish { index, reason }));
    }
    events.extend(answer.usage.map(LlmEvent::Usage));
    events
}

/// The answer's blocks one by one, if the content blocks have all of its text.
fn own_blocks(choice: &LlmChoice) -> Option<Vec<Delta>> {
    let blocks = ContentBlocks::of(&choice.members)?;
    if !blocks.have_text(choice.content.as_deref().unwrap_or_default()) {
        return None;
    }
    let mut deltas = Vec::new();
    for raw in blocks.blocks {
        match Block::read(&raw) {
            Ok(Block::Text(text)) => {
                let members: Members = raw.read().ok()?;
                let citations = members.get("citations").and_then(|it| it.read().ok());
                let citations: Vec<Json> = citations.unwrap_or_default();
                deltas.extend((!text.is_empty()).then_some(Delta::Content(text)));
                deltas.extend(citations.into_iter().map(Delta::Citation));
                deltas.push(Delta::TextEnd);
            }
            Ok(Block::Thinking { thinking, .. }) => {
                deltas.extend((!thinking.is_empty()).then_some(Delta::Reasoning(thinking)));
                deltas.push(Delta::ThinkingBlock(raw));
            }
            Ok(Block::RedactedThinking) => deltas.push(Delta::ThinkingBlock(raw)),
            _ => deltas.push(Delta::Block(raw)),
        }
    }
    // What only the blocks' own surface shows is not all reasoning of an answer.
    let reasoning = choice.reasoning.clone().unwrap_or_default();
    let shown: String = deltas.iter().filter_map(thought_of).collect();
    (shown == reasoning).then_some(deltas)
}

fn thought_of(delta: &Delta) -> Option<&str> {
    match delta {
        Delta::Reasoning(text) => Some(text),
        _ => None,
    }
}

/// Reasoning block by block, if the signed blocks have all of it.
fn signed_thoughts(reasoning: Option<&str>, blocks: Option<&Json>) -> Option<Vec<Delta>> {
    let blocks: Vec<Members> = blocks?.read().ok()?;
    let (mut deltas, mut all) = (Vec::with_capacity(2 * blocks.len()), String::new());
    for block in blocks {
        let text = block.get("thinking").and_then(|text| text.read().ok());
        let text: String = text.unwrap_or_default();
        all.push_str(&text);
        if !text.is_empty() {
            deltas.push(Delta::Reasoning(text));
        }
        let block = Json::from_value(&block.without(&[SIGNER])).ok()?;
        deltas.push(Delta::ThinkingBlock(block));
    }
    (all == reasoning.unwrap_or_default()).then_some(deltas)
}

#[cfg(test)]
mod tests {
    use clawless_core::FinishReason;
    use clawless_core::tool::CallForm;

    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.to_owned()).expect("JSON")
    }

    fn members(text: &str) -> Members {
        serde_json::from_str(text).expect("an object")
    }

    #[test]
    fn replayed_responses_accumulate_to_the_same_response() {
        let answer = LlmResponse {
            choices: vec![
                LlmChoice {
                    index: 0,
                    content: Some("text".to_owned()),
                    reasoning: Some("thought".to_owned()),
                    tool_calls: vec![
                        ToolCall {
                            id: "a".to_owned(),
                            name: "f".to_owned(),
                            arguments: "{}".to_owned(),
                            form: CallForm::Function,
                            members: members(
                                r#"{"extra_content":{"google":{}},"function":{"signature":"s"}}"#,
                            ),
                        },
                        ToolCall {
                            id: "b".to_owned(),
                            name: "g".to_owned(),
                            arguments: "any text".to_owned(),
                            form: CallForm::Custom,
                            ..ToolCall::default()
                        },
                    ],
                    finish_reason: Some(FinishReason::ToolCalls),
                    logprobs: Some(json(r#"{"content":[{"token":"a"}],"refusal":null}"#)),
                    refusal: None,
                    thinking_blocks: Some(json(r#"[{"type":"thinking"}]"#)),
                    members: members(r#"{"annotations":[1.0],"x":"a"}"#),
                    choice_members: members(r#"{"native_finish_reason":"STOP"}"#),
                },
                LlmChoice {
                    index: 1,
                    refusal: Some("no".to_owned()),
                    finish_reason: Some(FinishReason::Stop),
                    ..LlmChoice::default()
                },
            ],
            usage: Some(Usage::new(1, 2)),
            members: members(r#"{"citations":["https://example.com"]}"#),
        };
        let mut again = Accumulator::default();
        again.push_all(&replay(answer.clone()));
        assert_eq!(again.finish(), answer);
    }

    #[test]
    fn log_probabilities_of_chunks_are_joined() {
        let mut answer = Accumulator::default();
        for text in [
            r#"{"content":[{"token":"a"}],"refusal":null}"#,
            r#"{"content":[{"token":"b"}]}"#,
        ] {
            answer.push(&LlmEvent::Delta {
                index: 0,
                delta: Delta::Logprobs(json(text)),
            });
        }
        assert_eq!(
            answer.finish().choices[0].logprobs,
            Some(json(
                r#"{"content":[{"token":"a"},{"token":"b"}],"refusal":null}"#
            ))
        );
    }
}
