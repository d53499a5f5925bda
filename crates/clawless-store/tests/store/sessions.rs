//! Sessions are created once, and a name goes on from where it was.

use std::collections::BTreeMap;

use clawless_core::session::Head;
use clawless_core::{Clock, Millis};
use clawless_store::sessions::{self, NewSession, Place};
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
    assert_eq!(created.head, Head::EMPTY);
    let found = block_on(sessions::find(&world.database, &world.ours, &id)).expect("runs");
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
    ));
    assert_eq!(place, Ok(Place::Free { head: Head::EMPTY }));
    assert!(
        world
            .commit(&world.ours, &world.turn("new", 0, "hello"))
            .is_ok()
    );
}
