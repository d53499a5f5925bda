//! Whole answers: `message`.

use clawless_core::chat::Block;
use clawless_core::json::Json;
use clawless_core::llm::{ClientText, ContentBlocks, LlmChoice, LlmResponse, Signature};
use clawless_core::members::Members;
use serde::Serialize;

use super::carrier::Carrier;
use super::stop::StopState;
use super::usage::MessageUsage;
use crate::activity::{Extension, ToolActivity};
use crate::answer_head::AnswerHead;

/// The member of a stored signed block that names its signer. Clients find it in the signature.
const SIGNER: &str = "signed_by";

#[derive(Debug, Serialize)]
struct Body<'a> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Content>,
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
    // What only Anthropic's own models and tools have. SDKs declare the members as required.
    stop_details: (),
    container: (),
    diagnostics: (),
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
    /// Any other block of the provider.
    #[serde(untagged)]
    Whole(Json),
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
    let content = content(choice, &head.origin, &mut stop)?;
    let (stop_reason, stop_sequence) = stop.values();
    serde_json::to_string(&Body {
        id: message_id(head),
        r#type: "message",
        role: "assistant",
        model: &head.model,
        content,
        stop_reason,
        stop_sequence,
        stop_details: (),
        container: (),
        diagnostics: (),
        usage: answer.usage.unwrap_or_default().into(),
        clawless: (!activity.is_empty()).then_some(Extension {
            tool_executions: activity,
        }),
    })
}

/// A signed block for the client: its signature, or its encrypted reasoning, names the model that made
/// it, because it is valid there only. An empty one is of a
/// model that does not sign its reasoning, and needs it back.
pub(super) fn for_client(block: Members, origin: &str) -> Members {
    let mut block = block.without(&[SIGNER]);
    for (name, value) in &mut block.0 {
        if matches!(name.as_str(), "signature" | "data")
            && let Ok(signature) = value.read::<String>()
            && let Ok(named) = Json::from_value(
                &Signature {
                    origin: origin.to_owned(),
                    signature,
                }
                .to_text(),
            )
        {
            *value = named;
        }
    }
    block
}

/// A block that the provider wrote.
fn of_provider(block: Json, origin: &str) -> Result<Content, serde_json::Error> {
    match Block::read(&block) {
        Ok(Block::Thinking { .. } | Block::RedactedThinking) => {
            Ok(Content::Signed(for_client(block.read()?, origin)))
        }
        _ => Ok(Content::Whole(block)),
    }
}

fn content(
    choice: LlmChoice,
    origin: &str,
    stop: &mut StopState,
) -> Result<Vec<Content>, serde_json::Error> {
    let mut carrier = Carrier::of_answer(&choice.members, &choice.tool_calls);
    let own = ContentBlocks::of(&choice.members);
    let own = own.filter(|own| own.have_text(choice.content.as_deref().unwrap_or_default()));
    let mut content = match own {
        Some(own) => own
            .blocks
            .into_iter()
            .map(|block| of_provider(block, origin))
            .collect::<Result<_, _>>()?,
        None => translated(
            choice.thinking_blocks,
            choice.reasoning,
            choice.content,
            origin,
        ),
    };
    if let Some(text) = choice.refusal.filter(|text| !text.is_empty()) {
        stop.refuse();
        content.push(Content::Text { text });
    }
    content.extend(carrier.take(origin).map(Content::Signed));
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

/// Reasoning and text as blocks.
fn translated(
    thinking_blocks: Option<Json>,
    reasoning: Option<String>,
    text: Option<String>,
    origin: &str,
) -> Vec<Content> {
    let mut content = Vec::new();
    let signed = thinking_blocks.and_then(|it| it.read().ok());
    match (signed, reasoning) {
        (Some(blocks), _) => {
            let blocks: Vec<Members> = blocks;
            let blocks = blocks.into_iter().map(|block| for_client(block, origin));
            content.extend(blocks.map(Content::Signed));
        }
        (None, Some(thinking)) if !thinking.is_empty() => content.push(Content::Thinking {
            thinking,
            signature: "",
        }),
        (None, _) => {}
    }
    let text = text.filter(|text| !text.is_empty());
    content.extend(text.map(|text| Content::Text { text }));
    content
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

#[cfg(test)]
mod tests {
    use clawless_core::{FinishReason, Timestamp};
    use serde_json::{Value, json};

    use super::*;

    fn written(choice: LlmChoice) -> Value {
        let head = AnswerHead {
            request: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
            created: Timestamp::default(),
            completed: None,
            model: "m".to_owned(),
            origin: "p/m".to_owned(),
        };
        let answer = LlmResponse {
            choices: vec![choice],
            ..LlmResponse::default()
        };
        let body = body(&head, answer, Vec::new(), &[]).expect("JSON");
        serde_json::from_str(&body).expect("JSON")
    }

    #[test]
    fn the_providers_blocks_are_the_content_if_they_have_its_text() {
        let json = |value: Value| Json::parse(value.to_string()).expect("JSON");
        let cited = json!({"type": "text", "text": "b", "citations": [{"cited_text": "B"}]});
        let own = ContentBlocks {
            origin: "p/m".to_owned(),
            blocks: vec![
                json(json!({"type": "thinking", "thinking": "hm", "signature": "s"})),
                json(json!({"type": "text", "text": "a"})),
                json(json!({"type": "web_search_tool_result", "content": []})),
                json(cited.clone()),
            ],
        };
        let choice = |text: &str| LlmChoice {
            content: Some(text.to_owned()),
            finish_reason: Some(FinishReason::Length),
            members: own.to_members().expect("JSON"),
            choice_members: Members(vec![(
                "native_finish_reason".to_owned(),
                json(json!("pause_turn")),
            )]),
            ..LlmChoice::default()
        };
        let message = written(choice("ab"));
        let signature = Signature {
            origin: "p/m".to_owned(),
            signature: "s".to_owned(),
        };
        let signature = signature.to_text();
        assert_eq!(
            message["content"],
            json!([
                {"type": "thinking", "thinking": "hm", "signature": signature},
                {"type": "text", "text": "a"},
                {"type": "web_search_tool_result", "content": []},
                cited,
            ])
        );
        assert_eq!(message["stop_reason"], "pause_turn");
        // Those of other wires are carried before the calls.
        let mut called = LlmChoice {
            content: Some("a".to_owned()),
            members: Members(vec![("reasoning_details".to_owned(), json(json!([1])))]),
            ..LlmChoice::default()
        };
        called.tool_calls.push(clawless_core::ToolCall {
            id: "c".to_owned(),
            name: "f".to_owned(),
            ..clawless_core::ToolCall::default()
        });
        let called = written(called);
        let data = called["content"][1]["data"].as_str().expect("data");
        assert_eq!(
            data,
            r#"clawless-members1:{"origin":"p/m","members":{"reasoning_details":[1]}}"#
        );
        assert_eq!(called["content"][2]["type"], "tool_use");
        // A turn of several rounds has more text than the blocks of one of them.
        let other = written(choice("first ab"));
        assert_eq!(
            other["content"],
            json!([{"type": "text", "text": "first ab"}])
        );
    }
}
