//! A history contains the newest turns that fit the budget, in order.

use clawless_core::session::SessionHead;
use clawless_store::SqlError;
use clawless_store::messages::{History, HistoryBudget, history};
use clawless_testkit::block_on;

use crate::fixture::{ALL, Fixture, any_room, session_id};

fn read(fixture: &Fixture, head: u64, budget: HistoryBudget) -> History {
    block_on(history(
        &fixture.database,
        &fixture.ours,
        &session_id("chat"),
        SessionHead::new(head),
        budget,
        any_room,
    ))
    .expect("succeeds")
}

fn numbers(history: &History) -> Vec<u64> {
    history.turns.iter().map(|turn| turn.seq).collect()
}

#[test]
fn history_is_in_order() {
    let fixture = Fixture::new();
    let texts = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    fixture.add_turns(&fixture.ours, "chat", &texts);
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), texts);
}

#[test]
fn history_under_an_earlier_head_does_not_change() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two", "three"]);
    let earlier = fixture.user_texts_at(&fixture.ours, "chat", SessionHead::new(2), ALL);
    assert_eq!(earlier.expect("succeeds"), ["one", "two"]);
    assert_eq!(read(&fixture, 0, ALL), History::default());
}

#[test]
fn earliest_turns_that_exceed_the_budget_are_excluded_whole() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two", "six"]);
    let one_turn: u64 = read(&fixture, 1, ALL).turns[0]
        .messages
        .iter()
        .map(|message| message.raw.as_str().len() as u64)
        .sum();
    let read_with = |bytes, turns| read(&fixture, 3, HistoryBudget { turns, bytes });
    let two = read_with(2 * one_turn, 10);
    assert_eq!((numbers(&two), two.truncated), (vec![2, 3], true));
    let three = read_with(3 * one_turn, 10);
    assert_eq!((numbers(&three), three.truncated), (vec![1, 2, 3], false));
    let by_count = read_with(u64::MAX, 1);
    assert_eq!((numbers(&by_count), by_count.truncated), (vec![3], true));
}

#[test]
fn newest_turn_is_included_even_if_it_exceeds_the_budget() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two"]);
    let budget = HistoryBudget { turns: 9, bytes: 1 };
    assert_eq!(numbers(&read(&fixture, 2, budget)), [2]);
}

#[test]
fn history_survives_the_cache_byte_for_byte() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one \u{1F600}", "two"]);
    let fresh = read(&fixture, 2, ALL);
    let cached = serde_json::to_string(&fresh).expect("serialises");
    assert_eq!(
        serde_json::from_str::<History>(&cached).expect("reads"),
        fresh
    );
}

#[test]
fn history_takes_one_query_for_its_size_and_one_for_its_messages() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two"]);
    let before = fixture.database.calls();
    read(&fixture, 2, ALL);
    assert_eq!(fixture.database.calls() - before, 2);
}

#[test]
fn a_history_is_read_only_if_there_is_room_for_its_bytes() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two", "three"]);
    let one_turn = read(&fixture, 1, ALL).bytes();
    for (turns, bytes) in [(10, u64::MAX), (2, u64::MAX), (10, 2 * one_turn), (10, 0)] {
        let budget = HistoryBudget { turns, bytes };
        let head = SessionHead::new(3);
        let mut asked = None;
        let chat = session_id("chat");
        let room = |bytes| {
            asked = Some(bytes);
            Err(SqlError::from_message("no room"))
        };
        let refused = history(&fixture.database, &fixture.ours, &chat, head, budget, room);
        assert!(block_on(refused).is_err(), "{budget:?}");
        assert_eq!(asked, Some(read(&fixture, 3, budget).bytes()), "{budget:?}");
    }
}
