//! Settings change, and sessions expire.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::SessionHead;
use clawless_core::{Millis, Session, Timestamp};
use clawless_store::sessions::{self, Change, NewSession, SessionLookup};
use clawless_store::turns::CommitError;
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};

const MINUTE: Millis = Millis::from_secs(60);

fn create(fixture: &Fixture, session: &str, new: &NewSession, now: Timestamp) -> Option<Session> {
    let id = session_id(session);
    block_on(sessions::create(
        &fixture.database,
        &fixture.ours,
        &id,
        new,
        now,
    ))
    .expect("succeeds")
}

fn update(fixture: &Fixture, session: &str, change: &Change, now: Timestamp) -> Option<Session> {
    let id = session_id(session);
    block_on(sessions::update(
        &fixture.database,
        &fixture.ours,
        &id,
        change,
        now,
    ))
    .expect("succeeds")
}

fn look_up(fixture: &Fixture, session: &str, now: Timestamp) -> SessionLookup {
    let id = session_id(session);
    block_on(sessions::look_up(
        &fixture.database,
        &fixture.ours,
        &id,
        now,
    ))
    .expect("succeeds")
}

#[test]
fn change_sets_only_the_given_settings() {
    let fixture = Fixture::new();
    let now = fixture.now();
    let new = NewSession {
        title: Some("old".to_owned()),
        metadata: BTreeMap::from([("a".to_owned(), "1".to_owned())]),
        model: Some("small".to_owned()),
        thinking_level: Some(ReasoningEffort::High),
        ..NewSession::default()
    };
    let before = create(&fixture, "chat", &new, now).expect("created");
    let change = Change {
        title: Some(Some("new".to_owned())),
        model: Some(None),
        tools: Some(Some(Vec::new())),
        time_zone: Some("-03:00".parse().ok()),
        ..Change::default()
    };
    let later = now.plus(MINUTE);
    let after = update(&fixture, "chat", &change, later).expect("found");
    let expected = Session {
        title: Some("new".to_owned()),
        model: None,
        tools: Some(Vec::new()),
        time_zone: "-03:00".parse().ok(),
        head: before.head.next(),
        updated_at: later,
        ..before
    };
    assert_eq!(after, expected);
    assert_eq!(
        look_up(&fixture, "chat", later),
        SessionLookup::Found(Box::new(expected))
    );
    let cleared = Change {
        metadata: Some(BTreeMap::new()),
        thinking_level: Some(None),
        ..Change::default()
    };
    let after = update(&fixture, "chat", &cleared, later).expect("found");
    assert!(after.metadata.is_empty() && after.thinking_level.is_none());
    assert_eq!(after.title.as_deref(), Some("new"));
}

#[test]
fn change_of_a_missing_session_returns_none() {
    let fixture = Fixture::new();
    let now = fixture.now();
    let change = Change::default();
    assert_eq!(update(&fixture, "chat", &change, now), None);
    create(&fixture, "chat", &NewSession::default(), now).expect("created");
    let (id, theirs) = (session_id("chat"), &fixture.theirs);
    let foreign = sessions::update(&fixture.database, theirs, &id, &change, now);
    assert_eq!(block_on(foreign), Ok(None));
    block_on(sessions::delete(&fixture.database, &fixture.ours, &id, now)).expect("succeeds");
    assert_eq!(update(&fixture, "chat", &change, now), None);
}

#[test]
fn expired_session_is_deleted_with_its_history() {
    let fixture = Fixture::new();
    let now = fixture.now();
    fixture.add_turns(&fixture.ours, "chat", &["secret"]);
    let change = Change {
        expires_at: Some(Some(now.plus(MINUTE))),
        ..Change::default()
    };
    let head = update(&fixture, "chat", &change, now).expect("found").head;
    let before = Timestamp::from_millis(now.plus(MINUTE).as_millis() - 1);
    assert!(matches!(
        look_up(&fixture, "chat", before),
        SessionLookup::Found(_)
    ));
    let end = now.plus(MINUTE);
    assert_eq!(update(&fixture, "chat", &Change::default(), end), None);
    let head_after = head.emptied();
    for _ in 0..2 {
        let lookup = look_up(&fixture, "chat", end);
        assert_eq!(lookup, SessionLookup::Free { head: head_after });
    }
    assert_eq!(fixture.database.count("SELECT count(*) FROM turns"), 0);
    assert_eq!(fixture.database.count("SELECT count(*) FROM messages"), 0);
    let late = fixture.turn("chat", head.seq(), "late");
    assert_eq!(
        fixture.commit(&fixture.ours, &late),
        Err(CommitError::SessionGone)
    );
    let next = fixture.turn("chat", head_after.seq(), "next");
    fixture.commit(&fixture.ours, &next).expect("stored");
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["next"]);
}

#[test]
fn name_of_an_expired_session_is_free() {
    let fixture = Fixture::new();
    let now = fixture.now();
    let new = NewSession {
        expires_at: Some(now.plus(MINUTE)),
        ..NewSession::default()
    };
    create(&fixture, "chat", &new, now).expect("created");
    assert_eq!(create(&fixture, "chat", &new, now), None);
    let later = now.plus(MINUTE).plus(MINUTE);
    let again = create(&fixture, "chat", &NewSession::default(), later).expect("created");
    assert_eq!(
        (again.head, again.created_at),
        (SessionHead::EMPTY.emptied().next(), later)
    );
}
