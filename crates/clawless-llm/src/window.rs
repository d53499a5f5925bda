//! Which part of a conversation a model is shown: as many of the newest turns as fit its window.
//!
//! Turns are dropped whole, oldest first, and a tool's result never without the call that it
//! answers. Sizes are estimates ([`Vocabulary`]): the truth may be a fourth more; so a fifth of the
//! window is left free, and a history that is kept fits although nobody counted it.

use std::collections::HashSet;

use clawless_core::{Message, Role, Tokens};

use crate::vocabulary::Vocabulary;

/// The part of a window that is filled by estimate, in hundredths.
const FILLED: u64 = 80;

/// A history as far as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The messages that are kept, oldest first.
    pub messages: Vec<Message>,
    /// How many were left out.
    pub dropped: usize,
}

/// The room that a window has for history, beside the answer and what must be said anyway; none
/// where that alone does not fit.
pub fn room(window: Tokens, answer: Tokens, fixed: Tokens) -> Option<Tokens> {
    let filled = window.get().saturating_sub(answer.get());
    let filled = filled.saturating_mul(FILLED) / 100;
    filled.checked_sub(fixed.get()).map(Tokens::new)
}

/// Chooses from a history, given as its turns, what is shown before `said`. What `said` itself
/// answers is always kept.
pub fn choose(
    turns: Vec<Vec<Message>>,
    said: &[Message],
    room: Tokens,
    vocabulary: Vocabulary,
) -> Shown {
    let all: usize = turns.iter().map(Vec::len).sum();
    let mut left = room.get();
    let mut kept: Vec<Vec<Message>> = Vec::new();
    // Whether what comes after a turn answers a call of it.
    let mut needed = answers_before(said);
    for turn in turns.into_iter().rev() {
        let size = vocabulary.of_messages(&turn).get();
        if size > left && !needed {
            // A turn that answers this one's calls must go with it.
            while kept.last().is_some_and(|next| answers_before(next)) {
                kept.pop();
            }
            break;
        }
        left = left.saturating_sub(size);
        needed = needed && answers_before(&turn);
        kept.push(turn);
    }
    let kept = kept.into_iter().rev().flatten().collect();
    let messages = whole_calls(kept, said);
    Shown {
        dropped: all - messages.len(),
        messages,
    }
}

/// Whether messages begin with results of calls that were made before them.
fn answers_before(messages: &[Message]) -> bool {
    let first = messages.first().map(Message::role);
    matches!(first, Some(Role::Tool | Role::Function))
}

/// Leaves out calls that nobody answered and results that nobody asked for: a message between them
/// was deleted, or the client went on without the result. Every provider refuses them.
fn whole_calls(messages: Vec<Message>, said: &[Message]) -> Vec<Message> {
    let tools = |message: &&Message| message.role() == Role::Tool;
    let answered: HashSet<String> = messages
        .iter()
        .chain(said)
        .filter(tools)
        .filter_map(|message| message.view().ok()?.tool_call_id)
        .collect();
    let mut asked = HashSet::new();
    let mut whole = messages;
    keep_whole_older(&mut whole, said);
    whole.retain(|message| {
        if !matches!(message.role(), Role::Assistant | Role::Tool) {
            return true;
        }
        let Ok(view) = message.view() else {
            return true;
        };
        match view.tool_call_id {
            Some(id) if message.role() == Role::Tool => asked.contains(&id),
            _ => {
                let calls = view.tool_calls.unwrap_or_default();
                let is_whole = calls.iter().all(|call| answered.contains(&call.id));
                asked.extend(calls.into_iter().filter(|_| is_whole).map(|call| call.id));
                is_whole
            }
        }
    });
    whole
}

