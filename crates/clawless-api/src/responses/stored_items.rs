//! Stored messages as items, for the lists of a response's input and of a conversation.

use clawless_core::chat::{Message, Role};
use clawless_core::json::Json;
use clawless_core::llm::LlmChoice;
use clawless_core::members::{Members, MergedMembers};
use serde::Deserialize;

use super::ids::{ItemKind, item_id};
use super::object_text::{ObjectText, list};
use super::output::{Call, Item, ItemContent, OutputMessage, Part, Reasoning, Status};

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedItem {
    /// The item's id.
    pub id: String,
    /// The item as JSON.
    pub text: String,
}

/// The items of a stored message. `owner` is the id of the message: the ids of the items follow from
/// it.
///
/// # Errors
/// The message has another form than a chat message.
pub fn items_of(message: &Message, owner: &str) -> Result<Vec<ListedItem>, serde_json::Error> {
    // Sessions may have turns of the Messages surface too.
    let in_chat_form = message.to_chat_form().ok().flatten();
    let message = in_chat_form.as_ref().unwrap_or(message);
    match message.role() {
        Role::Assistant => items_of_answer(message, owner),
        Role::Tool | Role::Function => output_of(message, owner).map(|item| vec![item]),
        Role::Developer | Role::System | Role::User => {
            input_of(message, owner).map(|item| vec![item])
        }
    }
}

fn input_of(message: &Message, owner: &str) -> Result<ListedItem, serde_json::Error> {
    let id = item_id(ItemKind::Message, owner, 0);
    let item = ObjectText::new()
        .text("id", &id)
        .text("type", "message")
        .text("role", message.role().as_str())
        .text("status", "completed")
        .list("content", &parts(message)?);
    let text = item.end();
    Ok(ListedItem { id, text })
}

fn output_of(message: &Message, owner: &str) -> Result<ListedItem, serde_json::Error> {
    let id = item_id(ItemKind::FunctionOutput, owner, 0);
    let call = message.view()?.tool_call_id.unwrap_or_default();
    let content = content(message)?;
    let output = match content.filter(|content| content.as_str().starts_with('"')) {
        Some(text) => text.as_str().to_owned(),
        None => list(&parts(message)?),
    };
    let item = ObjectText::new()
        .text("id", &id)
        .text("type", "function_call_output")
        .text("call_id", &call)
        .raw("output", &output)
        .text("status", "completed");
    let text = item.end();
    Ok(ListedItem { id, text })
}

fn items_of_answer(message: &Message, owner: &str) -> Result<Vec<ListedItem>, serde_json::Error> {
    let choice = LlmChoice::from_stored(message, None)?;
    let mut contents = Vec::new();
    if let Some(text) = choice.reasoning {
        contents.push(ItemContent::Reasoning(Reasoning {
            text,
            ..Reasoning::default()
        }));
    }
    let texts = [(false, choice.content), (true, choice.refusal)];
    let texts = texts.into_iter().filter_map(|(is_refusal, text)| {
        let text = text.filter(|text| !text.is_empty())?;
        Some(Part { is_refusal, text })
    });
    let parts: Vec<Part> = texts.collect();
    if !parts.is_empty() {
        contents.push(ItemContent::Message(OutputMessage {
            parts,
            logprobs: Vec::new(),
        }));
    }
    for (position, call) in (0..).zip(choice.tool_calls) {
        let mut members = MergedMembers::default();
        members.add(&call.members);
        contents.push(ItemContent::Call(Call {
            position,
            form: call.form,
            call_id: call.id,
            name: call.name,
            namespace: None,
            text: call.arguments,
            members,
        }));
    }
    let mut items: Vec<Item> = Vec::new();
    for content in contents {
        let kind = content.kind();
        let same = items.iter().filter(|it| it.content.kind() == kind).count();
        items.push(Item::new(content, owner, same));
    }
    let items = items.into_iter().map(|item| ListedItem {
        text: item.to_text(Status::Completed, &choice.members),
        id: item.id,
    });
    Ok(items.collect())
}

fn content(message: &Message) -> Result<Option<Json>, serde_json::Error> {
    let members: Members = message.raw().read()?;
    Ok(members.get("content").cloned())
}

