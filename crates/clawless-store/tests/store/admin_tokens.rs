//! The operators' tokens, and the log of what was done with them.

use clawless_core::keys::KeyText;
use clawless_core::{AdminTokenId, Clock, KeyKind, Millis};
use clawless_store::admin_tokens::{self, AdminToken};
use clawless_store::audit;
use clawless_testkit::block_on;

use crate::key_changes::entry;
use crate::world::World;

#[test]
fn a_token_is_found_by_its_digest_until_it_is_revoked_or_expires() {
    let world = World::new();
    let now = world.clock.now();
    let digest = KeyText::generate(KeyKind::Admin, &world.entropy).digest();
    let token = AdminToken {
        id: AdminTokenId::generate(now, &world.entropy),
        name: "on call".to_owned(),
        expires_at: Some(now.plus(Millis::from_secs(60))),
        revoked_at: None,
        created_at: now,
    };
    let noted = entry(&world, "token.mint", token.id.as_str());
    let mint = admin_tokens::mint_across_tenants(&world.database, &token, digest, &noted);
    block_on(mint).expect("runs");
    let find = || {
        let find = admin_tokens::find_by_digest_across_tenants(&world.database, digest);
        block_on(find).expect("runs").expect("there")
    };
    assert_eq!(find(), token);
    assert!(find().is_usable(now) && !find().is_usable(now.plus(Millis::from_secs(60))));

    let noted = entry(&world, "token.revoke", token.id.as_str());
    let revoke = admin_tokens::revoke_across_tenants(&world.database, &token.id, now, &noted);
    assert_eq!(block_on(revoke), Ok(true));
    assert!(!find().is_usable(now));
    // Another operator had read it before that. The log names the one who did it.
    let late = (
        now.plus(Millis::from_secs(1)),
        entry(&world, "token.revoke", "late"),
    );
    let again = admin_tokens::revoke_across_tenants(&world.database, &token.id, late.0, &late.1);
    assert_eq!(block_on(again), Ok(false));
    assert_eq!(find().revoked_at, Some(now));
    let by_id = admin_tokens::find_across_tenants(&world.database, &token.id);
    assert_eq!(block_on(by_id), Ok(Some(find())));
    let list = admin_tokens::list_across_tenants(&world.database, None, 10);
    assert_eq!(block_on(list), Ok(vec![find()]));
    let after = admin_tokens::list_across_tenants(&world.database, Some(&token.id), 10);
    assert_eq!(block_on(after), Ok(vec![]));

    let log = block_on(audit::list_across_tenants(&world.database, None, 10)).expect("runs");
    let actions: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert!(log.iter().all(|entry| entry.tenant_id.is_none()));
    assert_eq!(actions.len(), 2);
    let page = audit::list_across_tenants(&world.database, Some(&log[0].id), 10);
    assert_eq!(block_on(page).expect("runs"), log[1..]);
}

#[test]
fn the_log_cannot_be_changed() {
    let world = World::new();
    let noted = entry(&world, "key.mint", "key");
    block_on(audit::note(&world.database, &world.ours, &noted)).expect("runs");
    for attempt in ["DELETE FROM audit_log", "UPDATE audit_log SET actor = 'x'"] {
        let change = || world.database.run_script(attempt);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(change)).is_err());
    }
    assert_eq!(world.database.count("SELECT count(*) FROM audit_log"), 1);
}
