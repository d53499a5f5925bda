//! API keys and their tenants are found by digest.

use clawless_core::keys::KeyText;
use clawless_core::{Clock, KeyKind};
use clawless_store::api_keys::{self, find_by_digest_across_tenants};
use clawless_store::{SqlErrorKind, tenants};
use clawless_testkit::block_on;

use crate::fixture::Fixture;

#[test]
fn key_and_tenant_are_found_in_one_query() {
    let fixture = Fixture::new();
    let (key, digest) = fixture.key(&fixture.ours);
    fixture.key(&fixture.theirs);
    let before = fixture.database.calls();
    let found = block_on(find_by_digest_across_tenants(&fixture.database, digest));
    assert_eq!(fixture.database.calls() - before, 1);
    let (found, tenant) = found.expect("succeeds").expect("found");
    assert_eq!(found, key);
    let same = block_on(tenants::find(&fixture.database, &fixture.ours));
    assert_eq!(Some(tenant), same.expect("succeeds"));
}

#[test]
fn unknown_key_is_not_found() {
    let fixture = Fixture::new();
    fixture.key(&fixture.ours);
    let digest = KeyText::generate(KeyKind::Secret, &fixture.entropy).digest();
    let found = block_on(find_by_digest_across_tenants(&fixture.database, digest));
    assert_eq!(found, Ok(None));
}

#[test]
fn digest_is_unique() {
    let fixture = Fixture::new();
    let (key, digest) = fixture.key(&fixture.ours);
    let duplicate = block_on(api_keys::insert(
        &fixture.database,
        &fixture.theirs,
        &key,
        digest,
    ));
    let error = duplicate.expect_err("rejected");
    assert_eq!(
        error.kind,
        SqlErrorKind::Conflict("api_keys.digest".to_owned())
    );
}

#[test]
fn key_text_is_not_stored() {
    let fixture = Fixture::new();
    let text = KeyText::generate(KeyKind::Secret, &fixture.entropy);
    let (key, _) = fixture.key(&fixture.ours);
    let other = clawless_core::ApiKey {
        id: clawless_core::KeyId::generate(fixture.clock.now(), &fixture.entropy),
        ..key
    };
    block_on(api_keys::insert(
        &fixture.database,
        &fixture.ours,
        &other,
        text.digest(),
    ))
    .expect("new");
    let rows = fixture.database.rows("SELECT * FROM api_keys");
    let random = text.reveal().trim_start_matches("cl_sk_");
    assert!(!format!("{rows:?}").contains(random));
}
