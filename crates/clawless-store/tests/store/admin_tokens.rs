//! Admin tokens and their audit entries.

use clawless_core::admin_role::AdminRole;
use clawless_core::admin_token::AdminToken;
use clawless_core::keys::KeyText;
use clawless_core::{AdminTokenId, Clock, KeyKind, Millis};
use clawless_store::admin_tokens;
use clawless_store::{audit, erasure};
use clawless_testkit::block_on;

use crate::fixture::Fixture;
use crate::key_changes::entry;

#[test]
fn admin_token_is_usable_until_it_is_revoked_or_expires() {
    let fixture = Fixture::new();
    let now = fixture.clock.now();
    let digest = KeyText::generate(KeyKind::Admin, &fixture.entropy).digest();
    let token = AdminToken {
        id: AdminTokenId::generate(now, &fixture.entropy),
        name: "on call".to_owned(),
        role: AdminRole::Operator,
        expires_at: Some(now.plus(Millis::from_secs(60))),
        revoked_at: None,
        created_at: now,
    };
    let audit_entry = entry(&fixture, "token.mint", token.id.as_str());
    let mint = admin_tokens::mint_across_tenants(&fixture.database, &token, digest, &audit_entry);
    block_on(mint).expect("succeeds");
    let find = || {
        let find = admin_tokens::find_by_digest_across_tenants(&fixture.database, digest);
        block_on(find).expect("succeeds").expect("found")
    };
    assert_eq!(find(), token);
    assert!(find().is_usable(now) && !find().is_usable(now.plus(Millis::from_secs(60))));

    let audit_entry = entry(&fixture, "token.revoke", token.id.as_str());
    let revoke =
        admin_tokens::revoke_across_tenants(&fixture.database, &token.id, now, &audit_entry);
    assert_eq!(block_on(revoke), Ok(true));
    assert!(!find().is_usable(now));
    // A concurrent revocation changes nothing.
    let late = (
        now.plus(Millis::from_secs(1)),
        entry(&fixture, "token.revoke", "late"),
    );
    let again = admin_tokens::revoke_across_tenants(&fixture.database, &token.id, late.0, &late.1);
    assert_eq!(block_on(again), Ok(false));
    assert_eq!(find().revoked_at, Some(now));
    let by_id = admin_tokens::find_across_tenants(&fixture.database, &token.id);
    assert_eq!(block_on(by_id), Ok(Some(find())));
    let list = admin_tokens::list_across_tenants(&fixture.database, None, 10);
    assert_eq!(block_on(list), Ok(vec![find()]));
    let after = admin_tokens::list_across_tenants(&fixture.database, Some(&token.id), 10);
    assert_eq!(block_on(after), Ok(vec![]));

    let log = block_on(audit::list_across_tenants(
        &fixture.database,
        None,
        10,
        true,
    ))
    .expect("succeeds");
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert!(log.iter().all(|entry| entry.tenant_id.is_none()));
    assert_eq!(actions.len(), 2);
    let page = audit::list_across_tenants(&fixture.database, Some(&log[0].id), 10, true);
    assert_eq!(block_on(page).expect("succeeds"), log[1..]);
}

fn mint(fixture: &Fixture, role: AdminRole) -> AdminToken {
    let now = fixture.clock.now();
    let digest = KeyText::generate(KeyKind::Admin, &fixture.entropy).digest();
    let token = AdminToken {
        id: AdminTokenId::generate(now, &fixture.entropy),
        name: "a".to_owned(),
        role,
        expires_at: None,
        revoked_at: None,
        created_at: now,
    };
    let entry = entry(fixture, "token.mint", token.id.as_str());
    let mint = admin_tokens::mint_across_tenants(&fixture.database, &token, digest, &entry);
    block_on(mint).expect("succeeds");
    token
}

fn stored(fixture: &Fixture, token: &AdminToken) -> AdminToken {
    let find = admin_tokens::find_across_tenants(&fixture.database, &token.id);
    block_on(find).expect("succeeds").expect("found")
}

