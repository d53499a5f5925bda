//! Stored responses: found by their request, continued in a fork, deleted.

use clawless_core::Storage;
use clawless_core::json::Json;
use clawless_core::session::SessionHead;
use clawless_store::messages::of_turn;
use clawless_store::turns::{CommitError, NewTurn, find_response, fork, remove};
use clawless_store::{sessions, storage};
use clawless_testkit::block_on;

use crate::fixture::{Fixture, any_room, session_id};

const ECHO: &str = r#"{"echo":{"members":{"store":true}},"inputs":1}"#;

/// A turn with an echo, of a session with this head.
fn response(fixture: &Fixture, session: &str, head: u64, text: &str) -> NewTurn {
    NewTurn {
        echo: Json::parse(ECHO.to_owned()).ok(),
        ..fixture.turn(session, head, text)
    }
}

/// A turn of a new session that continues `source` after the turn `head`.
fn forked(fixture: &Fixture, source: &str, head: u64, text: &str) -> NewTurn {
    let (source, at) = (session_id(source), SessionHead::new(head));
    let database = &fixture.database;
    let now = fixture.now();
    let prepared = fork(database, &fixture.ours, &source, at, now, &fixture.entropy);
    NewTurn {
        fork: Some(block_on(prepared).expect("reads")),
        ..response(fixture, "fork", head, text)
    }
}

#[test]
fn a_response_is_found_with_its_echo_and_its_place() {
    let fixture = Fixture::new();
    let first = response(&fixture, "chat", 0, "one");
    let second = response(&fixture, "chat", 1, "two");
    let other = fixture.turn("chat", 2, "three");
    let find = |turn: &NewTurn| {
        let found = find_response(
            &fixture.database,
            &fixture.ours,
            &turn.request,
            fixture.now(),
        );
        block_on(found).expect("reads")
    };
    fixture.commit(&fixture.ours, &first).expect("a turn");
    let found = find(&first).expect("a response");
    assert!(found.is_last && found.is_only);
    for turn in [&second, &other] {
        fixture.commit(&fixture.ours, turn).expect("a turn");
    }
    let found = find(&first).expect("a response");
    assert!(!found.is_last && !found.is_only);
    let content = of_turn(&fixture.database, &fixture.ours, &found.turn, any_room);
    let content = block_on(content).expect("reads");
    assert_eq!(content.echo.expect("an echo").as_str(), ECHO);
    assert_eq!(content.messages.len(), first.messages.len());
    assert!(!find(&second).expect("a response").is_last);
    assert_eq!(find(&other), None, "a turn of another surface");
    let theirs = find_response(
        &fixture.database,
        &fixture.theirs,
        &first.request,
        fixture.now(),
    );
    assert_eq!(block_on(theirs).expect("reads"), None);
    let session = session_id("chat");
    let delete = sessions::delete(&fixture.database, &fixture.ours, &session, fixture.now());
    block_on(delete).expect("deletes");
    assert_eq!(find(&first), None);
}

#[test]
fn the_echo_counts_as_stored_content() {
    let fixture = Fixture::new();
    let plain = fixture.turn("chat", 0, "one");
    let with_echo = response(&fixture, "other", 0, "one");
    fixture.commit(&fixture.ours, &plain).expect("a turn");
    let count = || {
        block_on(storage::count(&fixture.database, &fixture.ours))
            .expect("reads")
            .0
    };
    let before = count();
    fixture.commit(&fixture.ours, &with_echo).expect("a turn");
    let added = count().bytes - before.bytes;
    assert_eq!(added, before.bytes + ECHO.len() as u64);
}

#[test]
fn a_fork_has_the_history_up_to_its_turn_and_counts_it() {
    let fixture = Fixture::new();
    for (head, text) in (0..).zip(["one", "two", "three"]) {
        let turn = response(&fixture, "chat", head, text);
        fixture.commit(&fixture.ours, &turn).expect("a turn");
    }
    let count = || {
        block_on(storage::count(&fixture.database, &fixture.ours))
            .expect("reads")
            .0
    };
    let before = count();
    let turn = forked(&fixture, "chat", 2, "other");
    let copied = turn.fork.as_ref().expect("a fork").stored;
    fixture.commit(&fixture.ours, &turn).expect("a turn");
    let again = fixture.commit(&fixture.ours, &turn).expect("stored before");
    assert!(again.repeated);
    assert_eq!(
        fixture.user_texts(&fixture.ours, "fork"),
        ["one", "two", "other"]
    );
    assert_eq!(
        fixture.user_texts(&fixture.ours, "chat"),
        ["one", "two", "three"],
        "the source does not change"
    );
    let own: u64 = turn
        .messages
        .iter()
        .map(|it| it.message.raw().as_str().len() as u64)
        .sum();
    let expected = before.plus(&copied).plus(&Storage {
        sessions: 1,
        messages: 2,
        bytes: own + ECHO.len() as u64,
    });
    assert_eq!(count(), expected);
    let session = session_id("fork");
    let find = sessions::find(&fixture.database, &fixture.ours, &session, fixture.now());
    let session = block_on(find).expect("reads").expect("a session");
    assert_eq!(session.token_total.get(), 30);
    assert_eq!(session.head, SessionHead::new(3));
}

#[test]
fn a_fork_of_a_session_that_was_deleted_meanwhile_is_not_stored() {
    let fixture = Fixture::new();
    let turn = response(&fixture, "chat", 0, "one");
    fixture.commit(&fixture.ours, &turn).expect("a turn");
    let late = forked(&fixture, "chat", 1, "two");
    let session = session_id("chat");
    let delete = sessions::delete(&fixture.database, &fixture.ours, &session, fixture.now());
    block_on(delete).expect("deletes");
    let rows = fixture.row_count();
    let refused = fixture.commit(&fixture.ours, &late);
    assert_eq!(refused, Err(CommitError::SessionGone));
    assert_eq!(fixture.row_count(), rows);
}

#[test]
fn a_deleted_turn_leaves_the_rest_of_its_session() {
    let fixture = Fixture::new();
    for (head, text) in (0..).zip(["one", "two"]) {
        let turn = response(&fixture, "chat", head, text);
        fixture.commit(&fixture.ours, &turn).expect("a turn");
    }
    let gone = response(&fixture, "chat", 2, "three");
    fixture.commit(&fixture.ours, &gone).expect("a turn");
    let session = session_id("chat");
    let remove = |tenant| {
        let turn = SessionHead::new(3);
        let (database, now) = (&fixture.database, fixture.now());
        block_on(remove(database, tenant, &session, turn, &gone.request, now)).expect("deletes")
    };
    assert_eq!(remove(&fixture.theirs), None);
    let removed = remove(&fixture.ours).expect("a turn");
    assert_eq!(removed.messages, 2);
    assert_eq!(remove(&fixture.ours), None);
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["one", "two"]);
    let find = sessions::find(&fixture.database, &fixture.ours, &session, fixture.now());
    let found = block_on(find).expect("reads").expect("a session");
    assert_eq!(
        (found.head, found.token_total.get()),
        (SessionHead::new(4), 20)
    );
}
