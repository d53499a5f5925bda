//! Selects the part of a history that is sent to a model: as many of the newest turns as fit its
//! window.
//!
//! Whole turns are dropped, oldest first, and calls are never separated from their results. Sizes
//! are estimates ([`Vocabulary`]) that may be 20 % too low, so a fifth of the window stays free.

use std::collections::HashSet;

use clawless_core::{Message, Role, Tokens};

use crate::media::media;
use crate::vocabulary::Vocabulary;

/// The percentage of a window that may be filled by estimate.
const FILLED_PERCENT: u64 = 80;

/// The part of a history that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Its messages, oldest first.
    pub messages: Vec<Message>,
    /// The number of messages that were dropped.
    pub dropped: usize,
}

/// The tokens of a window available for history, besides the response and the messages that are
/// always sent; `None` if these alone do not fit.
pub fn room(window: Tokens, answer: Tokens, fixed: Tokens) -> Option<Tokens> {
    let filled = window.get().saturating_sub(answer.get());
    let filled = filled.saturating_mul(FILLED_PERCENT) / 100;
    filled.checked_sub(fixed.get()).map(Tokens::new)
}

/// The bytes of inline media in a message, as JSON, which are unrelated to its tokens.
pub fn media_bytes(raw: &str) -> u64 {
    let media = media(raw).into_iter();
    media.map(|it| it.data.map_or(0, str::len) as u64).sum()
}

/// Selects the turns of a history that are sent before the messages of the `request`. A turn whose
/// calls the request answers is always kept.
pub fn choose(
    turns: Vec<Vec<Message>>,
    request: &[Message],
    room: Tokens,
    vocabulary: Vocabulary,
) -> Shown {
    let all: usize = turns.iter().map(Vec::len).sum();
    let mut left = room.get();
    let mut kept: Vec<Vec<Message>> = Vec::new();
    // Whether the messages after a turn answer its calls.
    let mut needed = begins_with_results(request);
    for turn in turns.into_iter().rev() {
        let size = vocabulary.of_messages(&turn).get();
        if size > left && !needed {
            // A turn that answers calls of this one is dropped with it.
            while kept.last().is_some_and(|next| begins_with_results(next)) {
                kept.pop();
            }
            break;
        }
        left = left.saturating_sub(size);
        needed = needed && begins_with_results(&turn);
        kept.push(turn);
    }
    let kept = kept.into_iter().rev().flatten().collect();
    let messages = remove_broken_calls(kept, request);
    Shown {
        dropped: all - messages.len(),
        messages,
    }
}

/// Whether messages begin with results of earlier calls.
fn begins_with_results(messages: &[Message]) -> bool {
    let first = messages.first().map(Message::role);
    matches!(first, Some(Role::Tool | Role::Function))
}

/// Removes calls without a result and results without a call: a message between them was deleted,
/// or the client continued without the result. Every provider rejects them. A result belongs to a
/// call of the last assistant message before it, even if earlier calls had the same id.
fn remove_broken_calls(messages: Vec<Message>, request: &[Message]) -> Vec<Message> {
    let mut whole = messages;
    remove_broken_legacy_calls(&mut whole, request);
    let mut keep = Vec::with_capacity(whole.len());
    let mut open: HashSet<String> = HashSet::new();
    for (position, message) in whole.iter().enumerate() {
        keep.push(match message.role() {
            Role::Assistant => {
                let calls = call_ids(message);
                let following = whole.iter().skip(position + 1).chain(request);
                let following = following.take_while(|it| it.role() != Role::Assistant);
                let answered: HashSet<String> = following.filter_map(result_id).collect();
                let is_whole = calls.is_subset(&answered);
                open = if is_whole { calls } else { HashSet::new() };
                is_whole
            }
            Role::Tool => result_id(message).is_none_or(|id| open.remove(&id)),
            _ => true,
        });
    }
    let mut keep = keep.into_iter();
    whole.retain(|_| keep.next().unwrap_or(true));
    whole
}

/// The ids of the calls in an assistant message. Messages without calls are not parsed.
fn call_ids(message: &Message) -> HashSet<String> {
    let text = message.raw().as_str();
    if !text.contains("\"tool_calls\"") && !text.contains("\"tool_use\"") {
        return HashSet::new();
    }
    let view = message.view().ok();
    let calls = view.and_then(|view| view.tool_calls).unwrap_or_default();
    calls.into_iter().map(|call| call.id).collect()
}

/// The call that a tool message answers.
fn result_id(message: &Message) -> Option<String> {
    if message.role() != Role::Tool {
        return None;
    }
    message.view().ok()?.tool_call_id
}

