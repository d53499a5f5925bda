//! Filters provider-specific members of messages, and signed reasoning: they are replayed only to the
//! model that produced them, because others could reject or misinterpret them.

use std::borrow::Cow;

use clawless_core::json::Json;
use clawless_core::llm::{
    CHOICE, CONTENT_BLOCKS, CarriedMembers, ClientText, ContentBlocks, LlmRequest, ORIGIN,
    Signature,
};
use clawless_core::members::Members;
use clawless_core::{Message, Role};
use serde::Deserialize;

use crate::anthropic::SIGNER;

/// Members of assistant messages that are safe for every model. Signed reasoning names its signer
/// itself.
const COMMON: [&str; 8] = [
    "role",
    "content",
    "name",
    "refusal",
    "thinking_blocks",
    "tool_calls",
    "function_call",
    "audio",
];

const COMMON_IN_CALLS: [&str; 4] = ["id", "type", "function", "custom"];

/// Members of a call's `function` and `custom`.
const COMMON_IN_FUNCTIONS: [&str; 3] = ["name", "arguments", "input"];

/// The request for the model at `provider`. Borrowed if no message has a known origin, which is
/// usual.
pub(crate) fn for_target<'a>(request: &'a LlmRequest, provider: &str) -> Cow<'a, LlmRequest> {
    if !request.messages.iter().any(has_origin) {
        return Cow::Borrowed(request);
    }
    let target = format!("{provider}/{}", request.model);
    let mut request = request.clone();
    for message in request.messages.iter_mut().filter(|it| has_origin(it)) {
        if let Some(blocks) = message.blocks() {
            if let Some(changed) = own_blocks(message.role(), blocks, &target) {
                *message = changed;
            }
        } else if let Some(raw) = without_foreign(message.raw(), &target) {
            *message = Message::from_stored(message.role(), raw);
        }
    }
    Cow::Owned(request)
}

fn has_origin(message: &Message) -> bool {
    let raw = message.raw().as_str();
    let names = [ORIGIN, CHOICE, CONTENT_BLOCKS, SIGNER];
    message.role() == Role::Assistant
        && (names.iter().any(|name| raw.contains(name))
            || Signature::may_be_in(raw)
            || CarriedMembers::may_be_in(raw))
}

/// A message of these blocks for the model: with the signatures as that wrote them, and with its own
/// members, which make it a message of chat completions. No other model gets either.
fn own_blocks(role: Role, blocks: Vec<Json>, target: &str) -> Option<Message> {
    let mut carried = Vec::new();
    let mut own = Vec::with_capacity(blocks.len());
    for block in blocks {
        match carried_by(&block) {
            Some(members) => carried.push(members),
            None => own.extend(own_signature(block, target)),
        }
    }
    carried.retain(|members| members.origin == target);
    let message = Message::from_blocks(role, &own).ok()?;
    if carried.is_empty() {
        return Some(message);
    }
    let in_chat_form = || {
        let message = message.to_chat_form().ok()??;
        let mut members: Members = message.raw().read().ok()?;
        CarriedMembers::add_to(&carried, &mut members).ok()?;
        let raw = Json::from_value(&members).ok()?;
        Some(Message::from_stored(role, raw))
    };
    in_chat_form().or(Some(message))
}

/// The members that a block carries.
fn carried_by(block: &Json) -> Option<CarriedMembers> {
    #[derive(Deserialize)]
    struct Carrier {
        data: String,
    }
    if !CarriedMembers::may_be_in(block.as_str()) {
        return None;
    }
    let carrier: Carrier = block.read().ok()?;
    CarriedMembers::parse(&carrier.data)
}

/// A content block that a client has returned, with the signature as its provider wrote it. Reasoning
/// that another model signed loses its signature, and is omitted if no other model can read it.
fn own_signature(block: Json, target: &str) -> Option<Json> {
    #[derive(Deserialize)]
    struct Thought {
        r#type: String,
        #[serde(default)]
        signature: Option<String>,
        #[serde(default)]
        data: Option<String>,
    }
    if !Signature::may_be_in(block.as_str()) {
        return Some(block);
    }
    let Ok(thought) = block.read::<Thought>() else {
        return Some(block);
    };
    let (name, text) = match thought.r#type.as_str() {
        "thinking" => ("signature", thought.signature),
        "redacted_thinking" => ("data", thought.data),
        _ => return Some(block),
    };
    let Some(signature) = text.and_then(|text| Signature::parse(&text)) else {
        return Some(block);
    };
    let is_own = signature.origin == target;
    if is_own && signature.signature.is_empty() {
        // Reasoning of a model that does not sign it. Its wire removes the mark.
        return Some(block);
    }
    if !is_own && name == "data" {
        return None;
    }
    let mut members: Members = block.read().ok()?;
    let member = members.0.iter_mut().find(|(known, _)| known == name)?;
    let text = if is_own {
        signature.signature
    } else {
        String::new()
    };
    member.1 = Json::from_value(&text).ok()?;
    Json::from_value(&members).ok()
}

