//! Content blocks of a response, and those that the next turn must replay: signed reasoning, cited
//! texts, and blocks of types that only this API knows.

use clawless_core::json::Json;
use clawless_core::llm::{ContentBlocks, Delta};
use clawless_core::members::Members;
use clawless_core::tool::CallForm;
use serde::Serialize;

use super::opaque::Opaque;
use super::wire;
use crate::error::LlmError;

/// The maximum number of blocks in one response, because each uses memory.
const MAX_BLOCKS: usize = 1024;

/// The blocks of one response.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// By the provider's index.
    by_index: Vec<(u32, Kind)>,
    calls: u32,
    /// The indexes of blocks that have ended.
    ended: Vec<u32>,
    /// The responding model, as `provider/model`.
    signed_by: Option<String>,
    /// Whether the model needs reasoning back that it has not signed.
    keeps_unsigned: bool,
}

#[derive(Debug)]
enum Kind {
    Text {
        text: String,
        citations: Vec<Json>,
    },
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
    /// A block of a type that has no meaning here.
    Opaque(Opaque),
}

/// A text with its sources.
#[derive(Serialize)]
struct Cited<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "<[Json]>::is_empty")]
    citations: &'a [Json],
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

    /// Keeps reasoning without a signature, too.
    pub(super) const fn keep_unsigned(&mut self, is_kept: bool) {
        self.keeps_unsigned = is_kept;
    }

    /// Whether any block has content. A text block without text has none; blocks of other types
    /// count from their start, because their content may be hidden.
    pub(super) fn has_output(&self) -> bool {
        self.by_index.iter().any(|(_, kind)| match kind {
            Kind::Text { text, citations } => !text.is_empty() || !citations.is_empty(),
            _ => true,
        })
    }

    /// Starts a block, or adds a complete one.
    pub(super) fn start(
        &mut self,
        index: u32,
        raw: Json,
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
        let block = Some(&raw).filter(|raw| raw.as_str().starts_with('{'));
        let block: Option<wire::Block> = block.and_then(|raw| raw.read().ok());
        let block = block.ok_or_else(|| LlmError::Malformed("an unreadable block".to_owned()))?;
        let kind = match block.r#type.as_str() {
            "text" => {
                let text = block.text.unwrap_or_default();
                let citations = block.citations.and_then(|it| it.read().ok());
                let citations: Vec<Json> = citations.unwrap_or_default();
                if !text.is_empty() {
                    out.push(Delta::Content(text.clone()));
                }
                out.extend(citations.iter().cloned().map(Delta::Citation));
                Kind::Text { text, citations }
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
            _ => Kind::Opaque(Opaque::new(raw)),
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
            (Kind::Text { text, .. }, "text_delta") => {
                let more = delta.text.filter(|text| !text.is_empty());
                if let Some(more) = more {
                    text.push_str(&more);
                    out.push(Delta::Content(more));
                }
            }
            (Kind::Text { citations, .. }, "citations_delta") => {
                if let Some(citation) = delta.citation {
                    citations.push(citation.clone());
                    out.push(Delta::Citation(citation));
                }
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
            (Kind::Opaque(block), _) => block.add(delta),
            // Unknown types.
            _ => {}
        }
        Ok(())
    }

    /// Ends a block: emits a signed thought, whose text has been sent, or a block that only this API
    /// knows.
    pub(super) fn stop(&mut self, index: u32, out: &mut Vec<Delta>) {
        if self.ended.contains(&index) || self.ended.len() >= MAX_BLOCKS {
            return;
        }
        self.ended.push(index);
        let known = self.by_index.iter().rev().find(|(at, _)| *at == index);
        let end = known.and_then(|(_, kind)| match kind {
            Kind::Text { .. } => Some(Delta::TextEnd),
            Kind::Opaque(block) => Some(Delta::Block(block.whole())),
            Kind::Thought { .. } | Kind::Sealed(_) => {
                let thought = Json::from_value(&self.thought(kind)?).ok()?;
                Some(Delta::ThinkingBlock(thought))
            }
            Kind::Call { .. } => None,
        });
        out.extend(end);
    }

    /// All blocks but calls, as a member of the message, if one of them has no other form.
    fn content_blocks(&self) -> Option<Delta> {
        let kinds = || self.by_index.iter().map(|(_, kind)| kind);
        let has_own = kinds().any(|kind| match kind {
            Kind::Opaque(_) => true,
            Kind::Text { citations, .. } => !citations.is_empty(),
            _ => false,
        });
        let blocks = has_own.then(|| ContentBlocks {
            origin: self.signed_by.clone().unwrap_or_default(),
            blocks: kinds().filter_map(|kind| self.replayed(kind)).collect(),
        })?;
        blocks.to_members().ok().map(Delta::Members)
    }

    /// A block as the next turn sends it; `None` for calls, which messages have elsewhere, and for
    /// blocks that the API would reject.
    fn replayed(&self, kind: &Kind) -> Option<Json> {
        match kind {
            Kind::Text { text, .. } if text.is_empty() => None,
            Kind::Text { text, citations } => {
                let r#type = "text";
                let cited = Cited {
                    r#type,
                    text,
                    citations,
                };
                Json::from_value(&cited).ok()
            }
            Kind::Opaque(block) => Some(block.whole()),
            Kind::Thought { .. } | Kind::Sealed(_) => Json::from_value(&self.thought(kind)?).ok(),
            Kind::Call { .. } => None,
        }
    }

    /// The reasoning of a block that the model needs back.
    fn thought<'a>(&self, kind: &'a Kind) -> Option<Thought<'a>> {
        match kind {
            Kind::Thought {
                thinking,
                signature,
            } if !signature.is_empty() || (self.keeps_unsigned && !thinking.is_empty()) => {
                Some(Thought::Thinking {
                    thinking,
                    signature,
                })
            }
            Kind::Sealed(data) => Some(Thought::RedactedThinking { data }),
            _ => None,
        }
    }

    /// Ends the response: emits all signed reasoning, and `{}` for calls without input.
    pub(super) fn finish(&mut self, out: &mut Vec<Delta>) {
        let signed_by = self.signed_by.as_deref();
        let thoughts = self.by_index.iter();
        let thoughts = thoughts.filter_map(|(_, kind)| self.thought(kind));
        let thoughts = thoughts.map(|thought| Signed { thought, signed_by });
        let thoughts: Vec<_> = thoughts.collect();
        if !thoughts.is_empty() {
            out.extend(Json::from_value(&thoughts).ok().map(Delta::ThinkingBlocks));
        }
        out.extend(self.content_blocks());
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

fn is_empty_object(json: &Json) -> bool {
    let text = json.as_str();
    let inside = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
    inside.is_some_and(|inside| inside.trim().is_empty())
}
