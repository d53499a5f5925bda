//! Expired sessions are invisible from the moment of their expiry, and deleted in bounded steps.

use clawless_core::session::Change;
use clawless_core::{Millis, SessionId, TenantId, Timestamp};
use clawless_store::idempotency::{self, Claim, ClaimKey, ClaimRequest, StoredResponse};
use clawless_store::records::{self, RecordPosition};
use clawless_store::sessions::{self, Filter};
use clawless_store::{SqlError, expiry, turns};
use clawless_testkit::block_on;
use serde_json::Value;

use crate::fixture::{Fixture, session_id};

const DAY: Millis = Millis::from_secs(24 * 60 * 60);

fn days(count: u64) -> Millis {
    Millis::new(DAY.get() * count)
}

/// Our tenant keeps messages for 30 days.
fn retaining() -> Fixture {
    let fixture = Fixture::new();
    fixture.database.run_script(&format!(
        "UPDATE tenants SET settings = json_set(settings, '$.retention_days', 30) WHERE id = '{}'",
        fixture.ours
    ));
    fixture
}

/// The objects of an export's first page that belong to sessions.
fn exported(fixture: &Fixture, now: Timestamp) -> Vec<String> {
    let start = RecordPosition::default();
    let page = records::export(&fixture.database, &fixture.ours, start, now);
    let (rows, _) = block_on(page).expect("succeeds");
    let rows = rows
        .iter()
        .map(|row| row.json.read::<Value>().expect("JSON"));
    let objects = rows.map(|row| row["object"].as_str().expect("a name").to_owned());
    objects.filter(|object| object != "tenant").collect()
}

fn count(fixture: &Fixture, table: &str) -> i64 {
    fixture
        .database
        .count(&format!("SELECT count(*) FROM {table}"))
}

#[test]
fn attack_61_an_expired_session_is_in_no_list_no_export_and_no_get() {
    let fixture = retaining();
    let turn = fixture.turn("chat", 0, "hello");
    fixture.commit(&fixture.ours, &turn).expect("stored");
    fixture.add_turns(&fixture.theirs, "chat", &["theirs"]);
    let (id, sql) = (session_id("chat"), &fixture.database);
    let visible = |tenant, now| {
        let find = turns::find_in_session(sql, &fixture.ours, &id, &turn.request, now);
        let is_ours = tenant == &fixture.ours;
        [
            !block_on(sessions::page(
                sql,
                tenant,
                &Filter::default(),
                None,
                9,
                now,
            ))
            .expect("succeeds")
            .is_empty(),
            !block_on(records::sessions(sql, tenant, None, 9, now))
                .expect("succeeds")
                .is_empty(),
            block_on(records::session(sql, tenant, &id, now))
                .expect("succeeds")
                .is_some(),
            !is_ours || block_on(find).expect("succeeds").is_some(),
            !is_ours || !exported(&fixture, now).is_empty(),
        ]
    };
    let end = fixture.now().plus(days(30));
    let before = end.minus(Millis::new(1));
    assert_eq!(visible(&fixture.ours, before), [true; 5]);
    assert_eq!(visible(&fixture.ours, end), [false; 5]);
    assert_eq!(
        visible(&fixture.theirs, end),
        [true; 5],
        "without a retention"
    );
    let change = block_on(sessions::update(
        sql,
        &fixture.ours,
        &id,
        &Change::default(),
        end,
    ));
    assert_eq!(change, Ok(None));
    assert_eq!(
        block_on(sessions::find(sql, &fixture.ours, &id, end)),
        Ok(None)
    );
}

#[test]
fn attack_61_the_answer_of_an_expired_session_is_not_replayed() {
    let fixture = Fixture::new();
    let mut turn = fixture.turn("chat", 0, "hello");
    let (key, now) = (fixture.key(&fixture.ours).0.id, fixture.now());
    let claim_key = ClaimKey {
        key: &key,
        route: "chat",
        idempotency_key: "once",
    };
    let claim = |request, now: Timestamp| {
        let new = ClaimRequest {
            body_digest: &idempotency::digest(None, None, b"body"),
            request,
            now,
            deadline: now.plus(Millis::from_secs(60)),
            abandoned: None,
        };
        block_on(idempotency::claim(
            &fixture.database,
            &fixture.ours,
            claim_key,
            new,
        ))
    };
    assert_eq!(claim(&turn.request, now), Ok(Claim::Granted));
    turn.response = Some(StoredResponse {
        key: key.clone(),
        route: "chat".to_owned(),
        idempotency_key: "once".to_owned(),
        response: "a secret".to_owned(),
    });
    fixture.commit(&fixture.ours, &turn).expect("stored");
    let end = now.plus(Millis::from_secs(60));
    let change = Change {
        expires_at: Some(Some(end)),
        ..Change::default()
    };
    let id = session_id("chat");
    let update = sessions::update(&fixture.database, &fixture.ours, &id, &change, now);
    block_on(update).expect("succeeds").expect("found");
    let other = fixture.turn("chat", 0, "again").request;
    let before = claim(&other, end.minus(Millis::new(1)));
    assert!(matches!(before, Ok(Claim::Answered { .. })), "{before:?}");
    assert_eq!(claim(&other, end), Ok(Claim::Granted));
}

