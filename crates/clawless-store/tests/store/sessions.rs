//! Sessions are created once, and a reused name continues from its head.

use std::collections::BTreeMap;

use clawless_core::chat::ReasoningEffort;
use clawless_core::session::SessionHead;
use clawless_core::{Clock, Millis, Session};
use clawless_store::sessions::{self, NewSession, SessionLookup};
use clawless_store::turns::CommitError;
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};

#[test]
fn session_is_created_once_with_its_settings() {
    let fixture = Fixture::new();
    let new = NewSession {
        title: Some("Trip to \u{1F30D}".to_owned()),
        metadata: BTreeMap::from([("user".to_owned(), "42".to_owned())]),
        system_prompt: Some("Be brief.".to_owned()),
        model: Some("small".to_owned()),
        thinking_level: Some(ReasoningEffort::Low),
        tools: Some(vec!["web_fetch".to_owned()]),
        time_zone: "+05:30".parse().ok(),
        expires_at: Some(fixture.clock.now().plus(Millis::from_secs(60))),
    };
    let id = session_id("trip");
    let create = || {
        let now = fixture.clock.now();
        block_on(sessions::create(
            &fixture.database,
            &fixture.ours,
            &id,
            &new,
            now,
        ))
        .expect("succeeds")
    };
    let created = create().expect("the name is free");
    assert_eq!(created.title, new.title);
    assert_eq!(created.metadata, new.metadata);
    assert_eq!(created.thinking_level, new.thinking_level);
    assert_eq!(created.time_zone, new.time_zone);
    assert_eq!(created.tools, new.tools);
    assert_eq!(
        created.head,
        SessionHead::EMPTY.next(),
        "a concurrent first turn is fenced"
    );
    let found = block_on(sessions::find(
        &fixture.database,
        &fixture.ours,
        &id,
        fixture.clock.now(),
    ))
    .expect("succeeds");
    assert_eq!(found, Some(created));
    assert_eq!(create(), None, "the name exists");
}

#[test]
fn free_name_expects_an_empty_head() {
    let fixture = Fixture::new();
    let lookup = block_on(sessions::look_up(
        &fixture.database,
        &fixture.ours,
        &session_id("new"),
        fixture.clock.now(),
    ));
    assert_eq!(
        lookup,
        Ok(SessionLookup::Free {
            head: SessionHead::EMPTY
        })
    );
    assert!(
        fixture
            .commit(&fixture.ours, &fixture.turn("new", 0, "hello"))
            .is_ok()
    );
}

#[test]
fn reset_deletes_the_history_and_keeps_the_session() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two"]);
    let late = fixture.turn("chat", 2, "late");
    assert!(reset(&fixture, "chat"));
    assert!(fixture.user_texts(&fixture.ours, "chat").is_empty());
    assert_eq!(fixture.database.count("SELECT count(*) FROM messages"), 0);
    assert_eq!(
        fixture.commit(&fixture.ours, &late),
        Err(CommitError::Emptied)
    );
    let head = head(&fixture, "chat");
    assert_eq!(head, SessionHead::new(2).emptied(), "no head is reused");
    let next = fixture.turn("chat", head.seq(), "next");
    fixture.commit(&fixture.ours, &next).expect("stored");
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["next"]);
}

#[test]
fn deleted_session_rejects_late_turns() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one"]);
    let late = fixture.turn("chat", 1, "late");
    assert!(delete(&fixture, "chat"));
    assert_eq!(find(&fixture, "chat"), None);
    assert_eq!(
        fixture.commit(&fixture.ours, &late),
        Err(CommitError::SessionGone)
    );
    assert_eq!(fixture.database.count("SELECT count(*) FROM turns"), 0);
    assert!(
        !delete(&fixture, "chat") && !reset(&fixture, "chat"),
        "it does not exist"
    );
}

#[test]
fn reused_name_has_no_old_history_and_no_old_head() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["old 1", "old 2"]);
    let zombies = [0, 1, 2].map(|head| fixture.turn("chat", head, "zombie"));
    assert!(delete(&fixture, "chat"));
    let head = head(&fixture, "chat");
    assert_eq!(head, SessionHead::new(2).emptied());
    let first = fixture.turn("chat", head.seq(), "new");
    fixture.commit(&fixture.ours, &first).expect("stored");
    for zombie in &zombies {
        assert_eq!(
            fixture.commit(&fixture.ours, zombie),
            Err(CommitError::Emptied)
        );
    }
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["new"]);
    let session = find(&fixture, "chat").expect("found");
    assert_eq!(session.token_total, first.stored_tokens);
}

#[test]
fn deleted_session_can_be_created_again() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["old"]);
    assert!(delete(&fixture, "chat"));
    let now = fixture.clock.now();
    let new = NewSession {
        title: Some("new".to_owned()),
        ..NewSession::default()
    };
    let id = session_id("chat");
    let create = sessions::create(&fixture.database, &fixture.ours, &id, &new, now);
    let created = block_on(create).expect("succeeds").expect("created");
    assert_eq!(
        (created.title, created.head),
        (new.title.clone(), SessionHead::new(1).emptied().next())
    );
    assert!(fixture.user_texts(&fixture.ours, "chat").is_empty());
}

#[test]
fn rows_of_deleted_sessions_are_purged() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["old"]);
    fixture.add_turns(&fixture.ours, "other", &["kept"]);
    assert!(delete(&fixture, "chat"));
    let purge =
        |at| block_on(sessions::purge_across_tenants(&fixture.database, at)).expect("succeeds");
    purge(fixture.clock.now());
    assert_eq!(
        head(&fixture, "chat"),
        SessionHead::new(1).emptied(),
        "not yet"
    );
    purge(fixture.clock.now().plus(Millis::new(1)));
    assert_eq!(head(&fixture, "chat"), SessionHead::EMPTY);
    assert_eq!(fixture.user_texts(&fixture.ours, "other"), ["kept"]);
}

fn reset(fixture: &Fixture, session: &str) -> bool {
    let (id, now) = (session_id(session), fixture.clock.now());
    let reset = sessions::reset(&fixture.database, &fixture.ours, &id, now);
    block_on(reset).expect("succeeds").is_some()
}

fn delete(fixture: &Fixture, session: &str) -> bool {
    let (id, now) = (session_id(session), fixture.clock.now());
    let delete = sessions::delete(&fixture.database, &fixture.ours, &id, now);
    block_on(delete).expect("succeeds").is_some()
}

fn find(fixture: &Fixture, session: &str) -> Option<Session> {
    let id = session_id(session);
    block_on(sessions::find(
        &fixture.database,
        &fixture.ours,
        &id,
        fixture.clock.now(),
    ))
    .expect("succeeds")
}

/// The head that the next turn of the name expects.
fn head(fixture: &Fixture, session: &str) -> SessionHead {
    let id = session_id(session);
    match block_on(sessions::look_up(
        &fixture.database,
        &fixture.ours,
        &id,
        fixture.clock.now(),
    ))
    .expect("succeeds")
    {
        SessionLookup::Found(session) => session.head,
        SessionLookup::Free { head } => head,
    }
}