/// The parts of a message under this surface's names.
fn parts(message: &Message) -> Result<Vec<String>, serde_json::Error> {
    let Some(content) = content(message)? else {
        return Ok(Vec::new());
    };
    if let Ok(text) = content.read::<String>() {
        return Ok(vec![
            ObjectText::of_type("input_text").text("text", &text).end(),
        ]);
    }
    let parts: Vec<Json> = content.read()?;
    parts.iter().map(part).collect()
}

fn part(part: &Json) -> Result<String, serde_json::Error> {
    #[derive(Deserialize)]
    struct Image {
        url: String,
        detail: Option<String>,
    }
    let mut members: Members = part.read()?;
    let kind: String = match members.get("type") {
        Some(kind) => kind.read()?,
        None => String::new(),
    };
    let object = match kind.as_str() {
        "text" => ObjectText::of_type("input_text"),
        "image_url" => {
            let Some(Ok(image)) = members.get("image_url").map(Json::read::<Image>) else {
                return Ok(part.as_str().to_owned());
            };
            members = members.without(&["image_url"]);
            ObjectText::of_type("input_image")
                .text("image_url", &image.url)
                .text("detail", image.detail.as_deref().unwrap_or("auto"))
        }
        "file" => {
            let file = members.take_object("file");
            ObjectText::of_type("input_file").members(&file)
        }
        _ => return Ok(part.as_str().to_owned()),
    };
    Ok(object.members(&members.without(&["type"])).end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV";

    fn items(message: &str) -> Vec<String> {
        let raw = Json::parse(message.to_owned()).expect("JSON");
        let message = Message::parse(raw).expect("valid");
        let items = items_of(&message, OWNER).expect("readable");
        items.into_iter().map(|item| item.text).collect()
    }

    #[test]
    fn what_was_sent_is_listed_as_it_was_sent() {
        assert_eq!(
            items(
                r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x"}},{"type":"file","file":{"file_data":"data:x","filename":"f"}}]}"#
            ),
            [
                r#"{"id":"msg_01ARZ3NDEKTSV4RRFFQ69G5FAV_0","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"https://x","detail":"auto"},{"type":"input_file","file_data":"data:x","filename":"f"}]}"#
            ]
        );
        assert_eq!(
            items(r#"{"role":"tool","tool_call_id":"c","content":"1"}"#),
            [
                r#"{"id":"fco_01ARZ3NDEKTSV4RRFFQ69G5FAV_0","type":"function_call_output","call_id":"c","output":"1","status":"completed"}"#
            ]
        );
    }

    #[test]
    fn content_blocks_are_listed_as_items() {
        let block = |text: &str| Json::parse(text.to_owned()).expect("JSON");
        let list = |role, blocks: &[Json]| {
            let message = Message::from_blocks(role, blocks).expect("a message");
            let items = items_of(&message, OWNER).expect("readable");
            let items = items.into_iter();
            let mut items: Vec<Members> = items
                .map(|item| block(&item.text).read().expect("an object"))
                .collect();
            items.remove(0)
        };
        let user = list(Role::User, &[block(r#"{"type":"text","text":"a"}"#)]);
        let content = user.get("content").map(Json::as_str);
        assert_eq!(content, Some(r#"[{"type":"input_text","text":"a"}]"#));
        let call = r#"{"type":"tool_use","id":"c","name":"f","input":{}}"#;
        let call = list(Role::Assistant, &[block(call)]);
        assert_eq!(call.get("call_id").map(Json::as_str), Some(r#""c""#));
        let result = r#"{"type":"tool_result","tool_use_id":"c","content":"1"}"#;
        let result = list(Role::Tool, &[block(result)]);
        assert_eq!(result.get("output").map(Json::as_str), Some(r#""1""#));
    }

    #[test]
    fn an_answer_is_listed_as_several_items() {
        assert_eq!(
            items(
                r#"{"role":"assistant","content":"ok","reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#
            ),
            [
                r#"{"id":"rs_01ARZ3NDEKTSV4RRFFQ69G5FAV_0","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}],"status":"completed"}"#,
                r#"{"id":"msg_01ARZ3NDEKTSV4RRFFQ69G5FAV_0","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ok","annotations":[],"logprobs":[]}]}"#,
                r#"{"id":"fc_01ARZ3NDEKTSV4RRFFQ69G5FAV_0","type":"function_call","status":"completed","arguments":"{}","call_id":"c","name":"f"}"#,
            ]
        );
    }
}
