//! Requests that name a session and send its history too, as clients of other services do. The history
//! is recognised, so that it does not double with every turn.
//!
//! A client's copy differs from the stored history: it has no calls of server tools, may end earlier in
//! an answer that broke off or lack it, and may begin later or earlier.

use std::cell::Cell;
use std::collections::HashSet;

use clawless_core::chat::{Content, Message, MessageView, Role};

use super::system_prompt::is_system;

/// The most work of a search, in comparisons; a text of some length counts as several. Two copies of ten
/// thousand messages take a tenth of it. A client that repeats one message over and over could otherwise
/// make every message be compared with every other one.
const MAX_WORK: usize = 100_000;

/// The bytes of text that are compared in the time of one comparison.
const BYTES_PER_WORK: usize = 1024;

/// How many messages at the beginning of a request repeat the history; `is_truncated` is whether the
/// history has earlier messages that are not among these. System messages are not compared. At least
/// one answer must be the same, and the last message is always new. A search that takes too long ends
/// with what it has found.
pub(super) fn repeated<'a>(
    history: impl Iterator<Item = &'a Message>,
    is_truncated: bool,
    request: &[Message],
) -> usize {
    let is_answer = |message: &&Message| message.role() == Role::Assistant;
    if !request.iter().any(|it| is_answer(&it)) {
        return 0;
    }
    let sent = entries(request.iter(), None);
    let ids: HashSet<&str> = sent.iter().flat_map(Entry::ids).collect();
    let stored = entries(history, Some(&ids));
    let is_result = |entry: &&Entry| entry.answers.is_some();
    let results = sent.iter().rev().take_while(is_result).count();
    let (earlier, new) = sent.split_at(sent.len() - results.max(1).min(sent.len()));
    let mut count = repeated_entries(&stored, is_truncated, earlier, &Cell::new(MAX_WORK));
    // Some providers use an id several times.
    let first = new.first().and_then(|entry| entry.answers.as_ref());
    let results_in = |entries: &[Entry]| {
        entries
            .iter()
            .filter(|it| it.answers.as_ref() == first)
            .count()
    };
    if first.is_some() && results_in(&stored) > results_in(earlier) {
        // The results are repeated, too: they stay with their calls.
        count = count.saturating_sub(1);
    }
    let last = count.checked_sub(1).and_then(|last| earlier.get(last));
    last.map_or(0, |entry| entry.end)
}

/// A message as both sides have it: answers without calls between them are one.
#[derive(Debug)]
struct Entry {
    role: Role,
    /// The text without white space: rounds of one answer are joined by line ends.
    text: String,
    /// The number of parts that are no texts.
    parts: usize,
    /// The calls: id and name.
    calls: Vec<(String, String)>,
    /// The call that the message answers.
    answers: Option<String>,
    /// The position after the message.
    end: usize,
}

impl Entry {
    fn new(view: MessageView, end: usize) -> Self {
        let texts = view.content.iter().flat_map(Content::texts);
        let text = texts.flat_map(str::chars).filter(|c| !c.is_whitespace());
        let text: String = text.collect();
        let parts = match &view.content {
            Some(content @ Content::Parts(parts)) => parts.len() - content.texts().count(),
            _ => 0,
        };
        let calls = view.tool_calls.into_iter().flatten();
        let calls = calls.map(|call| {
            let name = call.function.map(|it| it.name);
            (call.id, name.unwrap_or_default())
        });
        Self {
            role: view.role,
            text,
            parts,
            calls: calls.collect(),
            answers: view.tool_call_id,
            end,
        }
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        let calls = self.calls.iter().map(|(id, _)| id.as_str());
        calls.chain(self.answers.as_deref())
    }

    /// Whether a client's message is this stored one, or the beginning of this answer.
    fn is_sent_as(&self, sent: &Self) -> bool {
        if self.role != sent.role || self.calls != sent.calls || self.answers != sent.answers {
            return false;
        }
        if self.role == Role::Assistant {
            let is_beginning = !sent.text.is_empty() && self.text.starts_with(&sent.text);
            return self.text == sent.text || is_beginning;
        }
        self.text == sent.text && self.parts == sent.parts
    }
}

