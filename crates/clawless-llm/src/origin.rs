//! Filters provider-specific members of stored messages: they are replayed only to the model that
//! produced them, because others could reject or misinterpret them.

use std::borrow::Cow;

use clawless_core::json::Json;
use clawless_core::llm::{CHOICE, LlmRequest, ORIGIN};
use clawless_core::members::Members;
use clawless_core::{Message, Role};

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
        if let Some(raw) = without_foreign(message.raw(), &target) {
            *message = Message::from_stored(message.role(), raw);
        }
    }
    Cow::Owned(request)
}

fn has_origin(message: &Message) -> bool {
    let raw = message.raw().as_str();
    message.role() == Role::Assistant && (raw.contains(ORIGIN) || raw.contains(CHOICE))
}

/// The message without its origin and, if that is another model, without provider-specific members.
fn without_foreign(message: &Json, target: &str) -> Option<Json> {
    let mut members: Members = message.read().ok()?;
    // A client may send any value, and one member without the other.
    let Some(origin) = members.get(ORIGIN) else {
        members.get(CHOICE)?;
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
}
