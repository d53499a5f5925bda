//! A copy of a session is what the database says of it, under one head, for five minutes.

use clawless_core::ledger::SessionState;
use clawless_core::session::SessionHead;
use clawless_core::{Millis, Tokens};
use clawless_store::hot::{self, HotSession, MAX_BYTES};
use clawless_store::messages::{HistoryBudget, history};
use clawless_store::{Kv, KvKey, sessions};
use clawless_testkit::{MemoryKv, block_on};

use crate::world::{ALL, World, name};

const NOTHING: SessionState = SessionState {
    head: SessionHead::EMPTY,
    token_total: Tokens::ZERO,
};

/// What the database says.
fn read(world: &World, budget: HistoryBudget) -> HotSession {
    let (id, now) = (name("chat"), world.now());
    let found = sessions::find(&world.database, &world.ours, &id, now);
    let session = block_on(found).expect("runs").expect("there");
    let history = history(&world.database, &world.ours, &id, session.head, budget);
    HotSession {
        history: block_on(history).expect("runs"),
        session,
        budget,
    }
}

/// The copy under a state, if there is one.
fn find(world: &World, kv: &impl Kv, head: SessionHead) -> Option<HotSession> {
    let id = name("chat");
    block_on(hot::find(kv, &world.ours, &id, head)).expect("readable")
}

#[test]
fn turn_after_turn_it_is_what_the_database_would_give() {
    for (turns, bytes) in [(1000, 1_000_000), (2, 1_000_000), (1000, 150), (1000, 1)] {
        let budget = HistoryBudget { turns, bytes };
        let world = World::new();
        let kv = MemoryKv::new(&world.clock);
        let mut state = NOTHING;
        let mut copy = HotSession::begun(&world.ours, &name("chat"), state, budget, world.now());
        for text in ["one", "two", "three \u{e9}", "", "five"] {
            let turn = world.turn("chat", state.head.seq(), text);
            let committed = world.commit(&world.ours, &turn).expect("stored");
            state = SessionState {
                head: committed.head,
                token_total: state.token_total.plus(turn.stored_tokens),
            };
            copy = copy.after(state, turn.messages);
            assert_eq!(copy, read(&world, budget), "{budget:?}");
            block_on(hot::keep(&kv, &world.ours, &copy)).expect("kept");
            assert_eq!(find(&world, &kv, state.head), Some(copy.clone()));
        }
    }
}

#[test]
fn it_has_enough_where_nothing_is_left_out_or_no_more_is_wanted() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two", "three"]);
    let wanted = |turns, bytes| HistoryBudget { turns, bytes };
    let whole = read(&world, wanted(3, 10_000));
    assert!(whole.holds(ALL));
    let part = read(&world, wanted(2, 10_000));
    assert!(part.holds(wanted(2, 10_000)) && part.holds(wanted(1, 10)));
    assert!(!part.holds(wanted(3, 10_000)) && !part.holds(wanted(2, 10_001)));
}

#[test]
fn it_ends_after_five_minutes() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one"]);
    let kv = MemoryKv::new(&world.clock);
    let copy = read(&world, ALL);
    let head = copy.session.head;
    block_on(hot::keep(&kv, &world.ours, &copy)).expect("kept");
    world.clock.advance(Millis::new(299_999));
    assert_eq!(find(&world, &kv, head), Some(copy));
    world.clock.advance(Millis::new(1));
    assert_eq!(find(&world, &kv, head), None);
}

#[test]
fn a_history_that_is_too_long_is_not_copied() {
    let world = World::new();
    let kv = MemoryKv::new(&world.clock);
    let long = "x".repeat(usize::try_from(MAX_BYTES).expect("small") / 2);
    world.converse(&world.ours, "chat", &[&long]);
    let budget = HistoryBudget {
        bytes: 8 * MAX_BYTES,
        ..ALL
    };
    block_on(hot::keep(&kv, &world.ours, &read(&world, budget))).expect("runs");
    assert_eq!(kv.writes(), 0);
}

#[test]
fn what_is_no_copy_of_this_session_under_this_head_is_not_taken_for_one() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one"]);
    world.converse(&world.ours, "other", &["secret"]);
    let kv = MemoryKv::new(&world.clock);
    let head = SessionHead::new(1);
    let good = serde_json::to_string(&read(&world, ALL)).expect("JSON");
    let put = |text: &str| {
        let key = KvKey::history(&world.ours, &name("chat"), head);
        block_on(kv.put(&key, text.to_owned(), Millis::from_secs(60))).expect("put");
        block_on(hot::find(&kv, &world.ours, &name("chat"), head))
    };
    assert!(put(&good).expect("readable").is_some());
    for bad in [
        "",
        "{}",
        &good[..good.len() - 1],
        &good.replace("\"id\":\"chat\"", "\"id\":\"other\""),
        &good.replace("\"head\":1", "\"head\":2"),
        &good.replace(world.ours.as_str(), world.theirs.as_str()),
    ] {
        assert!(put(bad).is_err(), "{bad}");
    }
}