/// The messages in the form in which they are compared. `known` are the calls that the client knows:
/// others are of server tools.
fn entries<'a>(
    messages: impl Iterator<Item = &'a Message>,
    known: Option<&HashSet<&str>>,
) -> Vec<Entry> {
    let is_known = |id: &str| known.is_none_or(|known| known.contains(id));
    let mut entries: Vec<Entry> = Vec::new();
    for (position, message) in messages.enumerate() {
        let Some(view) = message.view().ok().filter(|_| !is_system(message)) else {
            continue;
        };
        let mut entry = Entry::new(view, position + 1);
        if entry.answers.as_deref().is_some_and(|id| !is_known(id)) {
            continue;
        }
        entry.calls.retain(|(id, _)| is_known(id));
        match entries.last_mut() {
            Some(last)
                if last.role == Role::Assistant
                    && entry.role == Role::Assistant
                    && last.calls.is_empty() =>
            {
                last.text.push_str(&entry.text);
                last.calls = entry.calls;
                last.end = entry.end;
            }
            _ => entries.push(entry),
        }
    }
    entries
}

/// How many entries of the request repeat stored ones: from the beginning of both, or with a
/// beginning that only one of them has. `work` is what the search may still cost.
fn repeated_entries(
    stored: &[Entry],
    is_truncated: bool,
    sent: &[Entry],
    work: &Cell<usize>,
) -> usize {
    let common = |stored: &[Entry], sent: &[Entry]| {
        let found = common(stored, sent, work);
        (found.answers > 0).then_some(found)
    };
    if is_truncated {
        let later = (1..sent.len()).rev();
        let found = later.filter_map(|skipped| {
            let found = common(stored, sent.get(skipped..)?)?;
            found.is_whole.then_some(skipped + found.sent)
        });
        if let Some(count) = found.max() {
            return count;
        }
    }
    if let Some(found) = common(stored, sent) {
        return found.sent;
    }
    let mut later = (1..stored.len()).filter_map(|skipped| common(stored.get(skipped..)?, sent));
    let found = later.find(|found| found.is_whole);
    found.map_or(0, |found| found.sent)
}

/// What two lists have in common from their beginnings.
struct Common {
    /// The entries of the request.
    sent: usize,
    /// The answers among them.
    answers: usize,
    /// Whether all stored entries are among them, or all of the request.
    is_whole: bool,
}

