//! API keys are found by their digest, and their tenant with them.

use clawless_core::keys::KeyText;
use clawless_core::{Clock, KeyKind};
use clawless_store::api_keys::{self, find_by_digest_across_tenants};
use clawless_store::{SqlErrorKind, tenants};
use clawless_testkit::block_on;

use crate::world::World;

#[test]
fn a_key_is_found_with_its_tenant_in_one_query() {
    let world = World::new();
    let (key, digest) = world.key(&world.ours);
    world.key(&world.theirs);
    let before = world.database.calls();
    let found = block_on(find_by_digest_across_tenants(&world.database, digest));
    assert_eq!(world.database.calls() - before, 1);
    let (found, tenant) = found.expect("runs").expect("there");
    assert_eq!(found, key);
    let same = block_on(tenants::find(&world.database, &world.ours));
    assert_eq!(Some(tenant), same.expect("runs"));
}

#[test]
fn an_unknown_key_is_nobodys() {
    let world = World::new();
    world.key(&world.ours);
    let digest = KeyText::generate(KeyKind::Secret, &world.entropy).digest();
    let found = block_on(find_by_digest_across_tenants(&world.database, digest));
    assert_eq!(found, Ok(None));
}

#[test]
fn one_digest_has_one_owner() {
    let world = World::new();
    let (key, digest) = world.key(&world.ours);
    let stolen = block_on(api_keys::insert(
        &world.database,
        &world.theirs,
        &key,
        digest,
    ));
    let error = stolen.expect_err("refused");
    assert_eq!(
        error.kind,
        SqlErrorKind::Conflict("api_keys.digest".to_owned())
    );
}

#[test]
fn the_key_itself_is_nowhere() {
    let world = World::new();
    let text = KeyText::generate(KeyKind::Secret, &world.entropy);
    let (key, _) = world.key(&world.ours);
    let other = clawless_core::ApiKey {
        id: clawless_core::KeyId::generate(world.clock.now(), &world.entropy),
        ..key
    };
    block_on(api_keys::insert(
        &world.database,
        &world.ours,
        &other,
        text.digest(),
    ))
    .expect("new");
    let rows = world.database.rows("SELECT * FROM api_keys");
    let random = text.reveal().trim_start_matches("cl_sk_");
    assert!(!format!("{rows:?}").contains(random));
}