/// The same for calls of the older form, which have no ids: a result stands right after its call.
fn keep_whole_older(messages: &mut Vec<Message>, said: &[Message]) {
    let is_call = |message: &Message| {
        message.role() == Role::Assistant
            && message.raw().as_str().contains("\"function_call\"")
            && message
                .view()
                .is_ok_and(|view| view.function_call.is_some())
    };
    let is_result = |message: &Message| message.role() == Role::Function;
    let following = messages.iter().chain(said).skip(1).map(is_result);
    let following: Vec<bool> = following.chain([false]).take(messages.len()).collect();
    let mut after_a_call = false;
    let mut following = following.into_iter();
    messages.retain(|message| {
        let answered = following.next().unwrap_or(false);
        let asks = is_call(message);
        let stays = (!asks || answered) && (!is_result(message) || after_a_call);
        after_a_call = asks && stays;
        stays
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
    fn the_oldest_turns_go_whole_and_the_newest_stay() {
        let turn = |name: &str| vec![user(name), message(Role::Assistant, r#""content":"yes""#)];
        let turns = vec![turn("one"), turn("two"), turn("three")];
        let two = Tokens::new(size(&turns[1]) + size(&turns[2]));
        let shown = choose(turns.clone(), &[user("now")], two);
        assert_eq!(
            shown.messages,
            [turns[1].clone(), turns[2].clone()].concat()
        );
        assert_eq!(shown.dropped, 2);
        let less = Tokens::new(two.get() - 1);
        assert_eq!(choose(turns, &[user("now")], less).dropped, 4);
    }

    #[test]
    fn what_the_client_answers_is_kept_however_long() {
        let asked = vec![user("long question"), call(&["a".to_owned()])];
        let shown = choose(
            vec![vec![user("old")], asked.clone()],
            &[result("a")],
            Tokens::ZERO,
        );
        assert_eq!(shown.messages, asked);
        let again = vec![result("a"), call(&["b".to_owned()])];
        let shown = choose(
            vec![asked.clone(), again.clone()],
            &[result("b")],
            Tokens::ZERO,
        );
        assert_eq!(shown.messages, [asked, again].concat());
    }

    #[test]
    fn calls_that_lost_their_result_and_results_that_lost_their_call_are_left_out() {
        let ids = ["a".to_owned(), "b".to_owned()];
        let turns = vec![
            vec![user("x"), call(&ids), result("a")],
            vec![result("c"), user("y")],
        ];
        let shown = choose(turns, &[user("now")], Tokens::new(1_000_000));
        assert_eq!(shown.messages, [user("x"), user("y")]);
        assert_eq!(shown.dropped, 3);
    }

    #[test]
    fn calls_of_the_older_form_stand_right_before_their_results() {
        let older = || {
            message(
                Role::Assistant,
                r#""content":null,"function_call":{"name":"f","arguments":"{}"}"#,
            )
        };
        let result = || message(Role::Function, r#""name":"f","content":"1""#);
        let turns = vec![
            vec![user("x"), older()],
            vec![user("y"), older()],
            vec![result(), result(), user("z"), older()],
        ];
        let room = Tokens::new(1_000_000);
        let shown = choose(turns.clone(), &[result()], room);
        let kept = [user("x"), user("y"), older(), result(), user("z"), older()];
        assert_eq!(shown.messages, kept);
        let shown = choose(turns, &[user("never mind")], room);
        assert_eq!(shown.messages, kept[..5]);
    }

    #[test]
    fn a_fifth_of_the_window_stays_free_beside_the_answer() {
        let tokens = Tokens::new;
        let room = |window, answer, fixed| room(tokens(window), tokens(answer), tokens(fixed));
        assert_eq!(room(1000, 200, 100), Some(tokens(540)));
        assert_eq!(room(1000, 200, 640), Some(Tokens::ZERO));
        assert_eq!(room(1000, 200, 641), None);
        assert_eq!(room(100, 200, 1), None);
    }

    /// A conversation of texts and of tool calls, whose results come in the turn after.
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
        fn what_is_shown_fits_is_an_end_of_the_history_and_parts_no_call(turns in conversation(), room in 0_u64..400) {
            let ends_open = turns.last().and_then(|turn| turn.last()).and_then(|it| it.view().ok()?.tool_calls);
            let said = match ends_open {
                Some(calls) => vec![result(&calls[0].id)],
                None => vec![user("now")],
            };
            let all = turns.concat();
            let shown = choose(turns, &said, Tokens::new(room));
            prop_assert!(all.ends_with(&shown.messages));
            prop_assert_eq!(shown.dropped + shown.messages.len(), all.len());
            let sent = [shown.messages.clone(), said.clone()].concat();
            let mut asked: HashSet<String> = HashSet::new();
            for view in sent.iter().map(|it| it.view().expect("readable")) {
                if let Some(id) = view.tool_call_id {
                    prop_assert!(asked.remove(&id), "a result without its call");
                } else {
                    prop_assert!(asked.is_empty(), "a call without its result");
                }
                asked.extend(view.tool_calls.unwrap_or_default().into_iter().map(|call| call.id));
            }
            prop_assert!(size(&shown.messages) <= room || answers_before(&said));
        }
    }
}
