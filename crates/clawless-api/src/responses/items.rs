//! Input items as chat messages.

use clawless_core::chat::{InvalidMessage, Message, Role};
use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::tool::CallForm;
use clawless_core::{ApiError, ErrorCode};

use super::carrier::Carrier;
use super::content;
use super::draft::{Call, Draft, Drafted};
use super::ignored::Ignored;
use super::namespaces::joined;
use super::object_text::ObjectText;
use super::reader::Reader;

/// Members of items that say nothing to a model.
const LABELS: [&str; 3] = ["id", "status", "created_by"];

/// The member of messages that holds content blocks, which this surface does not take.
const BLOCKS: &str = "clawless_blocks";

/// Members of items that chat completions do not have.
const UNSENT: [&str; 3] = ["phase", "caller", "async"];

/// Reads the parameter `input`. `known` has the items that references may name, by their id.
///
/// # Errors
/// 400 that names the item or member; 404 for a reference to an unknown item.
pub(super) fn read(
    input: &Json,
    known: &[(String, Json)],
    ignored: &mut Ignored,
) -> Result<Vec<Message>, ApiError> {
    if input.as_str().starts_with('"') {
        let text: String = input.read().map_err(|_| wrong_type())?;
        let message = Message::text(Role::User, &text).map_err(ApiError::internal)?;
        return Ok(vec![message]);
    }
    let items: Vec<Json> = input.read().map_err(|_| wrong_type())?;
    let mut messages = Messages {
        ignored,
        done: Vec::with_capacity(items.len()),
        draft: Draft::default(),
    };
    for (at, item) in items.iter().enumerate() {
        let item = Reader::new(item, format!("input[{at}]"))?;
        messages.add(item, known)?;
    }
    messages.finish_draft("input")?;
    if messages.done.is_empty() {
        let message = "`input` must contain at least one item that a model can read.";
        return Err(ApiError::new(ErrorCode::InvalidValue, message).param("input"));
    }
    Ok(messages.done)
}

/// The ids of the items that `input` refers to.
pub(super) fn references(input: &Json) -> Vec<String> {
    // Most inputs have none; those are not read twice.
    if !input.as_str().contains("item_reference") {
        return Vec::new();
    }
    let items: Vec<Members> = input.read().unwrap_or_default();
    let text = |item: &Members, name: &str| item.get(name).and_then(|it| it.read::<String>().ok());
    let is_reference = |item: &&Members| text(item, "type").as_deref() == Some("item_reference");
    let references = items.iter().filter(is_reference);
    references.filter_map(|item| text(item, "id")).collect()
}

fn wrong_type() -> ApiError {
    let message = "Invalid `input`: expected a string or an array of items.";
    ApiError::new(ErrorCode::InvalidType, message).param("input")
}

/// The messages of an input that is being read.
struct Messages<'a> {
    ignored: &'a mut Ignored,
    done: Vec<Message>,
    draft: Draft,
}

