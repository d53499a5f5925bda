//! The response of a stored turn, from its messages.

use super::text::join;
use crate::chat::{FinishReason, Message, Role};
use crate::llm::LlmChoice;

/// The response of a stored turn as its client received it: the text of all rounds, and the tool
/// calls without a result. `None` if the turn has no assistant message.
///
/// `messages` ends with the assistant and tool messages of the turn.
///
/// # Errors
/// A message has another form than [`LlmChoice::to_stored`] writes.
pub fn stored_answer(
    messages: &[Message],
    reason: Option<FinishReason>,
) -> Result<Option<LlmChoice>, serde_json::Error> {
    let is_output = |message: &&Message| matches!(message.role(), Role::Assistant | Role::Tool);
    let count = messages.iter().rev().take_while(is_output).count();
    let output = messages.get(messages.len() - count..).unwrap_or_default();
    // Tool results before the first assistant message belong to calls of an earlier turn.
    let first = output.iter().position(|it| it.role() == Role::Assistant);
    let output = first
        .and_then(|first| output.get(first..))
        .unwrap_or_default();
    let mut combined: Option<LlmChoice> = None;
    for message in output {
        if message.role() == Role::Tool {
            let id = message.view()?.tool_call_id;
            if let Some(choice) = &mut combined {
                choice
                    .tool_calls
                    .retain(|call| Some(&call.id) != id.as_ref());
            }
            continue;
        }
        let mut choice = LlmChoice::from_stored(message, reason)?;
        if let Some(before) = combined.take() {
            let mut text = before.content;
            join(&mut text, choice.content.as_deref());
            choice.content = text;
        }
        combined = Some(choice);
    }
    Ok(combined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::ToolCall;

    fn choice(text: Option<&str>, tools: &[&str]) -> LlmChoice {
        let call = |name: &&str| ToolCall {
            id: format!("call_{name}"),
            name: (*name).to_owned(),
            arguments: "{}".to_owned(),
            ..ToolCall::default()
        };
        LlmChoice {
            content: text.map(str::to_owned),
            tool_calls: tools.iter().map(call).collect(),
            finish_reason: Some(FinishReason::ToolCalls),
            ..LlmChoice::default()
        }
    }

    #[test]
    fn stored_turn_equals_the_response_of_its_client() {
        let assistant = |choice: &LlmChoice| {
            Message::from_stored(
                Role::Assistant,
                choice.to_stored("provider/model").expect("JSON"),
            )
        };
        let result = |call: &str| Message::tool_result(call, "result").expect("JSON");
        let user = Message::text(Role::User, "hello").expect("JSON");
        let turn = [
            result("call_of_an_earlier_turn"),
            assistant(&choice(Some("Wait."), &["time_now"])),
            result("call_time_now"),
            assistant(&choice(None, &["time_now", "weather"])),
            result("call_time_now"),
        ];
        let stored = stored_answer(&turn, Some(FinishReason::ToolCalls));
        let stored = stored.expect("readable").expect("a choice");
        assert_eq!(stored.content.as_deref(), Some("Wait."));
        let names: Vec<_> = stored.tool_calls.iter().map(|call| &call.name).collect();
        assert_eq!(names, ["weather"]);
        assert_eq!(stored.finish_reason, Some(FinishReason::ToolCalls));
        let empty = stored_answer(&[user, result("call_x")], None);
        assert_eq!(empty.expect("readable"), None);
    }
}
