//! Keys are minted, rotated and revoked together with their lines in the audit log, or not at all.

use clawless_core::json::Json;
use clawless_core::keys::KeyText;
use clawless_core::{ApiKey, AuditId, Clock, KeyId, KeyKind, Millis, RequestId, TenantId};
use clawless_store::api_keys::{self, StoredKey};
use clawless_store::audit::{self, AuditEntry};
use clawless_store::{SqlErrorKind, Transient};
use clawless_testkit::{Fault, block_on};

use crate::world::World;

/// A line for the audit log.
pub(crate) fn entry(world: &World, action: &'static str, target: &str) -> AuditEntry {
    let now = world.clock.now();
    AuditEntry {
        id: AuditId::generate(now, &world.entropy),
        at: now,
        actor: "adm_somebody".to_owned(),
        action,
        target: Some(target.to_owned()),
        before: None,
        after: Some(Json::of(&["new"]).expect("JSON")),
        request_id: RequestId::generate(now, &world.entropy),
    }
}

/// A key that is not stored yet.
fn fresh(world: &World, tenant: &TenantId) -> ApiKey {
    ApiKey {
        id: KeyId::generate(world.clock.now(), &world.entropy),
        ..world.key(tenant).0
    }
}

fn stored(world: &World, tenant: &TenantId, key: &ApiKey) -> Option<StoredKey> {
    block_on(api_keys::find(&world.database, tenant, &key.id)).expect("runs")
}

fn actions(world: &World, tenant: &TenantId) -> Vec<String> {
    let list = audit::list(&world.database, tenant, None, 100);
    let entries = block_on(list).expect("runs").into_iter();
    entries.map(|entry| entry.action).collect()
}

#[test]
fn a_minted_key_is_there_with_its_line_in_the_log() {
    let world = World::new();
    let key = fresh(&world, &world.ours);
    let digest = KeyText::generate(KeyKind::Secret, &world.entropy).digest();
    let noted = entry(&world, "key.mint", key.id.as_str());
    let mint = api_keys::mint(&world.database, &world.ours, &key, digest, &noted);
    block_on(mint).expect("runs");
    let found = stored(&world, &world.ours, &key).expect("there");
    assert_eq!((found.key, found.last_used_at), (key, None));
    let log = block_on(audit::list(&world.database, &world.ours, None, 10)).expect("runs");
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].actor.as_str(), &log[0].after, &log[0].request_id),
        ("adm_somebody", &noted.after, &noted.request_id)
    );
    assert!(actions(&world, &world.theirs).is_empty());
}

#[test]
fn a_change_that_fails_leaves_no_line_and_a_line_that_fails_leaves_no_change() {
    let world = World::new();
    let (key, digest) = world.key(&world.ours);
    let noted = entry(&world, "key.mint", key.id.as_str());
    let twice = api_keys::mint(&world.database, &world.ours, &key, digest, &noted);
    let error = block_on(twice).expect_err("its id is taken");
    assert!(matches!(error.kind, SqlErrorKind::Conflict(_)));
    assert!(actions(&world, &world.ours).is_empty());

    let noted = entry(&world, "key.revoke", key.id.as_str());
    block_on(audit::note(&world.database, &world.ours, &noted)).expect("runs");
    let now = world.clock.now();
    let revoke = api_keys::revoke(&world.database, &world.ours, &key, now, &noted);
    assert!(block_on(revoke).is_err(), "the line's id is taken");
    assert_eq!(stored(&world, &world.ours, &key).expect("there").key, key);
}

