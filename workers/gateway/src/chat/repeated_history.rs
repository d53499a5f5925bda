//! Requests that name a session and send its whole history too, as clients of other services do.
//! The history is recognised, so that it does not double with every turn.

use clawless_core::chat::{Content, Message, MessageView, Role};

use super::system_prompt::is_system;

/// How many messages at the beginning of a request repeat the history. System messages are not
/// compared. A request that repeats only a part of the history repeats nothing.
pub(super) fn repeated<'a>(
    history: impl Iterator<Item = &'a Message>,
    request: &[Message],
) -> usize {
    let history: Vec<&Message> = history.filter(|it| !is_system(it)).collect();
    let has_answer = history.iter().any(|it| it.role() == Role::Assistant);
    let others = request.iter().filter(|it| !is_system(it)).count();
    if !has_answer || others <= history.len() {
        return 0;
    }
    let mut stored = history.into_iter().peekable();
    for (position, message) in request.iter().enumerate() {
        let Some(next) = stored.peek() else {
            return position;
        };
        if is_system(message) {
            continue;
        }
        if !is_same(next, message) {
            return 0;
        }
        stored.next();
    }
    0
}

/// Whether two messages say the same. Clients do not send every member back.
fn is_same(stored: &Message, sent: &Message) -> bool {
    if stored.role() != sent.role() {
        return false;
    }
    if stored.raw() == sent.raw() {
        return true;
    }
    match (stored.view(), sent.view()) {
        (Ok(stored), Ok(sent)) => content(&stored) == content(&sent),
        _ => false,
    }
}

type Said = (String, usize, Vec<(String, String)>, Option<String>);

/// The texts, the number of other parts, the calls, and the answered call.
fn content(view: &MessageView) -> Said {
    let texts: Vec<&str> = view.content.iter().flat_map(Content::texts).collect();
    let parts = match &view.content {
        Some(Content::Parts(parts)) => parts.len() - texts.len(),
        _ => 0,
    };
    let calls = view.tool_calls.iter().flatten();
    let calls = calls.map(|call| {
        let function = call.function.as_ref();
        let name = function.map(|it| it.name.clone());
        (call.id.clone(), name.unwrap_or_default())
    });
    (
        texts.join("\n"),
        parts,
        calls.collect(),
        view.tool_call_id.clone(),
    )
}

#[cfg(test)]
mod tests {
    use clawless_core::json::Json;

    use super::*;

    fn text(role: Role, text: &str) -> Message {
        Message::text(role, text).expect("a message")
    }

    #[test]
    fn a_request_with_the_whole_history_repeats_it() {
        let raw = r#"{"role":"assistant","content":"ok","refusal":null}"#;
        let raw = Json::parse(raw.to_owned()).expect("JSON");
        let history = [
            text(Role::User, "one"),
            Message::from_stored(Role::Assistant, raw),
        ];
        let system = text(Role::System, "terse");
        let (one, ok) = (text(Role::User, "one"), text(Role::Assistant, "ok"));
        let two = text(Role::User, "two");
        let whole = [one.clone(), ok.clone(), two.clone()];
        assert_eq!(repeated(history.iter(), &whole), 2);
        let whole = [system, one.clone(), ok.clone(), two.clone()];
        assert_eq!(repeated(history.iter(), &whole), 3);
        assert_eq!(repeated(history.iter(), &[one.clone(), ok]), 0);
        assert_eq!(repeated(history.iter(), &[one, two.clone()]), 0);
        assert_eq!(repeated(history.iter(), &[two]), 0);
    }
}
