//! The turns of a conversation, which decide where provider-specific members are replayed.

use clawless_core::{Message, Role};

use crate::profile::Replay;

/// For each message, whether its provider-specific members are replayed.
pub(super) fn replayed(messages: &[Message], when: Replay) -> Vec<bool> {
    let starts = starts(messages);
    let ends = starts.iter().skip(1).copied().chain([messages.len()]);
    let mut replayed = Vec::with_capacity(messages.len());
    for (start, end) in starts.iter().copied().zip(ends) {
        let turn = messages.get(start..end).unwrap_or_default();
        let is_kept = match when {
            Replay::Always => true,
            Replay::InChain => end == messages.len(),
            Replay::WithCalls => end == messages.len() || turn.iter().any(has_calls),
        };
        replayed.resize(end, is_kept);
    }
    replayed
}

/// The index of the first message of each turn. A user message begins a turn, except directly after
/// tool results: clients send images and remarks in this place, and the chain of calls continues.
fn starts(messages: &[Message]) -> Vec<usize> {
    let (mut starts, mut after_results) = (vec![0], false);
    for (at, message) in messages.iter().enumerate() {
        match message.role() {
            Role::User if !after_results && at > 0 => starts.push(at),
            Role::User | Role::System | Role::Developer => {}
            role => after_results = matches!(role, Role::Tool | Role::Function),
        }
    }
    starts
}

/// Whether an assistant message has tool calls.
pub(super) fn has_calls(message: &Message) -> bool {
    message.role() == Role::Assistant
        && message.raw().as_str().contains("\"tool_calls\"")
        && (message.view()).is_ok_and(|view| view.tool_calls.is_some_and(|it| !it.is_empty()))
}

#[cfg(test)]
mod tests {
    use clawless_core::json::Json;

    use super::*;

    fn conversation(roles: &str) -> Vec<Message> {
        let message = |kind| {
            let (role, raw) = match kind {
                's' => (Role::System, r#"{"role":"system","content":"s"}"#),
                'u' => (Role::User, r#"{"role":"user","content":"u"}"#),
                't' => (
                    Role::Tool,
                    r#"{"role":"tool","tool_call_id":"c","content":"1"}"#,
                ),
                'c' => (
                    Role::Assistant,
                    r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
                ),
                'n' => (
                    Role::Assistant,
                    r#"{"role":"assistant","content":"a","tool_calls":null}"#,
                ),
                _ => (Role::Assistant, r#"{"role":"assistant","content":"a"}"#),
            };
            Message::from_stored(role, Json::parse(raw.to_owned()).expect("JSON"))
        };
        roles.chars().map(message).collect()
    }

    #[test]
    fn members_are_replayed_by_turn() {
        for (roles, when, expected) in [
            ("", Replay::InChain, ""),
            ("uct", Replay::InChain, "111"),
            ("uctau", Replay::InChain, "00001"),
            ("uctau", Replay::WithCalls, "11111"),
            ("suauctauau", Replay::WithCalls, "0001111001"),
            ("unu", Replay::WithCalls, "001"),
            ("uau", Replay::Always, "111"),
            // A user message directly after results.
            ("uctu", Replay::InChain, "1111"),
            ("uctuu", Replay::InChain, "11111"),
            ("uctsuct", Replay::InChain, "1111111"),
            ("uctuctau", Replay::InChain, "00000001"),
            ("cta", Replay::InChain, "111"),
        ] {
            let replayed = replayed(&conversation(roles), when);
            let replayed: String = replayed
                .iter()
                .map(|it| if *it { '1' } else { '0' })
                .collect();
            assert_eq!(replayed, expected, "{roles} {when:?}");
        }
    }
}
