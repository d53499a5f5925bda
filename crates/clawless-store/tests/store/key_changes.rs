//! Keys are minted, rotated and revoked together with their audit entries, or not at all.

use clawless_core::api_key::StoredKey;
use clawless_core::json::Json;
use clawless_core::keys::KeyText;
use clawless_core::limits::KeyLimits;
use clawless_core::{ApiKey, AuditId, Clock, KeyId, KeyKind, Millis, RequestId, TenantId};
use clawless_store::api_keys;
use clawless_store::audit::{self, AuditEntry};
use clawless_store::{SqlErrorKind, Transient};
use clawless_testkit::{Fault, block_on};

use crate::fixture::Fixture;

/// An audit entry.
pub(crate) fn entry(fixture: &Fixture, action: &'static str, target: &str) -> AuditEntry {
    let now = fixture.clock.now();
    AuditEntry {
        id: AuditId::generate(now, &fixture.entropy),
        at: now,
        actor: "adm_operator".to_owned(),
        action,
        target: Some(target.to_owned()),
        before: None,
        after: Some(Json::from_value(&["new"]).expect("JSON")),
        request_id: RequestId::generate(now, &fixture.entropy),
    }
}

/// A key that is not stored yet.
fn fresh(fixture: &Fixture, tenant: &TenantId) -> ApiKey {
    ApiKey {
        id: KeyId::generate(fixture.clock.now(), &fixture.entropy),
        ..fixture.key(tenant).0
    }
}

fn stored(fixture: &Fixture, tenant: &TenantId, key: &ApiKey) -> Option<StoredKey> {
    block_on(api_keys::find(&fixture.database, tenant, &key.id)).expect("succeeds")
}

fn actions(fixture: &Fixture, tenant: &TenantId) -> Vec<String> {
    let list = audit::list(&fixture.database, tenant, None, 100);
    let entries = block_on(list).expect("succeeds").into_iter();
    entries.map(|entry| entry.action).collect()
}

#[test]
fn minting_stores_the_key_and_its_audit_entry() {
    let fixture = Fixture::new();
    let key = fresh(&fixture, &fixture.ours);
    let digest = KeyText::generate(KeyKind::Secret, &fixture.entropy).digest();
    let audit_entry = entry(&fixture, "key.mint", key.id.as_str());
    let mint = api_keys::mint(&fixture.database, &fixture.ours, &key, digest, &audit_entry);
    block_on(mint).expect("succeeds");
    let found = stored(&fixture, &fixture.ours, &key).expect("found");
    assert_eq!((found.key, found.last_used_at), (key, None));
    let log = block_on(audit::list(&fixture.database, &fixture.ours, None, 10)).expect("succeeds");
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].actor.as_str(), &log[0].after, &log[0].request_id),
        ("adm_operator", &audit_entry.after, &audit_entry.request_id)
    );
    assert!(actions(&fixture, &fixture.theirs).is_empty());
}

#[test]
fn change_and_audit_entry_are_stored_together_or_not_at_all() {
    let fixture = Fixture::new();
    let (key, digest) = fixture.key(&fixture.ours);
    let audit_entry = entry(&fixture, "key.mint", key.id.as_str());
    let twice = api_keys::mint(&fixture.database, &fixture.ours, &key, digest, &audit_entry);
    let error = block_on(twice).expect_err("the id exists");
    assert!(matches!(error.kind, SqlErrorKind::Conflict(_)));
    assert!(actions(&fixture, &fixture.ours).is_empty());

    let audit_entry = entry(&fixture, "key.revoke", key.id.as_str());
    block_on(audit::record(
        &fixture.database,
        &fixture.ours,
        &audit_entry,
    ))
    .expect("succeeds");
    let now = fixture.clock.now();
    let revoke = api_keys::revoke(&fixture.database, &fixture.ours, &key, now, &audit_entry);
    assert!(block_on(revoke).is_err(), "the entry's id exists");
    assert_eq!(
        stored(&fixture, &fixture.ours, &key).expect("found").key,
        key
    );
}

#[test]
fn a_change_of_name_and_limits_is_stored_once_and_found_with_the_key() {
    let fixture = Fixture::new();
    let (before, digest) = fixture.key(&fixture.ours);
    let limits = KeyLimits {
        requests_per_minute: Some(10),
        burst: None,
        concurrent: Some(2),
    };
    let after = ApiKey {
        name: "renamed".to_owned(),
        limits,
        ..before.clone()
    };
    let change = |before: &ApiKey, after: &ApiKey| {
        let audit_entry = entry(&fixture, "key.update", before.id.as_str());
        let (sql, tenant) = (&fixture.database, &fixture.ours);
        block_on(api_keys::change(sql, tenant, before, after, &audit_entry))
    };
    assert_eq!(change(&before, &after), Ok(true));
    assert_eq!(change(&before, &after), Ok(false), "it has changed");
    let by_digest = api_keys::find_by_digest_across_tenants(&fixture.database, digest);
    let (found, _) = block_on(by_digest).expect("succeeds").expect("found");
    assert_eq!((found.name.as_str(), found.limits), ("renamed", limits));
    assert_eq!(found.version, before.version + 1);
    let found = stored(&fixture, &fixture.ours, &before).expect("found").key;
    assert_eq!(found.limits, limits);
    let without = ApiKey {
        limits: KeyLimits::default(),
        ..found.clone()
    };
    assert_eq!(change(&found, &without), Ok(true));
    let found = stored(&fixture, &fixture.ours, &before).expect("found").key;
    assert!(found.limits.is_unlimited());
    assert_eq!(actions(&fixture, &fixture.ours).len(), 2);
}

