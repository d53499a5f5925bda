//! System messages of a conversation: the prompts of tenant and session, and the client's own, which
//! SDKs repeat with every turn of a session. Many servers take one system message, at the front.

use clawless_core::ApiError;
use clawless_core::chat::{Content, Message, Role};

/// Whether a message is the application's.
pub(super) fn is_system(message: &Message) -> bool {
    matches!(message.role(), Role::System | Role::Developer)
}

/// Removes the client's earlier system messages from a history: those of the request replace them;
/// otherwise the newest one is kept.
pub(super) fn remove_outdated(history: &mut Vec<Message>, request: &[Message]) {
    let newest = history.iter().rposition(is_system);
    let is_replaced = request.iter().any(is_system);
    let mut position = 0;
    history.retain(|message| {
        let is_newest = Some(position) == newest;
        position += 1;
        !is_system(message) || (is_newest && !is_replaced)
    });
}

/// The messages of a request that its session stores: without system messages that it already ends
/// with.
pub(super) fn to_store<'a>(
    history: impl DoubleEndedIterator<Item = &'a Message>,
    request: &[Message],
) -> Vec<Message> {
    let repeated: Vec<&Message> = request.iter().filter(|it| is_system(it)).collect();
    let stored = history.rev().filter(|it| is_system(it));
    let mut stored: Vec<&Message> = stored.take(repeated.len()).collect();
    stored.reverse();
    let is_stored = !repeated.is_empty() && stored == repeated;
    let messages = request.iter().filter(|it| !is_stored || !is_system(it));
    messages.cloned().collect()
}

/// Merges the system messages of a conversation into one at its front, if all of them are plain
/// texts. A conversation with one at its front stays as it is.
///
/// # Errors
/// An internal error if the message cannot be written.
pub(super) fn merge(messages: Vec<Message>) -> Result<Vec<Message>, ApiError> {
    if !messages.iter().skip(1).any(is_system) {
        return Ok(messages);
    }
    let mut texts: Vec<String> = Vec::new();
    for message in messages.iter().filter(|it| is_system(it)) {
        let view = message.view().map_err(ApiError::internal)?;
        let Some(Content::Text(text)) = view.content else {
            return Ok(messages);
        };
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let merged = Message::text(Role::System, &texts.join("\n\n")).map_err(ApiError::internal)?;
    let others = messages.into_iter().filter(|it| !is_system(it));
    Ok(std::iter::once(merged).chain(others).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(role: Role, text: &str) -> Message {
        Message::text(role, text).expect("a message")
    }

    #[test]
    fn newest_prompt_of_the_client_counts_and_is_stored_once() {
        let (terse, kind) = (text(Role::System, "terse"), text(Role::System, "kind"));
        let (one, two) = (text(Role::User, "1"), text(Role::User, "2"));
        let history = [terse.clone(), one.clone()];
        let request = [terse.clone(), two.clone()];
        assert_eq!(to_store(history.iter(), &request), request[1..]);
        let changed = [kind.clone(), two.clone()];
        assert_eq!(to_store(history.iter(), &changed), changed);
        let mut shown = history.to_vec();
        remove_outdated(&mut shown, &changed);
        assert_eq!(shown, history[1..]);
        let mut shown = vec![terse, one.clone(), kind.clone(), two.clone()];
        remove_outdated(&mut shown, &[]);
        assert_eq!(shown, [one, kind, two]);
    }

    #[test]
    fn system_messages_become_one_at_the_front() {
        let user = text(Role::User, "hi");
        let messages = vec![
            text(Role::System, "tenant"),
            user.clone(),
            text(Role::Developer, "client"),
            text(Role::System, "tenant"),
        ];
        let merged = merge(messages).expect("merges");
        assert_eq!(
            merged,
            [text(Role::System, "tenant\n\nclient"), user.clone()]
        );
        let plain = vec![text(Role::Developer, "client"), user];
        assert_eq!(merge(plain.clone()).expect("stays"), plain);
    }
}