impl Messages<'_> {
    fn add(&mut self, mut item: Reader, known: &[(String, Json)]) -> Result<(), ApiError> {
        let kind = item.take::<String>("type")?;
        let kind = kind.as_deref().unwrap_or("message");
        for name in UNSENT {
            if item.has(name) {
                self.ignored.add(format!("input.{name}"));
            }
        }
        match kind {
            "message" => self.add_message(item),
            "function_call" => self.add_call(item, CallForm::Function),
            "custom_tool_call" => self.add_call(item, CallForm::Custom),
            "function_call_output" | "custom_tool_call_output" => self.add_output(item),
            "reasoning" => self.add_reasoning(item),
            "item_reference" => {
                let id: String = item.require("id")?;
                let Some((_, found)) = known.iter().find(|(name, _)| *name == id) else {
                    let message = format!("There is no item with the id `{id}`.");
                    let error = ApiError::new(ErrorCode::ResourceNotFound, message);
                    return Err(error.param(item.path_of("id")));
                };
                let found = Reader::new(found, item.path().to_owned())?;
                // What is stored holds no references.
                self.add(found, &[])
            }
            _ => {
                Err(item.unsupported("type", &format!("items of type `{kind}` are not supported")))
            }
        }
    }

    fn add_message(&mut self, mut item: Reader) -> Result<(), ApiError> {
        let role: String = item.require("role")?;
        let content: Json = item.require("content")?;
        let path = item.path_of("content");
        let parts = content::read(&content, &path, self.ignored)?;
        let role = match role.as_str() {
            "user" => Role::User,
            "system" => Role::System,
            "developer" => Role::Developer,
            "assistant" => Role::Assistant,
            _ => {
                let reason = "expected `user`, `assistant`, `system` or `developer`";
                return Err(item.unsupported("role", reason));
            }
        };
        let path = item.path().to_owned();
        let members = rest(item)?;
        if role == Role::Assistant {
            if self.draft.is_closed_to_content() {
                self.finish_draft(&path)?;
            }
            self.draft.add_content(parts, members);
            return Ok(());
        }
        let message = ObjectText::new()
            .text("role", role.as_str())
            .raw("content", &content::join(&parts))
            .members(&members.without(&["role", "content", "tool_calls", "tool_call_id"]));
        self.push(message, &path)
    }

    fn add_call(&mut self, mut item: Reader, form: CallForm) -> Result<(), ApiError> {
        let text = match form {
            CallForm::Custom => "input",
            CallForm::Function | CallForm::Older => "arguments",
        };
        let name: String = item.require("name")?;
        let call = Call {
            id: item.require("call_id")?,
            name: match item.take::<String>("namespace")? {
                Some(namespace) => joined(&namespace, &name),
                None => name,
            },
            text: item.require(text)?,
            form,
            members: rest(item)?,
        };
        self.draft.add_call(call);
        Ok(())
    }

    fn add_output(&mut self, mut item: Reader) -> Result<(), ApiError> {
        let call: String = item.require("call_id")?;
        let output: Json = item.require("output")?;
        let path = item.path_of("output");
        let parts = content::read(&output, &path, self.ignored)?;
        let message = ObjectText::new()
            .text("role", "tool")
            .text("tool_call_id", &call)
            .raw("content", &content::join(&parts));
        self.push(message, item.path())
    }

    fn add_reasoning(&mut self, mut item: Reader) -> Result<(), ApiError> {
        let content: Option<String> = item.take("encrypted_content")?;
        let carrier = content.as_deref().and_then(Carrier::decode);
        if content.is_some() && carrier.is_none() {
            self.ignored.add("input.encrypted_content");
        }
        let mut text = String::new();
        for name in ["content", "summary"] {
            let parts: Vec<Json> = item.take(name)?.unwrap_or_default();
            // The summary says less than the text that it summarises.
            let is_known = !text.is_empty();
            for (at, part) in parts.iter().enumerate().filter(|_| !is_known) {
                let mut part = Reader::new(part, format!("{}[{at}]", item.path_of(name)))?;
                if !text.is_empty() {
                    text.push_str("\n\n");
                }
                text.push_str(&part.require::<String>("text")?);
            }
        }
        let (has_text, has_carrier) = (!text.is_empty(), carrier.is_some());
        if self.draft.is_closed_to_reasoning(has_text, has_carrier) {
            self.finish_draft(item.path())?;
        }
        self.draft.add_reasoning(has_text.then_some(text), carrier);
        Ok(())
    }

    fn push(&mut self, message: ObjectText, path: &str) -> Result<(), ApiError> {
        self.finish_draft(path)?;
        let raw = message.into_json();
        let raw = raw.ok_or_else(|| ApiError::internal("an item was not written as JSON"))?;
        self.done.push(check(raw, path)?);
        Ok(())
    }

    /// Ends the answer before the item at `path`.
    fn finish_draft(&mut self, path: &str) -> Result<(), ApiError> {
        match std::mem::take(&mut self.draft).finish() {
            Drafted::Nothing => {}
            Drafted::ReasoningOnly => self.ignored.add("input.reasoning"),
            Drafted::Message(raw) => self.done.push(check(raw, path)?),
        }
        Ok(())
    }
}