#[test]
fn rotated_key_gets_an_expiry_and_a_successor() {
    let fixture = Fixture::new();
    let (old, _) = fixture.key(&fixture.ours);
    let new = fresh(&fixture, &fixture.ours);
    let digest = KeyText::generate(KeyKind::Secret, &fixture.entropy).digest();
    let expires_at = fixture.clock.now().plus(Millis::from_secs(60));
    let rotate = || {
        let audit_entry = entry(&fixture, "key.rotate", old.id.as_str());
        block_on(api_keys::rotate(
            &fixture.database,
            &fixture.ours,
            &old,
            expires_at,
            (&new, digest),
            &audit_entry,
        ))
    };
    assert_eq!(rotate(), Ok(true));
    let found = stored(&fixture, &fixture.ours, &old).expect("found");
    assert_eq!(found.successor_id, Some(new.id.clone()));
    assert_eq!(
        (found.key.expires_at, found.key.version),
        (Some(expires_at), 2)
    );
    assert!(stored(&fixture, &fixture.ours, &new).is_some());
    assert_eq!(rotate(), Ok(false), "the record has changed since");
    assert_eq!(actions(&fixture, &fixture.ours), ["key.rotate"]);
}

#[test]
fn concurrent_revocations_make_one_change() {
    let fixture = Fixture::new();
    let (key, digest) = fixture.key(&fixture.ours);
    let now = fixture.clock.now();
    let revoke = |tenant| {
        let audit_entry = entry(&fixture, "key.revoke", key.id.as_str());
        block_on(api_keys::revoke(
            &fixture.database,
            tenant,
            &key,
            now,
            &audit_entry,
        ))
    };
    assert_eq!(revoke(&fixture.ours), Ok(true));
    assert_eq!(revoke(&fixture.ours), Ok(false));
    let found = api_keys::find_by_digest_across_tenants(&fixture.database, digest);
    let (found, _) = block_on(found).expect("succeeds").expect("found");
    assert_eq!((found.revoked_at, found.version), (Some(now), 2));
}

#[test]
fn keys_of_another_tenant_cannot_be_read_or_changed() {
    let fixture = Fixture::new();
    let (key, _) = fixture.key(&fixture.theirs);
    assert_eq!(stored(&fixture, &fixture.ours, &key), None);
    let list = api_keys::list(&fixture.database, &fixture.ours, None, 10);
    assert_eq!(block_on(list), Ok(vec![]));
    let now = fixture.clock.now();
    let audit_entry = entry(&fixture, "key.revoke", key.id.as_str());
    let revoke = api_keys::revoke(&fixture.database, &fixture.ours, &key, now, &audit_entry);
    block_on(revoke).expect("succeeds");
    let uses = [(key.id.clone(), now)];
    let record = api_keys::record_uses(&fixture.database, &fixture.ours, &uses);
    block_on(record).expect("succeeds");
    let found = stored(&fixture, &fixture.theirs, &key).expect("found");
    assert_eq!((found.key, found.last_used_at), (key, None));
}

#[test]
fn keys_are_listed_in_pages_oldest_first() {
    let fixture = Fixture::new();
    let mut ids: Vec<KeyId> = (0..5).map(|_| fixture.key(&fixture.ours).0.id).collect();
    ids.sort();
    let page = |after: Option<&KeyId>| -> Vec<KeyId> {
        let list = api_keys::list(&fixture.database, &fixture.ours, after, 2);
        let keys = block_on(list).expect("succeeds").into_iter();
        keys.map(|stored| stored.key.id).collect()
    };
    assert_eq!(page(None), ids[..2]);
    assert_eq!(page(Some(&ids[1])), ids[2..4]);
    assert_eq!(page(Some(&ids[4])), []);
}

#[test]
fn last_use_only_moves_forward_and_keeps_the_version() {
    let fixture = Fixture::new();
    let (key, _) = fixture.key(&fixture.ours);
    let (early, late) = (
        fixture.clock.now(),
        fixture.clock.now().plus(Millis::new(5)),
    );
    for at in [late, early] {
        let uses = [(key.id.clone(), at)];
        let record = api_keys::record_uses(&fixture.database, &fixture.ours, &uses);
        block_on(record).expect("succeeds");
    }
    let found = stored(&fixture, &fixture.ours, &key).expect("found");
    assert_eq!((found.last_used_at, found.key.version), (Some(late), 1));
}

#[test]
fn lost_connection_is_not_reported_as_a_concurrent_change() {
    let fixture = Fixture::new();
    let (key, _) = fixture.key(&fixture.ours);
    let audit_entry = entry(&fixture, "key.revoke", key.id.as_str());
    fixture
        .database
        .inject([Some(Fault::Before(Fault::CONNECTION_LOST))]);
    let now = fixture.clock.now();
    let revoke = api_keys::revoke(&fixture.database, &fixture.ours, &key, now, &audit_entry);
    assert!(block_on(revoke).expect_err("lost").is_transient());
}
