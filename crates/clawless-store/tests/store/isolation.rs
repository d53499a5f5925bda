//! Two tenants with the same session names never see, change or block one another.

use clawless_core::Clock;
use clawless_core::session::SessionHead;
use clawless_store::sessions::{self, NewSession, SessionLookup};
use clawless_store::turns::{CommitError, find_by_request};
use clawless_testkit::block_on;

use crate::world::{World, name};

#[test]
fn the_same_name_is_two_sessions() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["ours 1", "ours 2"]);
    let place = block_on(sessions::look_up(
        &world.database,
        &world.theirs,
        &name("chat"),
        world.clock.now(),
    ));
    assert_eq!(
        place,
        Ok(SessionLookup::Free {
            head: SessionHead::EMPTY
        })
    );
    assert!(world.said(&world.theirs, "chat").is_empty());
    world.converse(&world.theirs, "chat", &["theirs"]);
    assert_eq!(world.said(&world.ours, "chat"), ["ours 1", "ours 2"]);
    assert_eq!(world.said(&world.theirs, "chat"), ["theirs"]);
}

#[test]
fn a_generated_session_of_another_tenant_is_not_there() {
    let world = World::new();
    let now = world.clock.now();
    let id = clawless_core::SessionId::generate(now, &world.entropy);
    let new = NewSession::default();
    let create = sessions::create(&world.database, &world.ours, &id, &new, now);
    block_on(create).expect("runs").expect("free");
    assert_eq!(
        block_on(sessions::find(&world.database, &world.theirs, &id, now)),
        Ok(None)
    );
    let intruder = world.turn(id.as_str(), 0, "let me in");
    assert_eq!(
        world.commit(&world.theirs, &intruder),
        Err(CommitError::SessionGone)
    );
    assert_eq!(world.database.count("SELECT count(*) FROM turns"), 0);
}

#[test]
fn a_request_id_of_another_tenant_neither_blocks_nor_shows() {
    let world = World::new();
    let turn = world.turn("chat", 0, "ours");
    world.commit(&world.ours, &turn).expect("stored");
    let found = find_by_request(&world.database, &world.theirs, &turn.request);
    assert_eq!(block_on(found), Ok(None));
    let same = world.commit(&world.theirs, &turn).expect("independent");
    assert!(!same.repeated);
}

#[test]
fn resetting_and_deleting_touch_the_tenants_own_session_only() {
    let world = World::new();
    let (id, now) = (name("chat"), world.clock.now());
    for tenant in [&world.ours, &world.theirs] {
        world.converse(tenant, "chat", &["one", "two"]);
    }
    assert!(block_on(sessions::reset(&world.database, &world.ours, &id, now)).expect("runs"));
    assert!(block_on(sessions::delete(&world.database, &world.ours, &id, now)).expect("runs"));
    assert_eq!(world.said(&world.theirs, "chat"), ["one", "two"]);
    let absent = name("theirs-alone");
    world.converse(&world.theirs, "theirs-alone", &["mine"]);
    let delete = sessions::delete(&world.database, &world.ours, &absent, now);
    assert!(!block_on(delete).expect("runs"), "as if it were not there");
    assert_eq!(world.said(&world.theirs, "theirs-alone"), ["mine"]);
}
