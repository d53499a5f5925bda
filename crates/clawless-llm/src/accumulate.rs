//! From the events of a stream to the answer that they make, and back.

use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmChoice, LlmEvent, LlmResponse};
use clawless_core::{ToolCall, Usage};
use serde::{Deserialize, Serialize};

/// Puts an answer together.
#[derive(Debug, Clone, Default)]
pub struct Accumulator {
    answer: LlmResponse,
    /// Log probabilities of each answer, by its position in `answer.choices`.
    logprobs: Vec<Vec<Json>>,
}

impl Accumulator {
    /// Takes the next events.
    pub fn push_all(&mut self, events: &[LlmEvent]) {
        for event in events {
            self.push(event);
        }
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &LlmEvent) {
        match event {
            LlmEvent::Delta { index, delta } => {
                let at = self.at(*index);
                if let Delta::Logprobs(json) = delta {
                    if let Some(list) = self.logprobs.get_mut(at) {
                        list.push(json.clone());
                    }
                } else if let Some(choice) = self.answer.choices.get_mut(at) {
                    add(choice, delta);
                }
            }
            LlmEvent::Finish { index, reason } => {
                let at = self.at(*index);
                if let Some(choice) = self.answer.choices.get_mut(at) {
                    choice.finish_reason = Some(*reason);
                }
            }
            LlmEvent::Usage(usage) => self.answer.usage = Some(*usage),
        }
    }

    /// What the provider has told of the usage so far.
    pub const fn usage(&self) -> Option<Usage> {
        self.answer.usage
    }

    /// Whether anything has come that a client would see.
    pub fn is_empty(&self) -> bool {
        self.answer.choices.is_empty()
    }

    /// The answer as far as it came. An answer that broke off has no finish reason.
    pub fn finish(mut self) -> LlmResponse {
        for (choice, logprobs) in self.answer.choices.iter_mut().zip(&self.logprobs) {
            choice.logprobs = join_logprobs(logprobs);
            let silent = choice.tool_calls.is_empty() && choice.refusal.is_none();
            if choice.content.is_none() && silent {
                choice.content = Some(String::new());
            }
        }
        self.answer.choices.sort_by_key(|choice| choice.index);
        self.answer
    }

    /// The position of an answer, new where it is the first that is heard of it.
    fn at(&mut self, index: u32) -> usize {
        let choices = &mut self.answer.choices;
        if let Some(at) = choices.iter().position(|choice| choice.index == index) {
            return at;
        }
        choices.push(LlmChoice {
            index,
            ..LlmChoice::default()
        });
        self.logprobs.push(Vec::new());
        choices.len() - 1
    }
}

fn add(choice: &mut LlmChoice, delta: &Delta) {
    let append = |text: &mut Option<String>, more: &str| {
        text.get_or_insert_default().push_str(more);
    };
    match delta {
        Delta::Content(more) => append(&mut choice.content, more),
        Delta::Reasoning(more) => append(&mut choice.reasoning, more),
        Delta::Refusal(more) => append(&mut choice.refusal, more),
        Delta::ToolCallStart { id, name, form, .. } => choice.tool_calls.push(ToolCall {
            id: id.clone(),
            name: name.clone(),
            arguments: String::new(),
            form: *form,
        }),
        Delta::ToolCallArguments {
            call, arguments, ..
        } => {
            let call = usize::try_from(*call).ok();
            if let Some(call) = call.and_then(|call| choice.tool_calls.get_mut(call)) {
                call.arguments.push_str(arguments);
            }
        }
        Delta::ThinkingBlocks(blocks) => choice.thinking_blocks = Some(blocks.clone()),
        Delta::Logprobs(_) => {}
    }
}

/// The log probabilities of a stream's chunks as one object. A single one stays as it is.
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
    Json::of(&joined).ok()
}

/// The events that make this answer.
pub fn replay(answer: LlmResponse) -> Vec<LlmEvent> {
    let mut events = Vec::new();
    for choice in answer.choices {
        let index = choice.index;
        let mut deltas = Vec::new();
        deltas.extend(choice.reasoning.map(Delta::Reasoning));
        deltas.extend(choice.thinking_blocks.map(Delta::ThinkingBlocks));
        let content = choice.content.filter(|text| !text.is_empty());
        deltas.extend(content.map(Delta::Content));
        deltas.extend(choice.refusal.map(Delta::Refusal));
        deltas.extend(choice.logprobs.map(Delta::Logprobs));
        for (call, it) in (0..).zip(choice.tool_calls) {
            let ToolCall {
                id,
                name,
                arguments,
                form,
            } = it;
            deltas.push(Delta::ToolCallStart {
                call,
                id,
                name,
                form,
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

#[cfg(test)]
mod tests {
    use clawless_core::FinishReason;
    use clawless_core::tool::CallForm;

    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.to_owned()).expect("JSON")
    }

    #[test]
    fn an_answer_survives_being_replayed() {
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
                        },
                        ToolCall {
                            id: "b".to_owned(),
                            name: "g".to_owned(),
                            arguments: "any text".to_owned(),
                            form: CallForm::Custom,
                        },
                    ],
                    finish_reason: Some(FinishReason::ToolCalls),
                    logprobs: Some(json(r#"{"content":[{"token":"a"}],"refusal":null}"#)),
                    refusal: None,
                    thinking_blocks: Some(json(r#"[{"type":"thinking"}]"#)),
                },
                LlmChoice {
                    index: 1,
                    refusal: Some("no".to_owned()),
                    finish_reason: Some(FinishReason::Stop),
                    ..LlmChoice::default()
                },
            ],
            usage: Some(Usage::of(1, 2)),
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
