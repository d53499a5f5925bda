//! A cached copy of a session equals the database under its head, for five minutes.

use clawless_core::ledger::SessionState;
use clawless_core::session::SessionHead;
use clawless_core::{Millis, Tokens};
use clawless_store::hot::{self, HotSession, MAX_BYTES};
use clawless_store::messages::{HistoryBudget, history};
use clawless_store::{Kv, KvKey, KvPrefix, sessions};
use clawless_testkit::{KvMode, MemoryKv, block_on};

use crate::fixture::{ALL, Fixture, any_room, session_id};

const EMPTY: SessionState = SessionState {
    head: SessionHead::EMPTY,
    token_total: Tokens::ZERO,
};

/// Reads the session from the database.
fn read(fixture: &Fixture, budget: HistoryBudget) -> HotSession {
    let (id, now) = (session_id("chat"), fixture.now());
    let found = sessions::find(&fixture.database, &fixture.ours, &id, now);
    let session = block_on(found).expect("succeeds").expect("found");
    let history = history(
        &fixture.database,
        &fixture.ours,
        &id,
        session.head,
        budget,
        any_room,
    );
    HotSession {
        history: block_on(history).expect("succeeds"),
        session,
        budget,
    }
}

/// The copy under a head, if there is one.
fn find(fixture: &Fixture, kv: &impl Kv, head: SessionHead) -> Option<HotSession> {
    let id = session_id("chat");
    block_on(hot::find(kv, &fixture.ours, &id, head)).expect("readable")
}

#[test]
fn copy_equals_the_database_after_every_turn() {
    for (turns, bytes) in [(1000, 1_000_000), (2, 1_000_000), (1000, 150), (1000, 1)] {
        let budget = HistoryBudget { turns, bytes };
        let fixture = Fixture::new();
        let kv = MemoryKv::new(&fixture.clock);
        let mut state = EMPTY;
        let mut copy = HotSession::new(
            &fixture.ours,
            &session_id("chat"),
            state,
            budget,
            fixture.now(),
        );
        for text in ["one", "two", "three \u{e9}", "", "five"] {
            let turn = fixture.turn("chat", state.head.seq(), text);
            let committed = fixture.commit(&fixture.ours, &turn).expect("stored");
            state = SessionState {
                head: committed.head,
                token_total: state.token_total.plus(turn.stored_tokens),
            };
            copy = copy.with_turn(state, turn.messages);
            assert_eq!(copy, read(&fixture, budget), "{budget:?}");
            block_on(hot::store(&kv, &fixture.ours, &copy)).expect("stored");
            assert_eq!(find(&fixture, &kv, state.head), Some(copy.clone()));
        }
    }
}

#[test]
fn copy_covers_a_budget_if_complete_or_large_enough() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two", "three"]);
    let budget = |turns, bytes| HistoryBudget { turns, bytes };
    let complete = read(&fixture, budget(3, 10_000));
    assert!(complete.covers(ALL));
    let partial = read(&fixture, budget(2, 10_000));
    assert!(partial.covers(budget(2, 10_000)) && partial.covers(budget(1, 10)));
    assert!(!partial.covers(budget(3, 10_000)) && !partial.covers(budget(2, 10_001)));
}

#[test]
fn copy_expires_after_five_minutes() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one"]);
    let kv = MemoryKv::new(&fixture.clock);
    let copy = read(&fixture, ALL);
    let head = copy.session.head;
    block_on(hot::store(&kv, &fixture.ours, &copy)).expect("stored");
    fixture.clock.advance(Millis::new(299_999));
    assert_eq!(find(&fixture, &kv, head), Some(copy));
    fixture.clock.advance(Millis::new(1));
    assert_eq!(find(&fixture, &kv, head), None);
}

#[test]
fn history_that_is_too_long_is_not_cached() {
    let fixture = Fixture::new();
    let kv = MemoryKv::new(&fixture.clock);
    let long = "x".repeat(usize::try_from(MAX_BYTES).expect("small") / 2);
    fixture.add_turns(&fixture.ours, "chat", &[&long]);
    let budget = HistoryBudget {
        bytes: 8 * MAX_BYTES,
        ..ALL
    };
    block_on(hot::store(&kv, &fixture.ours, &read(&fixture, budget))).expect("succeeds");
    assert_eq!(kv.writes(), 0);
}

#[test]
fn invalid_copy_and_copy_of_another_session_are_rejected() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one"]);
    fixture.add_turns(&fixture.ours, "other", &["secret"]);
    let kv = MemoryKv::new(&fixture.clock);
    let head = SessionHead::new(1);
    let good = serde_json::to_string(&read(&fixture, ALL)).expect("JSON");
    let put = |text: &str| {
        let key = KvKey::history(&fixture.ours, &session_id("chat"), head);
        block_on(kv.put(&key, text.to_owned(), Millis::from_secs(60))).expect("put");
        block_on(hot::find(&kv, &fixture.ours, &session_id("chat"), head))
    };
    assert!(put(&good).expect("readable").is_some());
    for bad in [
        "",
        "{}",
        &good[..good.len() - 1],
        &good.replace("\"id\":\"chat\"", "\"id\":\"other\""),
        &good.replace("\"head\":1", "\"head\":2"),
        &good.replace(fixture.ours.as_str(), fixture.theirs.as_str()),
    ] {
        assert!(put(bad).is_err(), "{bad}");
    }
}

#[test]
fn copies_of_a_tenant_are_removed_in_bounded_steps_and_those_of_others_stay() {
    let fixture = Fixture::new();
    let kv = MemoryKv::new(&fixture.clock);
    let put = |tenant, session: usize, head: u64| {
        let id = session_id(&format!("chat-{session}"));
        let key = KvKey::history(tenant, &id, SessionHead::new(head));
        block_on(kv.put(&key, "{}".to_owned(), Millis::from_secs(60))).expect("put");
    };
    for session in 0..20 {
        put(&fixture.ours, session, 1);
        put(&fixture.ours, session, 2);
        put(&fixture.theirs, session, 1);
    }
    let remove = || block_on(hot::remove_all(&kv, &fixture.ours, 16));
    assert_eq!([remove(), remove()], [Ok(false), Ok(false)]);
    let others = 60 - 2 * 16;
    assert_eq!(
        kv.keys().len(),
        others,
        "an interrupted removal is continued"
    );
    kv.set_mode(KvMode::Failing);
    assert!(remove().is_err());
    kv.set_mode(KvMode::Normal);
    assert_eq!([remove(), remove()], [Ok(true), Ok(true)]);
    let left = kv.keys();
    assert_eq!(left.len(), 20);
    let theirs = KvPrefix::of_tenant(&fixture.theirs);
    assert!(
        left.iter()
            .all(|key| key.as_str().starts_with(theirs.as_str()))
    );
}