/// Removes what another model has signed, and the content blocks of another model.
fn remove_foreign_blocks(members: &mut Members, target: &str) {
    members.0.retain_mut(|(name, value)| match name.as_str() {
        "thinking_blocks" => {
            let Ok(mut thoughts) = value.read::<Vec<Members>>() else {
                return true;
            };
            let count = thoughts.len();
            thoughts.retain(|thought| {
                let signer = thought.get(SIGNER).and_then(|it| it.read::<String>().ok());
                signer.is_none_or(|signer| signer == target)
            });
            if thoughts.len() < count
                && let Ok(own) = Json::from_value(&thoughts)
            {
                *value = own;
            }
            !thoughts.is_empty() || count == 0
        }
        CONTENT_BLOCKS => value
            .read::<ContentBlocks>()
            .map_or(true, |blocks| blocks.origin == target),
        _ => true,
    });
}

/// The message without its origin and, if that is another model, without provider-specific members.
fn without_foreign(message: &Json, target: &str) -> Option<Json> {
    let mut members: Members = message.read().ok()?;
    // A client may send any value, and one member without the other.
    remove_foreign_blocks(&mut members, target);
    let Some(origin) = members.get(ORIGIN) else {
        return Json::from_value(&members.without(&[CHOICE])).ok();
    };
    let origin: Option<String> = origin.read().ok();
    members = members.without(&[ORIGIN, CHOICE]);
    if origin.as_deref() != Some(target) {
        keep(&mut members, &COMMON);
        for (name, value) in &mut members.0 {
            if name == "tool_calls"
                && let Ok(mut calls) = value.read::<Vec<Members>>()
            {
                for call in &mut calls {
                    keep(call, &COMMON_IN_CALLS);
                    for (_, value) in &mut call.0 {
                        if let Ok(mut function) = value.read::<Members>() {
                            keep(&mut function, &COMMON_IN_FUNCTIONS);
                            *value = Json::from_value(&function).ok()?;
                        }
                    }
                }
                *value = Json::from_value(&calls).ok()?;
            }
        }
    }
    Json::from_value(&members).ok()
}

fn keep(members: &mut Members, names: &[&str]) {
    members.0.retain(|(name, _)| names.contains(&name.as_str()));
}

#[cfg(test)]
mod tests {
    use clawless_core::chat::ChatOptions;

    use super::*;

    fn sent(provider: &str, model: &str, message: &str) -> String {
        let raw = Json::parse(message.to_owned()).expect("JSON");
        let request = LlmRequest {
            model: model.to_owned(),
            messages: vec![Message::from_stored(Role::Assistant, raw)],
            options: ChatOptions::default(),
        };
        let request = for_target(&request, provider);
        request.messages[0].raw().as_str().to_owned()
    }