fn common(stored: &[Entry], sent: &[Entry], work: &Cell<usize>) -> Common {
    let mut common = Common {
        sent: 0,
        answers: 0,
        is_whole: true,
    };
    for entry in stored {
        let Some(next) = sent.get(common.sent) else {
            break;
        };
        let cost = 1 + next.text.len() / BYTES_PER_WORK;
        let Some(rest) = work.get().checked_sub(cost) else {
            common.is_whole = false;
            break;
        };
        work.set(rest);
        if entry.is_sent_as(next) {
            common.sent += 1;
            common.answers += usize::from(entry.role == Role::Assistant);
            continue;
        }
        // Clients leave out an answer that broke off.
        let is_left_out =
            entry.role == Role::Assistant && entry.calls.is_empty() && next.role != Role::Assistant;
        if !is_left_out {
            common.is_whole = false;
            break;
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use clawless_core::json::Json;

    use super::*;

    /// Messages in short form: `u:text`, `a:text`, `s:text`, `a:text:id,id` with calls, `t:text:id`.
    fn messages(short: &[&str]) -> Vec<Message> {
        let message = |short: &&str| {
            let mut words = short.split(':');
            let mut next = || words.next().unwrap_or_default();
            let (role, text, ids) = (next(), next(), next());
            let calls = ids.split(',').map(|id| {
                let function = serde_json::json!({"name": "f", "arguments": "{}"});
                serde_json::json!({"id": id, "type": "function", "function": function})
            });
            let calls: Vec<_> = calls.collect();
            let (role, json) = match (role, ids) {
                ("a", "") => (
                    Role::Assistant,
                    serde_json::json!({"role": "assistant", "content": text, "refusal": null}),
                ),
                ("a", _) => (
                    Role::Assistant,
                    serde_json::json!({"role": "assistant", "content": text, "tool_calls": calls}),
                ),
                ("t", _) => (
                    Role::Tool,
                    serde_json::json!({"role": "tool", "tool_call_id": ids, "content": text}),
                ),
                ("s", _) => (
                    Role::System,
                    serde_json::json!({"role": "system", "content": text}),
                ),
                _ => (
                    Role::User,
                    serde_json::json!({"role": "user", "content": text}),
                ),
            };
            let raw = Json::parse(json.to_string()).expect("JSON");
            Message::from_stored(role, raw)
        };
        short.iter().map(message).collect()
    }

    fn count(history: &[&str], is_truncated: bool, request: &[&str]) -> usize {
        let (history, request) = (messages(history), messages(request));
        repeated(history.iter(), is_truncated, &request)
    }

    #[test]
    fn a_request_with_the_whole_history_repeats_it() {
        let history = ["u:one", "a:ok"];
        for (request, expected) in [
            (&["u:one", "a:ok", "u:two"][..], 2),
            (&["s:terse", "u:one", "a:ok", "u:two"], 3),
            (&["u:one", "a:ok"], 0),
            (&["u:one", "u:two"], 0),
            (&["u:two"], 0),
            (&["u:example", "a:ok", "u:two"], 0),
            (&["u:one", "a:other", "u:two"], 0),
        ] {
            assert_eq!(count(&history, false, request), expected, "{request:?}");
        }
    }

    #[test]
    fn calls_of_server_tools_are_not_in_the_clients_copy() {
        let history = [
            "u:one",
            "a:Let me see.:s1,s2",
            "t:1:s1",
            "t:2:s2",
            "a:Done.",
        ];
        let request = ["u:one", "a:Let me see.\n\nDone.", "u:two"];
        assert_eq!(count(&history, false, &request), 2);
        let history = ["u:one", "a::s1", "t:1:s1", "a:Done.", "u:two", "a::c1"];
        let request = ["u:one", "a:Done.", "u:two", "a::c1", "t:5:c1"];
        assert_eq!(count(&history, false, &request), 4);
        let history = ["u:one", "a::s1,c1", "t:1:s1"];
        assert_eq!(count(&history, false, &["u:one", "a::c1", "t:5:c1"]), 2);
    }

    #[test]
    fn the_end_of_a_truncated_history_is_found() {
        let history = ["u:two", "a:2", "u:three", "a:3"];
        let request = ["u:one", "a:1", "u:two", "a:2", "u:three", "a:3", "u:four"];
        assert_eq!(count(&history, true, &request), 6);
        assert_eq!(count(&history, false, &request), 0);
        // The same turn several times.
        let history = ["u:hi", "a:hi", "u:hi", "a:hi"];
        let request = ["u:hi", "a:hi", "u:hi", "a:hi", "u:hi", "a:hi", "u:hi"];
        assert_eq!(count(&history, true, &request), 6);
        // The client has fewer messages.
        let history = ["u:one", "a:1", "u:two", "a:2"];
        assert_eq!(count(&history, false, &["u:two", "a:2", "u:three"]), 2);
        assert_eq!(count(&history, false, &["a:2", "u:three"]), 1);
    }

    #[test]
    fn a_search_among_equal_messages_ends_when_it_has_cost_enough() {
        let turns = |count: usize| ["u:hi", "a:hi"].repeat(count);
        let (history, request) = (messages(&turns(60)), messages(&turns(60)));
        let [stored, sent] = [&history, &request].map(|all| entries(all.iter(), None));
        let search = |is_truncated, work: usize| {
            let work = Cell::new(work);
            (
                repeated_entries(&stored, is_truncated, &sent, &work),
                work.get(),
            )
        };
        // Each copy once.
        assert_eq!(search(false, 1000), (120, 880));
        // Every beginning: 60 that differ at once, and 118 + 116 + … + 2 comparisons.
        assert_eq!(search(true, 10_000), (120, 10_000 - 60 - 59 * 60));
        assert_eq!(search(true, 1000).1, 0);
        // A long text costs more.
        let long = format!("a:{}", "x".repeat(5 * BYTES_PER_WORK));
        let [stored, sent] = [(); 2].map(|()| entries(messages(&["u:hi", &long]).iter(), None));
        let work = Cell::new(100);
        assert_eq!(repeated_entries(&stored, false, &sent, &work), 2);
        assert_eq!(work.get(), 100 - 1 - 6);
    }

    #[test]
    fn half_an_answer_is_recognised() {
        let history = ["u:one", "a:1", "u:two", "a:A long answer."];
        for (request, expected) in [
            // The client left before the end, or left the answer out.
            (&["u:one", "a:1", "u:two", "a:A long", "u:three"][..], 4),
            (&["u:one", "a:1", "u:two", "u:three"], 3),
            (&["u:one", "a:1", "u:three"], 2),
            // It asks again.
            (&["u:one", "a:1", "u:two"], 2),
        ] {
            assert_eq!(count(&history, false, request), expected, "{request:?}");
        }
        let history = ["u:one", "a:1", "u:two", "a::c1", "t:5:c1", "a:Half"];
        let request = ["u:one", "a:1", "u:two", "a::c1", "t:5:c1"];
        assert_eq!(count(&history, false, &request), 3);
        let history = ["u:one", "a::c1", "t:5:c1", "a::c1"];
        let request = ["u:one", "a::c1", "t:5:c1", "a::c1", "t:6:c1"];
        assert_eq!(count(&history, false, &request), 4);
    }
}
