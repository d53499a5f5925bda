//! A tenant's rows as JSON: all of them, in pages, and no other tenant's.

use std::collections::BTreeMap;

use clawless_core::Clock;
use clawless_store::records::{self, Key, Record, RecordPosition};
use clawless_testkit::block_on;
use serde_json::Value;

use crate::erasure::fill;
use crate::fixture::{Fixture, session_id};
use crate::key_changes::entry;
use crate::tenant_guard::tenant_tables;

/// The `object` of a table's rows in an export.
const KINDS: [(&str, &str); 12] = [
    ("tenants", "tenant"),
    ("api_keys", "api_key"),
    ("sessions", "session"),
    ("turns", "turn"),
    ("messages", "session.message"),
    ("tool_executions", "tool_execution"),
    ("sends", "send"),
    ("idempotency", "kept_answer"),
    ("widgets", "widget"),
    ("widget_sessions", "widget_session"),
    ("receipts", "receipt"),
    ("audit_log", "audit_entry"),
];

fn read(record: &Record) -> Value {
    record.json.read().expect("JSON")
}

/// The rows of all pages of an export, and the number of pages.
fn export(fixture: &Fixture) -> (Vec<Value>, u32) {
    let (mut rows, mut position, mut pages) = (Vec::new(), RecordPosition::default(), 0);
    loop {
        let page = records::export(
            &fixture.database,
            &fixture.ours,
            position,
            fixture.clock.now(),
        );
        let (found, next) = block_on(page).expect("succeeds");
        rows.extend(found.iter().map(read));
        pages += 1;
        let Some(next) = next else {
            return (rows, pages);
        };
        // A client sends it back as text.
        position = next.to_string().parse().expect("a position");
    }
}

fn receipt(fixture: &Fixture, tenant: &str, request: &str) {
    fixture.database.run_script(&format!(
        "INSERT INTO receipts VALUES ('{tenant}', '{request}', 1, 'key_1', 'one', 'small',
         '2026-01', 1000, 2000, 1, 2, 3, 1, 2, 3, 4, 5, 'provider')"
    ));
}

#[test]
fn attack_25_export_contains_every_table_of_the_tenant_and_no_other_tenant() {
    let fixture = Fixture::new();
    fill(&fixture);
    for tenant in [&fixture.ours, &fixture.theirs] {
        receipt(&fixture, tenant.as_str(), "req_1");
        let audit_entry = entry(&fixture, "tenant.export", tenant.as_str());
        block_on(clawless_store::audit::record(
            &fixture.database,
            tenant,
            &audit_entry,
        ))
        .expect("audit_entry");
    }
    let tables: Vec<String> = tenant_tables().into_iter().collect();
    let mut known: Vec<&str> = KINDS.iter().map(|(table, _)| *table).collect();
    known.sort_unstable();
    assert_eq!(tables, known, "add a new table to the export and to KINDS");

    let (rows, _) = export(&fixture);
    let mut counts = BTreeMap::new();
    for row in &rows {
        *counts
            .entry(row["object"].as_str().expect("a kind"))
            .or_insert(0) += 1;
    }
    for (table, kind) in KINDS {
        let column = if table == "tenants" {
            "id"
        } else {
            "tenant_id"
        };
        let ours = fixture.ours.as_str();
        let stored = fixture.database.count(&format!(
            "SELECT count(*) FROM {table} WHERE {column} = '{ours}'"
        ));
        assert_eq!(counts.get(kind), Some(&stored), "{table}");
        assert!(stored > 0, "{table} has rows");
    }
    let text = Value::Array(rows).to_string();
    assert!(!text.contains(fixture.theirs.as_str()) && !text.contains("theirs"));
    let digests = fixture.database.rows("SELECT digest FROM api_keys");
    assert!(!text.contains("digest"));
    assert!(
        digests
            .iter()
            .all(|row| !text.contains(row["digest"].as_str().expect("text")))
    );
}