#[test]
fn an_expired_session_is_deleted_in_steps_with_all_that_belongs_to_it() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["1", "2", "3", "4", "5"]);
    fixture.add_turns(&fixture.theirs, "chat", &["theirs"]);
    fixture.add_turns(&fixture.ours, "kept", &["kept"]);
    let (sql, ours, now) = (&fixture.database, &fixture.ours, fixture.now());
    let change = Change {
        expires_at: Some(Some(now.plus(DAY))),
        ..Change::default()
    };
    let id = session_id("chat");
    block_on(sessions::update(sql, ours, &id, &change, now)).expect("succeeds");
    let end = now.plus(DAY);
    let except = |tenants: &[TenantId], now| {
        block_on(expiry::sessions_across_tenants(sql, now, tenants, 10)).expect("succeeds")
    };
    let find = |now| except(&[], now);
    assert!(find(end.minus(Millis::new(1))).is_empty());
    let found = find(end);
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].tenant, &found[0].session.id), (ours, &id));
    assert!(except(std::slice::from_ref(ours), end).is_empty());
    assert_eq!(except(std::slice::from_ref(&fixture.theirs), end), found);
    let ids = [id, session_id("kept")];
    let delete = || block_on(expiry::delete_turns(sql, ours, &ids, end, 2)).expect("succeeds");
    assert_eq!(delete(), 2);
    let sessions = block_on(expiry::delete_sessions(sql, ours, &ids, end));
    assert_eq!(sessions, Ok(Vec::new()), "it still has turns");
    assert_eq!([delete(), delete(), delete()], [2, 1, 0]);
    let sessions = block_on(expiry::delete_sessions(sql, ours, &ids, end));
    assert_eq!(sessions, Ok(vec![session_id("chat")]));
    assert!(find(end).is_empty());
    assert_eq!(
        (count(&fixture, "turns"), count(&fixture, "messages")),
        (2, 4)
    );
    assert_eq!(fixture.user_texts(ours, "kept"), ["kept"]);
    assert_eq!(fixture.user_texts(&fixture.theirs, "chat"), ["theirs"]);
}

#[test]
fn older_turns_of_a_session_in_use_are_deleted_and_its_head_moves() {
    let fixture = retaining();
    fixture.add_turns(&fixture.ours, "chat", &["old", "older"]);
    fixture.clock.advance(days(20));
    fixture.add_turns_at(&fixture.ours, "chat", 2, &["new"]);
    fixture.clock.advance(days(15));
    let (sql, ours, now) = (&fixture.database, &fixture.ours, fixture.now());
    let tenants = block_on(expiry::tenants_across_tenants(sql, None, 10)).expect("succeeds");
    assert_eq!(
        (tenants.len(), &tenants[0].id, tenants[0].days),
        (1, ours, 30)
    );
    let cutoff = now.minus(days(30));
    let idle = block_on(expiry::idle_sessions(sql, ours, cutoff, now, 10));
    assert_eq!(idle, Ok(Vec::new()));
    let find = || block_on(sessions::find(sql, ours, &session_id("chat"), now)).expect("succeeds");
    let before = find().expect("visible");
    let calls = std::cell::Cell::new(0);
    let forget = async |ids: &[SessionId]| -> Result<(), SqlError> {
        assert_eq!(ids, [session_id("chat")]);
        calls.set(calls.get() + 1);
        Ok(())
    };
    let deleted = expiry::delete_old_turns(sql, ours, cutoff, 10, forget);
    assert_eq!(block_on(deleted), Ok(2));
    assert_eq!(calls.get(), 2, "before and after");
    let after = find().expect("visible");
    assert_eq!(after.head, before.head.next());
    assert!(after.token_total < before.token_total);
    assert_eq!(
        after.updated_at, before.updated_at,
        "its own age does not change"
    );
    assert_eq!(fixture.user_texts(ours, "chat"), ["new"]);
    let again = expiry::delete_old_turns(sql, ours, cutoff, 10, forget);
    assert_eq!(block_on(again), Ok(0));
    fixture.clock.advance(days(30));
    let now = fixture.now();
    let idle = expiry::idle_sessions(sql, ours, now.minus(days(30)), now, 10);
    assert_eq!(block_on(idle).expect("succeeds")[0].id, session_id("chat"));
}
