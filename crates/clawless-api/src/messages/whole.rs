//! Whole answers: `message`.

use clawless_core::json::Json;
use clawless_core::llm::{LlmChoice, LlmResponse};
use clawless_core::members::Members;
use serde::Serialize;

use super::stop::StopState;
use super::usage::MessageUsage;
use crate::activity::{Extension, ToolActivity};
use crate::answer_head::AnswerHead;

/// The member of a stored signed block that names its signer. Clients do not send it back.
pub(super) const SIGNER: &str = "signed_by";

#[derive(Debug, Serialize)]
struct Body<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Content>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    usage: MessageUsage,
    #[serde(skip_serializing_if = "Option::is_none")]
    clawless: Option<Extension<Vec<ToolActivity>>>,
}

/// A content block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content {
    Text {
        text: String,
    },
    Thinking {
        thinking: String,
        signature: &'static str,
    },
    ToolUse {
        id: String,
        name: String,
        input: Json,
    },
    /// A signed block of the provider.
    #[serde(untagged)]
    Signed(Members),
}

/// The id of a message: the request's, with Anthropic's prefix.
pub(super) fn message_id(head: &AnswerHead) -> String {
    format!("msg_{}", head.request.bare())
}

/// The body of a whole answer.
pub(super) fn body(
    head: &AnswerHead,
    mut answer: LlmResponse,
    activity: Vec<ToolActivity>,
    stop_sequences: &[String],
) -> Result<String, serde_json::Error> {
    let choice = answer.choices.drain(..).next().unwrap_or_default();
    let mut stop = StopState::default();
    stop.finish(choice.finish_reason);
    stop.read(&choice.choice_members, stop_sequences);
    let content = content(choice, &mut stop)?;
    let (stop_reason, stop_sequence) = stop.values();
    serde_json::to_string(&Body {
        id: message_id(head),
        r#type: "message",
        role: "assistant",
        model: &head.model,
        content,
        stop_reason,
        stop_sequence,
        usage: answer.usage.unwrap_or_default().into(),
        clawless: (!activity.is_empty()).then_some(Extension {
            tool_executions: activity,
        }),
    })
}

fn content(choice: LlmChoice, stop: &mut StopState) -> Result<Vec<Content>, serde_json::Error> {
    let mut content = Vec::new();
    let signed = choice.thinking_blocks.and_then(|it| it.read().ok());
    match (signed, choice.reasoning) {
        (Some(blocks), _) => {
            let blocks: Vec<Members> = blocks;
            let blocks = blocks.into_iter().map(|block| block.without(&[SIGNER]));
            content.extend(blocks.map(Content::Signed));
        }
        (None, Some(thinking)) if !thinking.is_empty() => content.push(Content::Thinking {
            thinking,
            signature: "",
        }),
        (None, _) => {}
    }
    let refusal = choice.refusal.filter(|text| !text.is_empty());
    if refusal.is_some() {
        stop.refuse();
    }
    let texts = [choice.content.filter(|text| !text.is_empty()), refusal];
    content.extend(
        texts
            .into_iter()
            .flatten()
            .map(|text| Content::Text { text }),
    );
    for call in choice.tool_calls {
        stop.call();
        content.push(Content::ToolUse {
            id: call.id,
            name: call.name,
            input: input(call.arguments)?,
        });
    }
    Ok(content)
}

/// Arguments as an object. Models of other providers may write anything else, which is wrapped in one.
fn input(arguments: String) -> Result<Json, serde_json::Error> {
    #[derive(Serialize)]
    struct Invalid {
        invalid_arguments: String,
    }
    let trimmed = arguments.trim();
    if trimmed.is_empty() {
        return Json::parse("{}".to_owned());
    }
    match Json::parse(trimmed.to_owned()) {
        Ok(object) if trimmed.starts_with('{') => Ok(object),
        _ => Json::from_value(&Invalid {
            invalid_arguments: arguments,
        }),
    }
}
