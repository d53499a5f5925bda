//! Tenants with equal session names never read, change or block one another.

use clawless_core::Clock;
use clawless_core::session::SessionHead;
use clawless_store::sessions::{self, NewSession, SessionLookup};
use clawless_store::turns::{CommitError, find_by_request};
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};

#[test]
fn equal_names_of_two_tenants_are_two_sessions() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["ours 1", "ours 2"]);
    let lookup = block_on(sessions::look_up(
        &fixture.database,
        &fixture.theirs,
        &session_id("chat"),
        fixture.clock.now(),
    ));
    assert_eq!(
        lookup,
        Ok(SessionLookup::Free {
            head: SessionHead::EMPTY
        })
    );
    assert!(fixture.user_texts(&fixture.theirs, "chat").is_empty());
    fixture.add_turns(&fixture.theirs, "chat", &["theirs"]);
    assert_eq!(
        fixture.user_texts(&fixture.ours, "chat"),
        ["ours 1", "ours 2"]
    );
    assert_eq!(fixture.user_texts(&fixture.theirs, "chat"), ["theirs"]);
}

#[test]
fn generated_session_of_another_tenant_is_not_found() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    let id = clawless_core::SessionId::generate(now, &fixture.entropy);
    let new = NewSession::default();
    let create = sessions::create(&fixture.database, &fixture.ours, &id, &new, now);
    block_on(create).expect("succeeds").expect("created");
    assert_eq!(
        block_on(sessions::find(&fixture.database, &fixture.theirs, &id, now)),
        Ok(None)
    );
    let intruder = fixture.turn(id.as_str(), 0, "let me in");
    assert_eq!(
        fixture.commit(&fixture.theirs, &intruder),
        Err(CommitError::SessionGone)
    );
    assert_eq!(fixture.database.count("SELECT count(*) FROM turns"), 0);
}

#[test]
fn request_id_of_another_tenant_is_not_found_and_does_not_conflict() {
    let fixture = Fixture::new();
    let turn = fixture.turn("chat", 0, "ours");
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let found = find_by_request(&fixture.database, &fixture.theirs, &turn.request);
    assert_eq!(block_on(found), Ok(None));
    let same = fixture.commit(&fixture.theirs, &turn).expect("independent");
    assert!(!same.repeated);
}

#[test]
fn reset_and_delete_affect_only_the_tenants_own_session() {
    let fixture = Fixture::new();
    let (id, now) = (session_id("chat"), fixture.clock.now());
    for tenant in [&fixture.ours, &fixture.theirs] {
        fixture.add_turns(tenant, "chat", &["one", "two"]);
    }
    assert!(
        block_on(sessions::reset(&fixture.database, &fixture.ours, &id, now))
            .expect("succeeds")
            .is_some()
    );
    assert!(
        block_on(sessions::delete(&fixture.database, &fixture.ours, &id, now))
            .expect("succeeds")
            .is_some()
    );
    assert_eq!(fixture.user_texts(&fixture.theirs, "chat"), ["one", "two"]);
    let foreign = session_id("theirs-alone");
    fixture.add_turns(&fixture.theirs, "theirs-alone", &["mine"]);
    let delete = sessions::delete(&fixture.database, &fixture.ours, &foreign, now);
    assert_eq!(block_on(delete), Ok(None), "not found");
    assert_eq!(
        fixture.user_texts(&fixture.theirs, "theirs-alone"),
        ["mine"]
    );
}