/// Validates a message that was built from items up to `path`.
fn check(raw: Json, path: &str) -> Result<Message, ApiError> {
    Message::parse(raw).map_err(|InvalidMessage { reason, .. }| {
        let message = format!("Invalid `{path}`: {reason}.");
        ApiError::new(ErrorCode::InvalidValue, message).param(path)
    })
}

/// The members of an item that have no meaning here.
fn rest(item: Reader) -> Result<Members, ApiError> {
    let reserved = item.unsupported(BLOCKS, "it is reserved");
    let members = item.rest(&[&LABELS[..], &UNSENT[..]].concat());
    match members.get(BLOCKS) {
        None => Ok(members),
        Some(_) => Err(reserved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> (Vec<String>, Vec<String>) {
        let input = Json::parse(input.to_owned()).expect("JSON");
        let mut ignored = Ignored::default();
        let messages = super::read(&input, &[], &mut ignored).expect("valid");
        let messages = messages.iter().map(|it| it.raw().as_str().to_owned());
        (messages.collect(), ignored.into_names())
    }

    fn error_of(input: &str) -> (u16, Option<String>) {
        let input = Json::parse(input.to_owned()).expect("JSON");
        let error = super::read(&input, &[], &mut Ignored::default()).expect_err("invalid");
        (error.status(), error.param)
    }

    #[test]
    fn a_text_is_a_message_of_the_user() {
        assert_eq!(read(r#""hi""#).0, [r#"{"role":"user","content":"hi"}"#]);
    }

    #[test]
    fn items_of_one_answer_become_one_message() {
        let (messages, ignored) = read(
            r#"[{"role":"developer","content":"be kind"},
            {"type":"message","role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"https://x/y.png","detail":"low"},{"type":"input_file","filename":"a.pdf","file_data":"data:x"}]},
            {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}]},
            {"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"commentary","content":[{"type":"output_text","text":"I look","annotations":[],"logprobs":[]}]},
            {"type":"function_call","id":"fc_1","call_id":"c1","name":"read","arguments":"{}","status":"completed"},
            {"type":"custom_tool_call","call_id":"c2","name":"patch","input":"*** x"},
            {"type":"function_call_output","call_id":"c1","output":"done"},
            {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"ok"}]}]"#,
        );
        assert_eq!(
            messages,
            [
                r#"{"role":"developer","content":"be kind"}"#,
                r#"{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},{"type":"file","file":{"file_data":"data:x","filename":"a.pdf"}}]}"#,
                r#"{"role":"assistant","content":"I look","reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"read","arguments":"{}"}},{"id":"c2","type":"custom","custom":{"name":"patch","input":"*** x"}}]}"#,
                r#"{"role":"tool","tool_call_id":"c1","content":"done"}"#,
                r#"{"role":"tool","tool_call_id":"c2","content":"ok"}"#,
            ]
        );
        assert_eq!(ignored, ["input.phase"]);
    }

    #[test]
    fn answers_of_different_turns_stay_apart() {
        let (messages, ignored) = read(
            r#"[{"role":"assistant","content":"one"},{"role":"assistant","content":"two"},
            {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"role":"assistant","content":"three"},
            {"type":"function_call_output","call_id":"c","output":"1"},
            {"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},
            {"role":"user","content":"go on"}]"#,
        );
        assert_eq!(
            messages,
            [
                r#"{"role":"assistant","content":"one"}"#,
                r#"{"role":"assistant","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
                r#"{"role":"tool","tool_call_id":"c","content":"1"}"#,
                r#"{"role":"user","content":"go on"}"#,
            ]
        );
        assert_eq!(ignored, ["input.reasoning"]);
    }

    #[test]
    fn opaque_members_return_to_the_message_that_they_came_with() {
        let carrier = Carrier {
            origin: "p/m".to_owned(),
            thinking_blocks: Json::parse(r#"[{"signature":"S"}]"#.to_owned()).ok(),
            calls: Members(vec![(
                "c".to_owned(),
                Json::parse(r#"{"extra":1,"function":{"sig":"F"}}"#.to_owned()).expect("JSON"),
            )]),
            ..Carrier::default()
        };
        let content = serde_json::to_string(&carrier.encode()).expect("JSON");
        let input = format!(
            r#"[{{"type":"reasoning","summary":[],"encrypted_content":{content}}},
            {{"type":"function_call","call_id":"c","name":"f","arguments":"{{}}"}}]"#
        );
        let expected = r#"{"role":"assistant","content":null,"thinking_blocks":[{"signature":"S"}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}","sig":"F"},"extra":1}],"clawless_origin":"p/m"}"#;
        assert_eq!(read(&input), (vec![expected.to_owned()], Vec::new()));
        let foreign = r#"[{"type":"reasoning","summary":[],"encrypted_content":"gAAAA"},{"role":"assistant","content":"a"}]"#;
        assert_eq!(read(foreign).1, ["input.encrypted_content"]);
    }

    #[test]
    fn invalid_item_is_named() {
        for (input, param) in [
            ("5", "input"),
            ("[]", "input"),
            ("[5]", "input[0]"),
            (r#"[{"role":"user"}]"#, "input[0].content"),
            (
                r#"[{"role":"user","role":"user","content":"a"}]"#,
                "input[0]",
            ),
            (r#"[{"role":"tool","content":"a"}]"#, "input[0].role"),
            (r#"[{"role":"user","content":[]}]"#, "input[0]"),
            (
                r#"[{"role":"user","content":"a","clawless_blocks":null}]"#,
                "input[0].clawless_blocks",
            ),
            (
                r#"[{"role":"assistant","content":"a","clawless_blocks":[]}]"#,
                "input[0].clawless_blocks",
            ),
            (
                r#"[{"role":"user","content":[{"type":"hologram"}]}]"#,
                "input[0].content[0].type",
            ),
            (
                r#"[{"role":"user","content":[{"type":"input_image","file_id":"f"}]}]"#,
                "input[0].content[0].file_id",
            ),
            (
                r#"[{"role":"user","content":[{"type":"input_file","file_url":"https://x"}]}]"#,
                "input[0].content[0].file_url",
            ),
            (r#"[{"type":"web_search_call","id":"w"}]"#, "input[0].type"),
            (
                r#"[{"type":"function_call","name":"f","arguments":"{}"}]"#,
                "input[0].call_id",
            ),
            (
                r#"[{"type":"function_call_output","output":"x"}]"#,
                "input[0].call_id",
            ),
        ] {
            assert_eq!(error_of(input), (400, Some(param.to_owned())), "{input}");
        }
        let reference = r#"[{"type":"item_reference","id":"msg_x_0"}]"#;
        assert_eq!(error_of(reference), (404, Some("input[0].id".to_owned())));
    }

    #[test]
    fn references_are_replaced_by_the_items_that_they_name() {
        let input = r#"[{"type":"item_reference","id":"a"},{"type":"item_reference","id":"b"},{"role":"user","content":"go on"}]"#;
        let input = Json::parse(input.to_owned()).expect("JSON");
        assert_eq!(references(&input), ["a", "b"]);
        let item = |text: &str| Json::parse(text.to_owned()).expect("JSON");
        let known = [
            (
                "a".to_owned(),
                item(r#"{"type":"message","role":"assistant","content":"x"}"#),
            ),
            (
                "b".to_owned(),
                item(r#"{"type":"function_call","call_id":"c","name":"f","arguments":""}"#),
            ),
        ];
        let messages = super::read(&input, &known, &mut Ignored::default()).expect("valid");
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].role(), Role::Assistant);
    }
}