#[test]
fn a_rotated_key_ends_after_its_grace_and_names_its_successor() {
    let world = World::new();
    let (old, _) = world.key(&world.ours);
    let new = fresh(&world, &world.ours);
    let digest = KeyText::generate(KeyKind::Secret, &world.entropy).digest();
    let ends = world.clock.now().plus(Millis::from_secs(60));
    let rotate = || {
        let noted = entry(&world, "key.rotate", old.id.as_str());
        block_on(api_keys::rotate(
            &world.database,
            &world.ours,
            &old,
            ends,
            (&new, digest),
            &noted,
        ))
    };
    assert_eq!(rotate(), Ok(true));
    let found = stored(&world, &world.ours, &old).expect("there");
    assert_eq!(found.successor_id, Some(new.id.clone()));
    assert_eq!((found.key.expires_at, found.key.version), (Some(ends), 2));
    assert!(stored(&world, &world.ours, &new).is_some());
    assert_eq!(rotate(), Ok(false), "the record has changed since");
    assert_eq!(actions(&world, &world.ours), ["key.rotate"]);
}

#[test]
fn two_who_revoke_at_once_make_one_change() {
    let world = World::new();
    let (key, digest) = world.key(&world.ours);
    let now = world.clock.now();
    let revoke = |tenant| {
        let noted = entry(&world, "key.revoke", key.id.as_str());
        block_on(api_keys::revoke(&world.database, tenant, &key, now, &noted))
    };
    assert_eq!(revoke(&world.ours), Ok(true));
    assert_eq!(revoke(&world.ours), Ok(false));
    let found = api_keys::find_by_digest_across_tenants(&world.database, digest);
    let (found, _) = block_on(found).expect("runs").expect("there");
    assert_eq!((found.revoked_at, found.version), (Some(now), 2));
}

#[test]
fn keys_of_another_tenant_are_not_found_listed_changed_or_noted() {
    let world = World::new();
    let (key, _) = world.key(&world.theirs);
    assert_eq!(stored(&world, &world.ours, &key), None);
    let list = api_keys::list(&world.database, &world.ours, None, 10);
    assert_eq!(block_on(list), Ok(vec![]));
    let now = world.clock.now();
    let noted = entry(&world, "key.revoke", key.id.as_str());
    let revoke = api_keys::revoke(&world.database, &world.ours, &key, now, &noted);
    block_on(revoke).expect("runs");
    let uses = [(key.id.clone(), now)];
    let note = api_keys::note_uses(&world.database, &world.ours, &uses);
    block_on(note).expect("runs");
    let found = stored(&world, &world.theirs, &key).expect("there");
    assert_eq!((found.key, found.last_used_at), (key, None));
}

#[test]
fn keys_are_listed_page_by_page_and_oldest_first() {
    let world = World::new();
    let mut ids: Vec<KeyId> = (0..5).map(|_| world.key(&world.ours).0.id).collect();
    ids.sort();
    let page = |after: Option<&KeyId>| -> Vec<KeyId> {
        let list = api_keys::list(&world.database, &world.ours, after, 2);
        let keys = block_on(list).expect("runs").into_iter();
        keys.map(|stored| stored.key.id).collect()
    };
    assert_eq!(page(None), ids[..2]);
    assert_eq!(page(Some(&ids[1])), ids[2..4]);
    assert_eq!(page(Some(&ids[4])), []);
}

#[test]
fn a_last_use_only_moves_forward_and_makes_no_copy_stale() {
    let world = World::new();
    let (key, _) = world.key(&world.ours);
    let (early, late) = (world.clock.now(), world.clock.now().plus(Millis::new(5)));
    for at in [late, early] {
        let uses = [(key.id.clone(), at)];
        let note = api_keys::note_uses(&world.database, &world.ours, &uses);
        block_on(note).expect("runs");
    }
    let found = stored(&world, &world.ours, &key).expect("there");
    assert_eq!((found.last_used_at, found.key.version), (Some(late), 1));
}

#[test]
fn a_lost_connection_is_not_taken_for_a_change_by_another() {
    let world = World::new();
    let (key, _) = world.key(&world.ours);
    let noted = entry(&world, "key.revoke", key.id.as_str());
    world.database.plan([Some(Fault::Before(Fault::LOST))]);
    let now = world.clock.now();
    let revoke = api_keys::revoke(&world.database, &world.ours, &key, now, &noted);
    assert!(block_on(revoke).expect_err("lost").is_transient());
}
