//! A tenant's data is deleted in batches, without affecting other tenants.

use clawless_store::{erasure, tenants};
use clawless_testkit::{Fault, block_on};

use crate::fixture::{Fixture, session_id};
use crate::key_changes::entry;

/// The number of a tenant's rows.
pub(crate) fn count_rows(fixture: &Fixture, tenant: &str) -> i64 {
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
        fixture.database.count(&sql)
    };
    let tables = [
        "sends",
        "sessions",
        "turns",
        "messages",
        "tool_executions",
        "receipts",
        "idempotency",
        "widgets",
        "widget_sessions",
        "api_keys",
    ];
    tables.into_iter().map(count).sum()
}

/// Stores rows of both tenants in every table.
pub(crate) fn fill(fixture: &Fixture) {
    for tenant in [&fixture.ours, &fixture.theirs] {
        fixture.key(tenant);
        for session in ["one", "two"] {
            fixture.add_turns(tenant, session, &["a", "b", "c"]);
        }
        fixture.database.run_script(&format!(
            "INSERT INTO tool_executions (tenant_id, id, request_id, call_id, tool, arguments,
                                          outcome, result, started_at, duration_ms)
             VALUES ('{tenant}', 'tex_{tenant}', 'req_1', 'c', 't', '', 'failed', '', 1, 1);
             INSERT INTO idempotency (tenant_id, key_id, route, idempotency_key, body_digest,
                                      request_id, state, created_at, deadline, expires_at)
             VALUES ('{tenant}', 'k', 'r', 'i', '{digest}', 'req_1', 'running', 1, 1, 1);
             INSERT INTO sends (tenant_id, id, session_id, key_id, origin, digest, path, hops,
                                message, state, created_at, updated_at)
             SELECT tenant_id, 'snd_1', 'one', id, 'req_1', '{digest}', '[]', 1, 'hello', 'queued', 1, 1
             FROM api_keys WHERE tenant_id = '{tenant}';
             INSERT INTO widgets (tenant_id, key_id, updated_at)
             SELECT tenant_id, id, 1 FROM api_keys WHERE tenant_id = '{tenant}';
             INSERT INTO widget_sessions (tenant_id, session_id, key_id, visitor_hash, created_at,
                                          expires_at)
             SELECT tenant_id, 'one', id, '{digest}', 1, 4102444800000 FROM api_keys
             WHERE tenant_id = '{tenant}';",
            digest = "0".repeat(64),
        ));
    }
}

#[test]
fn attack_23_deleting_a_tenant_removes_all_its_rows_and_no_others() {
    let fixture = Fixture::new();
    fill(&fixture);
    let (ours, theirs) = (fixture.ours.as_str(), fixture.theirs.as_str());
    let before = count_rows(&fixture, theirs);
    assert!(count_rows(&fixture, ours) > 10 && before > 10);
    let mut requests = 0;
    while !block_on(erasure::erase_rows(&fixture.database, &fixture.ours, 2, 2)).expect("succeeds")
    {
        requests += 1;
        assert!(requests < 100, "it ends");
    }
    assert!(requests > 2, "it took several batches");
    assert_eq!(
        (count_rows(&fixture, ours), count_rows(&fixture, theirs)),
        (0, before)
    );
    let audit_entry = entry(&fixture, "tenant.delete", ours);
    block_on(erasure::delete_tenant(
        &fixture.database,
        &fixture.ours,
        &[],
        &audit_entry,
    ))
    .expect("succeeds");
    let found = block_on(tenants::find(&fixture.database, &fixture.ours));
    assert_eq!(found, Ok(None));
    assert!(
        block_on(tenants::find(&fixture.database, &fixture.theirs))
            .expect("succeeds")
            .is_some()
    );
}

#[test]
fn erasure_deletes_sessions_and_keeps_keys_and_receipts() {
    let fixture = Fixture::new();
    fill(&fixture);
    fixture.add_turns(&fixture.ours, "three", &["x"]);
    let (ours, theirs) = (fixture.ours.as_str(), fixture.theirs.as_str());
    let before = count_rows(&fixture, theirs);
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let ids = erasure::session_ids(&fixture.database, &fixture.ours, &after, 2);
        let ids = block_on(ids).expect("succeeds");
        let Some(last) = ids.last() else { break };
        let now = fixture.now();
        let delete = erasure::delete_sessions(&fixture.database, &fixture.ours, &after, last, now);
        let deleted = block_on(delete).expect("succeeds");
        last.as_str().clone_into(&mut after);
        names.extend(deleted);
    }
    while !block_on(erasure::erase_sessionless_rows(
        &fixture.database,
        &fixture.ours,
        1,
        2,
    ))
    .expect("succeeds")
    {}
    assert_eq!(names, ["one", "three", "two"].map(session_id));
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{ours}'");
        fixture.database.count(&sql)
    };
    for table in [
        "turns",
        "messages",
        "tool_executions",
        "sends",
        "idempotency",
        "widget_sessions",
    ] {
        assert_eq!(count(table), 0, "{table}");
    }
    assert_eq!(
        (count("api_keys"), count("widgets"), count("sessions")),
        (1, 1, 3),
        "names and heads remain"
    );
    assert!(fixture.user_texts(&fixture.ours, "one").is_empty());
    assert_eq!(count_rows(&fixture, theirs), before);
    // A turn that was running when its session was erased is not stored.
    let zombie = fixture.turn("one", 3, "late");
    assert!(fixture.commit(&fixture.ours, &zombie).is_err());
    // An interrupted erasure starts again and lists all of them.
    let again = erasure::session_ids(&fixture.database, &fixture.ours, "", 9);
    assert_eq!(block_on(again).expect("succeeds").len(), 3);
}

#[test]
fn interrupted_deletion_can_be_resumed() {
    let fixture = Fixture::new();
    fill(&fixture);
    fixture
        .database
        .inject([None, Some(Fault::After(Fault::CONNECTION_LOST))]);
    assert!(block_on(erasure::erase_rows(&fixture.database, &fixture.ours, 9, 2)).is_err());
    while !block_on(erasure::erase_rows(&fixture.database, &fixture.ours, 9, 2)).expect("succeeds")
    {
    }
    assert_eq!(count_rows(&fixture, fixture.ours.as_str()), 0);
}

#[test]
fn tenant_with_remaining_rows_cannot_be_deleted() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "late", &["from a running turn"]);
    let audit_entry = entry(&fixture, "tenant.delete", fixture.ours.as_str());
    assert!(
        block_on(erasure::delete_tenant(
            &fixture.database,
            &fixture.ours,
            &[],
            &audit_entry
        ))
        .is_err()
    );
    let found = block_on(tenants::find(&fixture.database, &fixture.ours));
    assert!(found.expect("succeeds").is_some());
    assert_eq!(fixture.database.count("SELECT count(*) FROM audit_log"), 0);
}
