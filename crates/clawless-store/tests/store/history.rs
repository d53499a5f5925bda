//! A history is what was said, in order, as much of its end as fits.

use clawless_core::session::SessionHead;
use clawless_store::messages::{History, HistoryBudget, history};
use clawless_testkit::block_on;

use crate::world::{ALL, World, name};

fn read(world: &World, head: u64, budget: HistoryBudget) -> History {
    block_on(history(
        &world.database,
        &world.ours,
        &name("chat"),
        SessionHead::new(head),
        budget,
    ))
    .expect("runs")
}

fn numbers(history: &History) -> Vec<u64> {
    history.turns.iter().map(|turn| turn.seq).collect()
}

#[test]
fn it_is_in_the_order_it_was_said() {
    let world = World::new();
    let texts = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    world.converse(&world.ours, "chat", &texts);
    assert_eq!(world.said(&world.ours, "chat"), texts);
}

#[test]
fn under_an_earlier_head_it_is_what_it_was_then() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two", "three"]);
    let then = world.texts(&world.ours, "chat", SessionHead::new(2), ALL);
    assert_eq!(then.expect("runs"), ["one", "two"]);
    assert_eq!(read(&world, 0, ALL), History::default());
}

#[test]
fn what_does_not_fit_is_left_out_from_the_beginning_and_by_whole_turns() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two", "six"]);
    let one_turn: u64 = read(&world, 1, ALL).turns[0]
        .messages
        .iter()
        .map(|message| message.raw.as_str().len() as u64)
        .sum();
    let within = |bytes, turns| read(&world, 3, HistoryBudget { turns, bytes });
    let two = within(2 * one_turn, 10);
    assert_eq!((numbers(&two), two.truncated), (vec![2, 3], true));
    let three = within(3 * one_turn, 10);
    assert_eq!((numbers(&three), three.truncated), (vec![1, 2, 3], false));
    let by_count = within(u64::MAX, 1);
    assert_eq!((numbers(&by_count), by_count.truncated), (vec![3], true));
}

#[test]
fn the_newest_turn_comes_even_if_it_alone_is_too_long() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two"]);
    let budget = HistoryBudget { turns: 9, bytes: 1 };
    assert_eq!(numbers(&read(&world, 2, budget)), [2]);
}

#[test]
fn it_survives_the_cache_byte_for_byte() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one \u{1F600}", "two"]);
    let fresh = read(&world, 2, ALL);
    let cached = serde_json::to_string(&fresh).expect("serialises");
    assert_eq!(
        serde_json::from_str::<History>(&cached).expect("reads"),
        fresh
    );
}

#[test]
fn reading_it_is_one_query() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two"]);
    let before = world.database.calls();
    read(&world, 2, ALL);
    assert_eq!(world.database.calls() - before, 1);
}