    #[test]
    fn members_are_replayed_only_to_the_model_that_produced_them() {
        let stored = r#"{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}","signature":"S"},"extra_content":{"google":{"thought_signature":"E"}}}],"reasoning_details":[1],"clawless_choice":{"native_finish_reason":"x"},"clawless_origin":"p/m"}"#;
        let ours = r#","clawless_choice":{"native_finish_reason":"x"},"clawless_origin":"p/m""#;
        let own = stored.replace(ours, "");
        assert_eq!(sent("p", "m", stored), own);
        let foreign = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
        for (provider, model) in [("p", "other"), ("other", "m")] {
            assert_eq!(sent(provider, model, stored), foreign);
        }
        assert_eq!(sent("other", "m", &own), own, "a client's own message");
        for forged in ["5", "null", "{}", r#"["p/m"]"#] {
            let origin = format!(r#""clawless_origin":{forged}"#);
            let forged = stored.replace(r#""clawless_origin":"p/m""#, &origin);
            assert_eq!(sent("p", "m", &forged), foreign);
        }
        let without_origin = stored.replace(r#","clawless_origin":"p/m""#, "");
        assert_eq!(sent("p", "m", &without_origin), own);
        let text = r#"{"role":"assistant","content":"clawless_origin","x":1}"#;
        assert_eq!(sent("p", "m", text), text);
    }

    #[test]
    fn signed_reasoning_and_content_blocks_reach_no_other_model_even_without_an_origin() {
        let message = r#"{"role":"assistant","content":"a","thinking_blocks":[{"signature":"S","signed_by":"p/m"},{"signature":"U"}],"content_blocks":{"origin":"p/m","blocks":[{"type":"x"}]}}"#;
        assert_eq!(sent("p", "m", message), message);
        let foreign = r#"{"role":"assistant","content":"a","thinking_blocks":[{"signature":"U"}]}"#;
        for (provider, model) in [("p", "other"), ("other", "m")] {
            assert_eq!(sent(provider, model, message), foreign);
        }
        let alone = r#"{"role":"assistant","content":"a","thinking_blocks":[{"signature":"S","signed_by":"p/m"}]}"#;
        assert_eq!(
            sent("q", "m", alone),
            r#"{"role":"assistant","content":"a"}"#
        );
        let of_provider = r#"{"role":"assistant","content":"a","content_blocks":[1]}"#;
        assert_eq!(sent("q", "m", of_provider), of_provider);
    }

    #[test]
    fn members_that_a_client_returns_reach_their_model_only() {
        let carried = |origin: &str, members: &str, calls: &str| {
            let text = format!(r#"{{"origin":"{origin}","members":{members},"calls":{calls}}}"#);
            let carried: CarriedMembers = serde_json::from_str(&text).expect("JSON");
            let data = Json::from_value(&carried.to_text()).expect("JSON");
            format!(r#"{{"type":"redacted_thinking","data":{}}}"#, data.as_str())
        };
        let message = |blocks: &[&str]| {
            let blocks = blocks.iter().map(|it| Json::parse((*it).to_owned()));
            let blocks: Vec<Json> = blocks.collect::<Result<_, _>>().expect("JSON");
            let message = Message::from_blocks(Role::Assistant, &blocks).expect("a message");
            message.raw().as_str().to_owned()
        };
        let call = r#"{"type":"tool_use","id":"c","name":"f","input":{}}"#;
        let thinking = r#"{"type":"thinking","thinking":"hm","signature":""}"#;
        let first = carried("p/m", r#"{"reasoning_details":[1]}"#, "[]");
        let second = carried(
            "p/m",
            "{}",
            r#"[{"id":"c","members":{"extra_content":{"s":"S"}}}]"#,
        );
        let forged = carried("q/m", r#"{"x":1}"#, "[]");
        let returned = message(&[&first, thinking, &second, &forged, call]);
        let own = r#"{"role":"assistant","content":null,"reasoning_content":"hm","thinking_blocks":[{"type":"thinking","thinking":"hm","signature":""}],"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"s":"S"}}],"reasoning_details":[1]}"#;
        assert_eq!(sent("p", "m", &returned), own);
        for (provider, model) in [("p", "other"), ("other", "m")] {
            assert_eq!(sent(provider, model, &returned), message(&[thinking, call]));
        }
    }

    #[test]
    fn unsigned_reasoning_of_a_model_keeps_its_mark_for_its_own_wire() {
        let (origin, signature) = ("p/m".to_owned(), String::new());
        let text = Json::from_value(&Signature { origin, signature }.to_text()).expect("JSON");
        let block = |signature: &str| {
            let text = format!(r#"{{"type":"thinking","thinking":"hm","signature":{signature}}}"#);
            let block = Json::parse(text).expect("JSON");
            let message = Message::from_blocks(Role::Assistant, &[block]).expect("a message");
            message.raw().as_str().to_owned()
        };
        assert_eq!(sent("p", "m", &block(text.as_str())), block(text.as_str()));
        assert_eq!(sent("q", "m", &block(text.as_str())), block("\"\""));
    }

    #[test]
    fn a_signature_that_a_client_returns_reaches_its_model_as_that_wrote_it_and_no_other() {
        let named = |signature: &str| {
            let (origin, signature) = ("p/m".to_owned(), signature.to_owned());
            Json::from_value(&Signature { origin, signature }.to_text()).expect("JSON")
        };
        let blocks = |signature: &str, data: &str| {
            let text = format!(
                r#"[{{"type":"thinking","thinking":"hm","signature":{signature}}},{{"type":"redacted_thinking","data":{data}}},{{"type":"text","text":"a"}}]"#
            );
            let blocks: Vec<Json> = serde_json::from_str(&text).expect("JSON");
            let message = Message::from_blocks(Role::Assistant, &blocks).expect("a message");
            message.raw().as_str().to_owned()
        };
        let returned = blocks(named("S==").as_str(), named("D").as_str());
        assert_eq!(sent("p", "m", &returned), blocks("\"S==\"", "\"D\""));
        let unsigned = r#"{"role":"assistant","clawless_blocks":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"a"}]}"#;
        for (provider, model) in [("p", "other"), ("other", "m")] {
            assert_eq!(sent(provider, model, &returned), unsigned);
        }
        let own = blocks("\"S==\"", "\"D\"");
        assert_eq!(sent("q", "m", &own), own, "signed elsewhere");
    }
}
