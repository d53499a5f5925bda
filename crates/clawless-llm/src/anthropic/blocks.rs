//! Content blocks of a response, and the signed reasoning that the next turn must replay.

use clawless_core::json::Json;
use clawless_core::llm::Delta;
use clawless_core::members::Members;
use clawless_core::tool::CallForm;
use serde::Serialize;

use super::wire;
use crate::error::LlmError;

/// The maximum number of blocks in one response, because each uses memory.
const MAX_BLOCKS: usize = 1024;

/// The blocks of one response.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// By the provider's index. Blocks of unknown types are kept as placeholders.
    by_index: Vec<(u32, Kind)>,
    calls: u32,
    /// The indexes of blocks that have ended.
    ended: Vec<u32>,
    /// The responding model, if known.
    signed_by: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Text,
    Thought {
        thinking: String,
        signature: String,
    },
    /// Encrypted reasoning that only the provider can read.
    Sealed(String),
    Call {
        number: u32,
        has_input: bool,
    },
    Unknown,
}

/// Reasoning to replay, with the model that signed it: other models reject it. The signer member is
/// not sent to the provider.
#[derive(Serialize)]
struct Signed<'a> {
    #[serde(flatten)]
    thought: Thought<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Thought<'a> {
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
}

impl Blocks {
    /// Creates the blocks of a response of this model.
    pub(super) fn for_signer(model: &str) -> Self {
        Self {
            signed_by: Some(model.to_owned()),
            ..Self::default()
        }
    }

    /// Starts a block, or adds a complete one.
    pub(super) fn start(
        &mut self,
        index: u32,
        block: wire::Block,
        out: &mut Vec<Delta>,
    ) -> Result<(), LlmError> {
        if self.by_index.len() >= MAX_BLOCKS {
            return Err(LlmError::Malformed(format!(
                "more than {MAX_BLOCKS} blocks"
            )));
        }
        if self.by_index.iter().any(|(known, _)| *known == index) {
            return Err(LlmError::Malformed("a block starts twice".to_owned()));
        }
        let kind = match block.r#type.as_str() {
            "text" => {
                let text = block.text.filter(|text| !text.is_empty());
                out.extend(text.map(Delta::Content));
                Kind::Text
            }
            "thinking" => {
                let thinking = block.thinking.unwrap_or_default();
                if !thinking.is_empty() {
                    out.push(Delta::Reasoning(thinking.clone()));
                }
                Kind::Thought {
                    thinking,
                    signature: block.signature.unwrap_or_default(),
                }
            }
            "redacted_thinking" => Kind::Sealed(block.data.unwrap_or_default()),
            "tool_use" => {
                let (Some(id), Some(name)) = (block.id, block.name) else {
                    return Err(LlmError::Malformed(
                        "a tool call without an id or a name".to_owned(),
                    ));
                };
                let call = self.calls;
                self.calls += 1;
                out.push(Delta::ToolCallStart {
                    call,
                    id,
                    name,
                    form: CallForm::Function,
                    members: Members::default(),
                });
                let input = block.input.filter(|input| !is_empty_object(input));
                let has_input = input.is_some();
                out.extend(input.map(|input| Delta::ToolCallArguments {
                    call,
                    arguments: input.as_str().to_owned(),
                    form: CallForm::Function,
                }));
                Kind::Call {
                    number: call,
                    has_input,
                }
            }
            _ => Kind::Unknown,
        };
        self.by_index.push((index, kind));
        Ok(())
    }

    /// Appends a delta to a block.
    pub(super) fn add(
        &mut self,
        index: u32,
        delta: wire::Delta,
        out: &mut Vec<Delta>,
    ) -> Result<(), LlmError> {
        let known = self.by_index.iter_mut().rev().find(|(at, _)| *at == index);
        let Some((_, kind)) = known else {
            return Err(LlmError::Malformed(
                "an addition to a block that has not started".to_owned(),
            ));
        };
        match (kind, delta.r#type.as_deref().unwrap_or_default()) {
            (Kind::Text, "text_delta") => {
                let text = delta.text.filter(|text| !text.is_empty());
                out.extend(text.map(Delta::Content));
            }
            (Kind::Thought { thinking, .. }, "thinking_delta") => {
                let more = delta.thinking.filter(|text| !text.is_empty());
                if let Some(more) = more {
                    thinking.push_str(&more);
                    out.push(Delta::Reasoning(more));
                }
            }
            (Kind::Thought { signature, .. }, "signature_delta") => {
                signature.push_str(&delta.signature.unwrap_or_default());
            }
            (Kind::Call { number, has_input }, "input_json_delta") => {
                let more = delta.partial_json.filter(|text| !text.is_empty());
                if let Some(arguments) = more {
                    *has_input = true;
                    out.push(Delta::ToolCallArguments {
                        call: *number,
                        arguments,
                        form: CallForm::Function,
                    });
                }
            }
            // Citations and unknown types.
            _ => {}
        }
        Ok(())
    }

    /// Ends a block: emits a signed thought, whose text has been sent.
    pub(super) fn stop(&mut self, index: u32, out: &mut Vec<Delta>) {
        if self.ended.contains(&index) || self.ended.len() >= MAX_BLOCKS {
            return;
        }
        self.ended.push(index);
        let known = self.by_index.iter().rev().find(|(at, _)| *at == index);
        let thought = known.and_then(|(_, kind)| thought(kind));
        let block = thought.and_then(|thought| Json::from_value(&thought).ok());
        out.extend(block.map(Delta::ThinkingBlock));
    }

    /// Ends the response: emits all signed reasoning, and `{}` for calls without input.
    pub(super) fn finish(&mut self, out: &mut Vec<Delta>) {
        let signed_by = self.signed_by.as_deref();
        let thoughts = self.by_index.iter().filter_map(|(_, kind)| thought(kind));
        let thoughts = thoughts.map(|thought| Signed { thought, signed_by });
        let thoughts: Vec<_> = thoughts.collect();
        if !thoughts.is_empty() {
            out.extend(Json::from_value(&thoughts).ok().map(Delta::ThinkingBlocks));
        }
        for (_, kind) in &mut self.by_index {
            if let Kind::Call {
                number,
                has_input: has_input @ false,
            } = kind
            {
                *has_input = true;
                out.push(Delta::ToolCallArguments {
                    call: *number,
                    arguments: "{}".to_owned(),
                    form: CallForm::Function,
                });
            }
        }
    }
}

fn thought(kind: &Kind) -> Option<Thought<'_>> {
    match kind {
        Kind::Thought {
            thinking,
            signature,
        } if !signature.is_empty() => Some(Thought::Thinking {
            thinking,
            signature,
        }),
        Kind::Sealed(data) => Some(Thought::RedactedThinking { data }),
        _ => None,
    }
}

fn is_empty_object(json: &Json) -> bool {
    let text = json.as_str();
    let inside = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    inside.is_some_and(|inside| inside.trim().is_empty())
}