#[test]
fn change_is_stored_unless_the_token_has_changed_meanwhile() {
    let fixture = Fixture::new();
    let before = mint(&fixture, AdminRole::Owner);
    let after = AdminToken {
        name: "b".to_owned(),
        role: AdminRole::TenantAdmin(fixture.ours.clone()),
        expires_at: Some(fixture.clock.now().plus(Millis::from_secs(60))),
        ..before.clone()
    };
    let change = |before: &AdminToken, after: &AdminToken| {
        let entry = entry(&fixture, "token.update", "a");
        let change = admin_tokens::change_across_tenants(&fixture.database, before, after, &entry);
        block_on(change)
    };
    assert_eq!(change(&before, &after), Ok(true));
    assert_eq!(stored(&fixture, &before), after);
    // A request that read the token before the change does not widen it again.
    assert_eq!(change(&before, &before), Ok(false));
    assert_eq!(stored(&fixture, &before), after);
    let now = fixture.clock.now();
    let audit = entry(&fixture, "token.revoke", "a");
    let revoke = admin_tokens::revoke_across_tenants(&fixture.database, &after.id, now, &audit);
    assert_eq!(block_on(revoke), Ok(true));
    assert_eq!(change(&after, &before), Ok(false));
    assert_eq!(fixture.database.count("SELECT count(*) FROM audit_log"), 3);
}

#[test]
fn tokens_from_before_roles_are_owners() {
    let fixture = Fixture::new();
    let old = mint(&fixture, AdminRole::Viewer);
    let id = AdminTokenId::generate(fixture.clock.now(), &fixture.entropy);
    fixture.database.run_script(&format!(
        "INSERT INTO admin_tokens (id, digest, name, created_at)
         SELECT '{id}', lower(hex(randomblob(32))), name, created_at FROM admin_tokens"
    ));
    let token = AdminToken { id, ..old };
    assert_eq!(stored(&fixture, &token).role, AdminRole::Owner);
}

#[test]
fn tokens_of_a_tenant_are_revoked_when_it_is_deleted() {
    let fixture = Fixture::new();
    let bound = mint(&fixture, AdminRole::TenantAdmin(fixture.ours.clone()));
    let others = [
        mint(&fixture, AdminRole::TenantAdmin(fixture.theirs.clone())),
        mint(&fixture, AdminRole::Owner),
    ];
    let erase = erasure::erase_rows(&fixture.database, &fixture.ours, 100, 100);
    assert_eq!(block_on(erase), Ok(true));
    let again = mint(&fixture, AdminRole::TenantAdmin(fixture.ours.clone()));
    let list = admin_tokens::list_bound(&fixture.database, &fixture.ours);
    let list = block_on(list).expect("succeeds");
    assert_eq!(list, [bound.clone(), again.clone()]);
    // Another request revokes one meanwhile, which is then not recorded twice.
    let revoke = entry(&fixture, "token.revoke", again.id.as_str());
    let now = fixture.now();
    let revoke = admin_tokens::revoke_across_tenants(&fixture.database, &again.id, now, &revoke);
    assert_eq!(block_on(revoke), Ok(true));
    let revoked = list.iter();
    let revoked: Vec<_> = revoked
        .map(|token| entry(&fixture, "token.revoke", token.id.as_str()))
        .collect();
    let deleted = entry(&fixture, "tenant.delete", fixture.ours.as_str());
    let delete = erasure::delete_tenant(&fixture.database, &fixture.ours, &revoked, &deleted);
    block_on(delete).expect("succeeds");
    for token in [&bound, &again] {
        let lines = format!(
            "SELECT count(*) FROM audit_log WHERE action = 'token.revoke' AND target = '{}'",
            token.id
        );
        assert_eq!(fixture.database.count(&lines), 1);
    }
    let lists = [true, false].map(|with_tokens| {
        let list = audit::list_across_tenants(&fixture.database, None, 100, with_tokens);
        let list = block_on(list).expect("succeeds");
        let tokens = list.iter().filter(|it| it.action.starts_with("token."));
        (
            tokens.count() > 0,
            list.iter().any(|it| it.action == "tenant.delete"),
        )
    });
    assert_eq!(lists, [(true, true), (false, true)]);
    assert_eq!(stored(&fixture, &bound).revoked_at, Some(deleted.at));
    for token in others {
        assert_eq!(stored(&fixture, &token), token);
    }
}

#[test]
fn audit_entries_cannot_be_changed() {
    let fixture = Fixture::new();
    let audit_entry = entry(&fixture, "key.mint", "key");
    block_on(audit::record(
        &fixture.database,
        &fixture.ours,
        &audit_entry,
    ))
    .expect("succeeds");
    for attempt in ["DELETE FROM audit_log", "UPDATE audit_log SET actor = 'x'"] {
        let change = || fixture.database.run_script(attempt);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(change)).is_err());
    }
    assert_eq!(fixture.database.count("SELECT count(*) FROM audit_log"), 1);
}