/// The same for legacy function calls, which have no ids: a result directly follows its call.
fn remove_broken_legacy_calls(messages: &mut Vec<Message>, request: &[Message]) {
    let is_call = |message: &Message| {
        message.role() == Role::Assistant
            && message.raw().as_str().contains("\"function_call\"")
            && message
                .view()
                .is_ok_and(|view| view.function_call.is_some())
    };
    let is_result = |message: &Message| message.role() == Role::Function;
    let following = messages.iter().chain(request).skip(1).map(is_result);
    let following: Vec<bool> = following.chain([false]).take(messages.len()).collect();
    let mut after_a_call = false;
    let mut following = following.into_iter();
    messages.retain(|message| {
        let answered = following.next().unwrap_or(false);
        let calls = is_call(message);
        let is_kept = (!calls || answered) && (!is_result(message) || after_a_call);
        after_a_call = calls && is_kept;
        is_kept
    });
}

#[cfg(test)]
mod tests {
    use clawless_core::json::Json;
    use proptest::prelude::*;

    use super::*;

    fn choose(turns: Vec<Vec<Message>>, said: &[Message], room: Tokens) -> Shown {
        super::choose(turns, said, room, Vocabulary::Large)
    }

    fn message(role: Role, rest: &str) -> Message {
        let raw = format!(r#"{{"role":"{}",{rest}}}"#, role.as_str());
        Message::from_stored(role, Json::parse(raw).expect("JSON"))
    }

    fn user(text: &str) -> Message {
        message(Role::User, &format!(r#""content":"{text}""#))
    }

    fn call(ids: &[String]) -> Message {
        let calls = ids.iter().map(|id| {
            format!(
                r#"{{"id":"{id}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}"#
            )
        });
        let calls: Vec<String> = calls.collect();
        message(
            Role::Assistant,
            &format!(r#""content":null,"tool_calls":[{}]"#, calls.join(",")),
        )
    }

    fn result(id: &str) -> Message {
        message(
            Role::Tool,
            &format!(r#""tool_call_id":"{id}","content":"done""#),
        )
    }

    fn size(messages: &[Message]) -> u64 {
        Vocabulary::Large.of_messages(messages).get()
    }

    #[test]
    fn oldest_turns_are_dropped_whole() {
        let turn = |name: &str| vec![user(name), message(Role::Assistant, r#""content":"yes""#)];
        let turns = vec![turn("one"), turn("two"), turn("three")];
        let two = Tokens::new(size(&turns[1]) + size(&turns[2]));
        let selected = choose(turns.clone(), &[user("now")], two);
        assert_eq!(
            selected.messages,
            [turns[1].clone(), turns[2].clone()].concat()
        );
        assert_eq!(selected.dropped, 2);
        let less = Tokens::new(two.get() - 1);
        assert_eq!(choose(turns, &[user("now")], less).dropped, 4);
    }

    #[test]
    fn calls_that_the_request_answers_are_kept_whatever_their_size() {
        let calling = vec![user("long question"), call(&["a".to_owned()])];
        let selected = choose(
            vec![vec![user("old")], calling.clone()],
            &[result("a")],
            Tokens::ZERO,
        );
        assert_eq!(selected.messages, calling);
        let again = vec![result("a"), call(&["b".to_owned()])];
        let selected = choose(
            vec![calling.clone(), again.clone()],
            &[result("b")],
            Tokens::ZERO,
        );
        assert_eq!(selected.messages, [calling, again].concat());
    }

    #[test]
    fn calls_and_results_without_counterpart_are_removed() {
        let ids = ["a".to_owned(), "b".to_owned()];
        let turns = vec![
            vec![user("x"), call(&ids), result("a")],
            vec![result("c"), user("y")],
        ];
        let selected = choose(turns, &[user("now")], Tokens::new(1_000_000));
        assert_eq!(selected.messages, [user("x"), user("y")]);
        assert_eq!(selected.dropped, 3);
    }

    #[test]
    fn a_repeated_id_does_not_answer_a_later_call() {
        let id = || call(&["call_0".to_owned()]);
        let turns = vec![
            vec![user("one"), id()],
            vec![
                result("call_0"),
                message(Role::Assistant, r#""content":"18""#),
            ],
            vec![user("two"), id()],
            vec![
                user("never mind"),
                message(Role::Assistant, r#""content":"ok""#),
            ],
        ];
        let all = turns.concat();
        let selected = choose(turns, &[user("three")], Tokens::new(1_000_000));
        let expected = [&all[..5], &all[6..]].concat();
        assert_eq!(selected.messages, expected);
    }

    #[test]
    fn inline_media_bytes_are_counted_separately() {
        let url = "data:image/png;base64,AAAA";
        let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
        let raw = format!(r#"{{"role":"user","content":[{part},{part}]}}"#);
        assert_eq!(media_bytes(&raw), 2 * (url.len() as u64 + 2));
        let source = r#"{"type":"base64","media_type":"image/png","data":"AAAA"}"#;
        let block = format!(r#"{{"type":"image","source":{source}}}"#);
        let raw = format!(r#"{{"role":"user","clawless_blocks":[{block}]}}"#);
        assert_eq!(media_bytes(&raw), 6);
        assert_eq!(media_bytes("{}"), 0);
    }

    #[test]
    fn an_image_counts_as_image_tokens() {
        let photo = format!(
            r#""content":[{{"type":"image_url","image_url":{{"url":"data:image/jpeg;base64,{}"}}}}]"#,
            "A".repeat(800_000)
        );
        let turns = vec![
            vec![user("My name is Ada.")],
            vec![message(Role::User, &photo)],
        ];
        let selected = choose(turns, &[user("What is my name?")], Tokens::new(2000));
        assert_eq!((selected.messages.len(), selected.dropped), (2, 0));
    }

    #[test]
    fn legacy_calls_directly_precede_their_results() {
        let legacy_call = || {
            message(
                Role::Assistant,
                r#""content":null,"function_call":{"name":"f","arguments":"{}"}"#,
            )
        };
        let result = || message(Role::Function, r#""name":"f","content":"1""#);
        let turns = vec![
            vec![user("x"), legacy_call()],
            vec![user("y"), legacy_call()],
            vec![result(), result(), user("z"), legacy_call()],
        ];
        let room = Tokens::new(1_000_000);
        let selected = choose(turns.clone(), &[result()], room);
        let kept = [
            user("x"),
            user("y"),
            legacy_call(),
            result(),
            user("z"),
            legacy_call(),
        ];
        assert_eq!(selected.messages, kept);
        let selected = choose(turns, &[user("never mind")], room);
        assert_eq!(selected.messages, kept[..5]);
    }

    #[test]
    fn a_fifth_of_the_window_stays_free() {
        let tokens = Tokens::new;
        let room = |window, answer, fixed| room(tokens(window), tokens(answer), tokens(fixed));
        assert_eq!(room(1000, 200, 100), Some(tokens(540)));
        assert_eq!(room(1000, 200, 640), Some(Tokens::ZERO));
        assert_eq!(room(1000, 200, 641), None);
        assert_eq!(room(100, 200, 1), None);
    }

    /// A conversation of texts and tool calls whose results are in the next turn.
    fn conversation() -> impl Strategy<Value = Vec<Vec<Message>>> {
        let step = (prop::bool::ANY, "[a-z ]{0,80}");
        prop::collection::vec(step, 0..20).prop_map(|steps| {
            let mut open: Option<String> = None;
            let turns = steps.into_iter().enumerate().map(|(at, (calls, text))| {
                let first = open.take().map_or_else(|| user(&text), |id| result(&id));
                let last = if calls {
                    open = Some(format!("call_{at}"));
                    call(&[format!("call_{at}")])
                } else {
                    message(Role::Assistant, &format!(r#""content":"{text}""#))
                };
                vec![first, last]
            });
            turns.collect()
        })
    }

    proptest! {
        #[test]
        fn the_selection_fits_and_is_a_suffix_without_split_calls(turns in conversation(), room in 0_u64..400) {
            let ends_open = turns.last().and_then(|turn| turn.last()).and_then(|it| it.view().ok()?.tool_calls);
            let request = match ends_open {
                Some(calls) => vec![result(&calls[0].id)],
                None => vec![user("now")],
            };
            let all = turns.concat();
            let selected = choose(turns, &request, Tokens::new(room));
            prop_assert!(all.ends_with(&selected.messages));
            prop_assert_eq!(selected.dropped + selected.messages.len(), all.len());
            let sent = [selected.messages.clone(), request.clone()].concat();
            let mut open: HashSet<String> = HashSet::new();
            for view in sent.iter().map(|it| it.view().expect("readable")) {
                if let Some(id) = view.tool_call_id {
                    prop_assert!(open.remove(&id), "a result without its call");
                } else {
                    prop_assert!(open.is_empty(), "a call without its result");
                }
                open.extend(view.tool_calls.unwrap_or_default().into_iter().map(|call| call.id));
            }
            prop_assert!(size(&selected.messages) <= room || begins_with_results(&request));
        }
    }
}
