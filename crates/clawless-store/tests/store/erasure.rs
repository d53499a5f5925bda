//! A tenant's data goes piece by piece, and nobody else's goes with it.

use clawless_store::{erasure, tenants};
use clawless_testkit::{Fault, block_on};

use crate::key_changes::entry;
use crate::world::{World, name};

/// Everything that is stored of a tenant.
pub(crate) fn rows(world: &World, tenant: &str) -> i64 {
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
        world.database.count(&sql)
    };
    let tables = [
        "sends",
        "sessions",
        "turns",
        "messages",
        "tool_executions",
        "receipts",
        "idempotency",
        "api_keys",
    ];
    tables.into_iter().map(count).sum()
}

pub(crate) fn fill(world: &World) {
    for tenant in [&world.ours, &world.theirs] {
        world.key(tenant);
        for session in ["one", "two"] {
            world.converse(tenant, session, &["a", "b", "c"]);
        }
        world.database.run_script(&format!(
            "INSERT INTO tool_executions (tenant_id, id, request_id, call_id, tool, arguments,
                                          outcome, result, started_at, duration_ms)
             VALUES ('{tenant}', 'tex_{tenant}', 'req_1', 'c', 't', '', 'failed', '', 1, 1);
             INSERT INTO idempotency (tenant_id, key_id, route, idempotency_key, body_digest,
                                      request_id, state, created_at, deadline, expires_at)
             VALUES ('{tenant}', 'k', 'r', 'i', '{digest}', 'req_1', 'running', 1, 1, 1);
             INSERT INTO sends (tenant_id, id, session_id, key_id, origin, digest, path, hops,
                                message, state, created_at, updated_at)
             SELECT tenant_id, 'snd_1', 'one', id, 'req_1', '{digest}', '[]', 1, 'hello', 'queued', 1, 1
             FROM api_keys WHERE tenant_id = '{tenant}';",
            digest = "0".repeat(64),
        ));
    }
}

#[test]
fn attack_23_a_deleted_tenant_leaves_nothing_and_takes_nothing_of_others() {
    let world = World::new();
    fill(&world);
    let (ours, theirs) = (world.ours.as_str(), world.theirs.as_str());
    let before = rows(&world, theirs);
    assert!(rows(&world, ours) > 10 && before > 10);
    let mut requests = 0;
    while !block_on(erasure::erase_some(&world.database, &world.ours, 2, 2)).expect("runs") {
        requests += 1;
        assert!(requests < 100, "it comes to an end");
    }
    assert!(requests > 2, "it took several pieces");
    assert_eq!((rows(&world, ours), rows(&world, theirs)), (0, before));
    let noted = entry(&world, "tenant.delete", ours);
    block_on(erasure::finish(&world.database, &world.ours, &noted)).expect("runs");
    let found = block_on(tenants::find(&world.database, &world.ours));
    assert_eq!(found, Ok(None));
    assert!(
        block_on(tenants::find(&world.database, &world.theirs))
            .expect("runs")
            .is_some()
    );
}

#[test]
fn an_erasure_empties_the_sessions_and_leaves_the_tenant_its_keys_and_its_books() {
    let world = World::new();
    fill(&world);
    world.converse(&world.ours, "three", &["x"]);
    let (ours, theirs) = (world.ours.as_str(), world.theirs.as_str());
    let before = rows(&world, theirs);
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let known = erasure::session_ids(&world.database, &world.ours, &after, 2);
        let known = block_on(known).expect("runs");
        let Some(last) = known.last() else { break };
        let now = world.now();
        let empty = erasure::empty_sessions(&world.database, &world.ours, &after, last, now);
        let emptied = block_on(empty).expect("runs");
        last.as_str().clone_into(&mut after);
        names.extend(emptied);
    }
    while !block_on(erasure::erase_beside_sessions(
        &world.database,
        &world.ours,
        1,
        2,
    ))
    .expect("runs")
    {}
    assert_eq!(names, ["one", "three", "two"].map(name));
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{ours}'");
        world.database.count(&sql)
    };
    for gone in [
        "turns",
        "messages",
        "tool_executions",
        "sends",
        "idempotency",
    ] {
        assert_eq!(count(gone), 0, "{gone}");
    }
    assert_eq!(
        (count("api_keys"), count("sessions")),
        (1, 3),
        "a name stays with its head"
    );
    assert!(world.said(&world.ours, "one").is_empty());
    assert_eq!(rows(&world, theirs), before);
    // A turn that was running when its session was erased is not stored.
    let zombie = world.turn("one", 3, "late");
    assert!(world.commit(&world.ours, &zombie).is_err());
    // Whoever was interrupted begins anew, and is told of all of them again.
    let again = erasure::session_ids(&world.database, &world.ours, "", 9);
    assert_eq!(block_on(again).expect("runs").len(), 3);
}

#[test]
fn an_interrupted_deletion_goes_on_where_it_stopped() {
    let world = World::new();
    fill(&world);
    world.database.plan([None, Some(Fault::After(Fault::LOST))]);
    assert!(block_on(erasure::erase_some(&world.database, &world.ours, 9, 2)).is_err());
    while !block_on(erasure::erase_some(&world.database, &world.ours, 9, 2)).expect("runs") {}
    assert_eq!(rows(&world, world.ours.as_str()), 0);
}

#[test]
fn a_tenant_of_whom_something_is_left_stays() {
    let world = World::new();
    world.converse(&world.ours, "late", &["a turn that was running"]);
    let noted = entry(&world, "tenant.delete", world.ours.as_str());
    assert!(block_on(erasure::finish(&world.database, &world.ours, &noted)).is_err());
    let found = block_on(tenants::find(&world.database, &world.ours));
    assert!(found.expect("runs").is_some());
    assert_eq!(world.database.count("SELECT count(*) FROM audit_log"), 0);
}
