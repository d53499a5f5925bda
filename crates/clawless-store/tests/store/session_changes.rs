//! Settings change, and sessions end by themselves.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::SessionHead;
use clawless_core::{Millis, Session, Timestamp};
use clawless_store::sessions::{self, Change, NewSession, SessionLookup};
use clawless_store::turns::CommitError;
use clawless_testkit::block_on;

use crate::world::{World, name};

const MINUTE: Millis = Millis::from_secs(60);

fn create(world: &World, session: &str, new: &NewSession, now: Timestamp) -> Option<Session> {
    let id = name(session);
    block_on(sessions::create(
        &world.database,
        &world.ours,
        &id,
        new,
        now,
    ))
    .expect("runs")
}

fn update(world: &World, session: &str, change: &Change, now: Timestamp) -> Option<Session> {
    let id = name(session);
    block_on(sessions::update(
        &world.database,
        &world.ours,
        &id,
        change,
        now,
    ))
    .expect("runs")
}

fn look_up(world: &World, session: &str, now: Timestamp) -> SessionLookup {
    let id = name(session);
    block_on(sessions::look_up(&world.database, &world.ours, &id, now)).expect("runs")
}

#[test]
fn a_change_sets_what_it_names_and_keeps_the_rest() {
    let world = World::new();
    let now = world.now();
    let new = NewSession {
        title: Some("old".to_owned()),
        metadata: BTreeMap::from([("a".to_owned(), "1".to_owned())]),
        model: Some("small".to_owned()),
        thinking_level: Some(ReasoningEffort::High),
        ..NewSession::default()
    };
    let before = create(&world, "chat", &new, now).expect("free");
    let change = Change {
        title: Some(Some("new".to_owned())),
        model: Some(None),
        tools: Some(Some(Vec::new())),
        ..Change::default()
    };
    let later = now.plus(MINUTE);
    let after = update(&world, "chat", &change, later).expect("there");
    let expected = Session {
        title: Some("new".to_owned()),
        model: None,
        tools: Some(Vec::new()),
        head: before.head.next(),
        updated_at: later,
        ..before
    };
    assert_eq!(after, expected);
    assert_eq!(
        look_up(&world, "chat", later),
        SessionLookup::Found(Box::new(expected))
    );
    let emptied = Change {
        metadata: Some(BTreeMap::new()),
        thinking_level: Some(None),
        ..Change::default()
    };
    let after = update(&world, "chat", &emptied, later).expect("there");
    assert!(after.metadata.is_empty() && after.thinking_level.is_none());
    assert_eq!(after.title.as_deref(), Some("new"));
}

#[test]
fn nothing_is_changed_where_there_is_no_session() {
    let world = World::new();
    let now = world.now();
    let change = Change::default();
    assert_eq!(update(&world, "chat", &change, now), None);
    create(&world, "chat", &NewSession::default(), now).expect("free");
    let (id, theirs) = (name("chat"), &world.theirs);
    let foreign = sessions::update(&world.database, theirs, &id, &change, now);
    assert_eq!(block_on(foreign), Ok(None));
    block_on(sessions::delete(&world.database, &world.ours, &id, now)).expect("runs");
    assert_eq!(update(&world, "chat", &change, now), None);
}

#[test]
fn a_session_that_has_expired_is_gone_with_all_that_was_said() {
    let world = World::new();
    let now = world.now();
    world.converse(&world.ours, "chat", &["secret"]);
    let change = Change {
        expires_at: Some(Some(now.plus(MINUTE))),
        ..Change::default()
    };
    let head = update(&world, "chat", &change, now).expect("there").head;
    let before = Timestamp::from_millis(now.plus(MINUTE).as_millis() - 1);
    assert!(matches!(
        look_up(&world, "chat", before),
        SessionLookup::Found(_)
    ));
    let end = now.plus(MINUTE);
    assert_eq!(update(&world, "chat", &Change::default(), end), None);
    let head_after = head.emptied();
    for _ in 0..2 {
        let place = look_up(&world, "chat", end);
        assert_eq!(place, SessionLookup::Free { head: head_after });
    }
    assert_eq!(world.database.count("SELECT count(*) FROM turns"), 0);
    assert_eq!(world.database.count("SELECT count(*) FROM messages"), 0);
    let late = world.turn("chat", head.seq(), "late");
    assert_eq!(
        world.commit(&world.ours, &late),
        Err(CommitError::SessionGone)
    );
    let anew = world.turn("chat", head_after.seq(), "anew");
    world.commit(&world.ours, &anew).expect("stored");
    assert_eq!(world.said(&world.ours, "chat"), ["anew"]);
}

#[test]
fn the_name_of_an_expired_session_can_be_taken() {
    let world = World::new();
    let now = world.now();
    let new = NewSession {
        expires_at: Some(now.plus(MINUTE)),
        ..NewSession::default()
    };
    create(&world, "chat", &new, now).expect("free");
    assert_eq!(create(&world, "chat", &new, now), None);
    let later = now.plus(MINUTE).plus(MINUTE);
    let again = create(&world, "chat", &NewSession::default(), later).expect("free");
    assert_eq!(
        (again.head, again.created_at),
        (SessionHead::EMPTY.emptied().next(), later)
    );
}