#[test]
fn long_export_is_paged_in_message_order() {
    let fixture = Fixture::new();
    let texts: Vec<String> = (0..150).map(|turn| format!("message {turn}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    fixture.add_turns(&fixture.ours, "a:long", &texts);
    fixture.add_turns(&fixture.ours, "b:short", &["last"]);
    let (rows, pages) = export(&fixture);
    assert!(pages > 1);
    let user_texts: Vec<&str> = rows
        .iter()
        .filter(|row| row["object"] == "session.message" && row["role"] == "user")
        .map(|row| row["message"]["content"].as_str().expect("a text"))
        .collect();
    assert_eq!(user_texts, [&texts[..], &["last"]].concat());
}

#[test]
fn invalid_positions_are_rejected() {
    for text in [
        "",
        "x",
        "tenants:",
        "messages:",
        "messages:x",
        "messages:{}",
        "turns:[",
        "nothing:[]",
    ] {
        assert!(text.parse::<RecordPosition>().is_err(), "{text}");
    }
    for text in ["", "x", "{}", "[", "[1] "] {
        assert_eq!(text.parse::<Key>().is_err(), text != "[1] ", "{text}");
    }
    // Keys of another shape than those of the list are accepted and return any rows.
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one"]);
    for text in ["[]", "[{},[],null]", r#"["chat","x","y"]"#, "[1,2,3,4]"] {
        let key: Key = text.parse().expect("an array");
        let list = records::sessions(
            &fixture.database,
            &fixture.ours,
            Some(&key),
            10,
            fixture.clock.now(),
        );
        assert!(block_on(list).is_ok(), "{text}");
        let position: RecordPosition = format!("messages:{text}").parse().expect("a position");
        assert!(
            block_on(records::export(
                &fixture.database,
                &fixture.ours,
                position,
                fixture.clock.now()
            ))
            .is_ok()
        );
    }
}

#[test]
fn support_lists_sessions_newest_first_and_messages_in_order() {
    let fixture = Fixture::new();
    for session in ["one", "two", "three"] {
        fixture.add_turns(&fixture.ours, session, &["a", "b", "c", "d", "e"]);
        fixture.add_turns(&fixture.theirs, session, &["theirs"]);
        fixture.clock.advance(clawless_core::Millis::from_secs(1));
    }
    let delete = clawless_store::sessions::delete;
    let now = fixture.now();
    assert!(
        block_on(delete(
            &fixture.database,
            &fixture.ours,
            &session_id("two"),
            now
        ))
        .expect("succeeds")
        .is_some()
    );
    let list = |after: Option<&Key>| {
        let list = records::sessions(
            &fixture.database,
            &fixture.ours,
            after,
            1,
            fixture.clock.now(),
        );
        block_on(list).expect("succeeds")
    };
    let first = list(None);
    assert_eq!(read(&first[0])["id"], "three");
    let next = list(Some(&first[0].key.parse().expect("a key")));
    assert_eq!(read(&next[0])["id"], "one");
    let end = list(Some(&next[0].key.parse().expect("a key")));
    assert_eq!(end, []);

    let session = |id: &str| {
        let id = session_id(id);
        block_on(records::session(
            &fixture.database,
            &fixture.ours,
            &id,
            fixture.clock.now(),
        ))
        .expect("succeeds")
    };
    assert!(session("one").is_some() && session("two").is_none() && session("none").is_none());

    let (mut contents, mut after) = (Vec::new(), None);
    loop {
        let id = session_id("one");
        let page = records::messages(&fixture.database, &fixture.ours, &id, after.as_ref(), 3);
        let (found, has_more) = block_on(page).expect("succeeds");
        assert!(found.len() <= 3);
        contents.extend(
            found
                .iter()
                .map(|record| read(record)["message"]["content"].clone()),
        );
        if !has_more {
            break;
        }
        after = Some(found[found.len() - 1].key.parse::<Key>().expect("a key"));
    }
    let expected = [
        "a", "re: a", "b", "re: b", "c", "re: c", "d", "re: d", "e", "re: e",
    ];
    assert_eq!(contents, expected.map(Value::from));
    let id = session_id("one");
    let all = records::messages(&fixture.database, &fixture.ours, &id, None, 10);
    let (found, has_more) = block_on(all).expect("succeeds");
    assert_eq!((found.len(), has_more), (10, false));
}
