//! Sessions are created once, and a name goes on from where it was.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::SessionHead;
use clawless_core::{Clock, Millis, Session};
use clawless_store::sessions::{self, NewSession, SessionLookup};
use clawless_store::turns::CommitError;
use clawless_testkit::block_on;

use crate::world::{World, name};

#[test]
fn a_session_is_created_as_it_was_asked_for_and_only_once() {
    let world = World::new();
    let new = NewSession {
        title: Some("Trip to \u{1F30D}".to_owned()),
        metadata: BTreeMap::from([("user".to_owned(), "42".to_owned())]),
        system_prompt: Some("Be brief.".to_owned()),
        model: Some("small".to_owned()),
        thinking_level: Some(ReasoningEffort::Low),
        tools: Some(vec!["web_fetch".to_owned()]),
        expires_at: Some(world.clock.now().plus(Millis::from_secs(60))),
    };
    let id = name("trip");
    let create = || {
        let now = world.clock.now();
        block_on(sessions::create(
            &world.database,
            &world.ours,
            &id,
            &new,
            now,
        ))
        .expect("runs")
    };
    let created = create().expect("the name is free");
    assert_eq!(created.title, new.title);
    assert_eq!(created.metadata, new.metadata);
    assert_eq!(created.thinking_level, new.thinking_level);
    assert_eq!(created.tools, new.tools);
    assert_eq!(
        created.head,
        SessionHead::EMPTY.next(),
        "who found the name free is late"
    );
    let found = block_on(sessions::find(
        &world.database,
        &world.ours,
        &id,
        world.clock.now(),
    ))
    .expect("runs");
    assert_eq!(found, Some(created));
    assert_eq!(create(), None, "the name is taken");
}

#[test]
fn a_free_name_expects_its_first_turn() {
    let world = World::new();
    let place = block_on(sessions::look_up(
        &world.database,
        &world.ours,
        &name("new"),
        world.clock.now(),
    ));
    assert_eq!(
        place,
        Ok(SessionLookup::Free {
            head: SessionHead::EMPTY
        })
    );
    assert!(
        world
            .commit(&world.ours, &world.turn("new", 0, "hello"))
            .is_ok()
    );
}

#[test]
fn after_a_reset_nothing_of_what_was_said_is_left_and_the_session_goes_on() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two"]);
    let late = world.turn("chat", 2, "late");
    assert!(reset(&world, "chat"));
    assert!(world.said(&world.ours, "chat").is_empty());
    assert_eq!(world.database.count("SELECT count(*) FROM messages"), 0);
    assert_eq!(world.commit(&world.ours, &late), Err(CommitError::Emptied));
    let head = head(&world, "chat");
    assert_eq!(head, SessionHead::new(2).emptied(), "no head comes twice");
    let next = world.turn("chat", head.seq(), "anew");
    world.commit(&world.ours, &next).expect("stored");
    assert_eq!(world.said(&world.ours, "chat"), ["anew"]);
}

#[test]
fn a_deleted_session_is_gone_and_its_late_turn_with_it() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one"]);
    let late = world.turn("chat", 1, "late");
    assert!(delete(&world, "chat"));
    assert_eq!(find(&world, "chat"), None);
    assert_eq!(
        world.commit(&world.ours, &late),
        Err(CommitError::SessionGone)
    );
    assert_eq!(world.database.count("SELECT count(*) FROM turns"), 0);
    assert!(
        !delete(&world, "chat") && !reset(&world, "chat"),
        "there is none"
    );
}

#[test]
fn a_deleted_name_used_again_sees_nothing_old_and_repeats_no_head() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["old 1", "old 2"]);
    let zombies = [0, 1, 2].map(|head| world.turn("chat", head, "zombie"));
    assert!(delete(&world, "chat"));
    let head = head(&world, "chat");
    assert_eq!(head, SessionHead::new(2).emptied());
    let first = world.turn("chat", head.seq(), "new");
    world.commit(&world.ours, &first).expect("stored");
    for zombie in &zombies {
        assert_eq!(world.commit(&world.ours, zombie), Err(CommitError::Emptied));
    }
    assert_eq!(world.said(&world.ours, "chat"), ["new"]);
    let session = find(&world, "chat").expect("there");
    assert_eq!(session.token_total, first.stored_tokens);
}

#[test]
fn a_deleted_name_can_be_created_explicitly() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["old"]);
    assert!(delete(&world, "chat"));
    let now = world.clock.now();
    let new = NewSession {
        title: Some("new".to_owned()),
        ..NewSession::default()
    };
    let id = name("chat");
    let create = sessions::create(&world.database, &world.ours, &id, &new, now);
    let created = block_on(create).expect("runs").expect("free");
    assert_eq!(
        (created.title, created.head),
        (new.title.clone(), SessionHead::new(1).emptied().next())
    );
    assert!(world.said(&world.ours, "chat").is_empty());
}

#[test]
fn what_deleted_sessions_left_is_purged_in_time() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["old"]);
    world.converse(&world.ours, "other", &["kept"]);
    assert!(delete(&world, "chat"));
    let purge = |at| block_on(sessions::purge_across_tenants(&world.database, at)).expect("runs");
    purge(world.clock.now());
    assert_eq!(
        head(&world, "chat"),
        SessionHead::new(1).emptied(),
        "not yet"
    );
    purge(world.clock.now().plus(Millis::new(1)));
    assert_eq!(head(&world, "chat"), SessionHead::EMPTY);
    assert_eq!(world.said(&world.ours, "other"), ["kept"]);
}

fn reset(world: &World, session: &str) -> bool {
    let (id, now) = (name(session), world.clock.now());
    block_on(sessions::reset(&world.database, &world.ours, &id, now)).expect("runs")
}

fn delete(world: &World, session: &str) -> bool {
    let (id, now) = (name(session), world.clock.now());
    block_on(sessions::delete(&world.database, &world.ours, &id, now)).expect("runs")
}

fn find(world: &World, session: &str) -> Option<Session> {
    let id = name(session);
    block_on(sessions::find(
        &world.database,
        &world.ours,
        &id,
        world.clock.now(),
    ))
    .expect("runs")
}

/// The head that the next turn under the name expects.
fn head(world: &World, session: &str) -> SessionHead {
    let id = name(session);
    match block_on(sessions::look_up(
        &world.database,
        &world.ours,
        &id,
        world.clock.now(),
    ))
    .expect("runs")
    {
        SessionLookup::Found(session) => session.head,
        SessionLookup::Free { head } => head,
    }
}
