//! A tenant's rows as JSON: all of them, page by page, and nobody else's.

use std::collections::BTreeMap;

use clawless_store::records::{self, Key, Record, RecordPosition};
use clawless_testkit::block_on;
use serde_json::Value;

use crate::erasure::fill;
use crate::key_changes::entry;
use crate::tenant_guard::tenant_tables;
use crate::world::{World, name};

/// What an export calls the rows of a table.
const KINDS: [(&str, &str); 10] = [
    ("tenants", "tenant"),
    ("api_keys", "api_key"),
    ("sessions", "session"),
    ("turns", "turn"),
    ("messages", "session.message"),
    ("tool_executions", "tool_execution"),
    ("sends", "send"),
    ("idempotency", "kept_answer"),
    ("receipts", "receipt"),
    ("audit_log", "audit_entry"),
];

fn read(record: &Record) -> Value {
    record.json.read().expect("JSON")
}

/// All pages of an export, and how many there were.
fn export(world: &World) -> (Vec<Value>, u32) {
    let (mut rows, mut place, mut pages) = (Vec::new(), RecordPosition::default(), 0);
    loop {
        let page = records::export(&world.database, &world.ours, place);
        let (found, next) = block_on(page).expect("runs");
        rows.extend(found.iter().map(read));
        pages += 1;
        let Some(next) = next else {
            return (rows, pages);
        };
        // As it comes back from outside.
        place = next.to_string().parse().expect("a place");
    }
}

fn receipt(world: &World, tenant: &str, request: &str) {
    world.database.run_script(&format!(
        "INSERT INTO receipts VALUES ('{tenant}', '{request}', 1, 'key_1', 'one', 'small',
         '2026-01', 1000, 2000, 1, 2, 3, 1, 2, 3, 4, 5, 'provider')"
    ));
}

#[test]
fn attack_25_an_export_holds_every_table_of_the_tenant_and_nothing_of_others() {
    let world = World::new();
    fill(&world);
    for tenant in [&world.ours, &world.theirs] {
        receipt(&world, tenant.as_str(), "req_1");
        let noted = entry(&world, "tenant.export", tenant.as_str());
        block_on(clawless_store::audit::note(&world.database, tenant, &noted)).expect("noted");
    }
    let tables: Vec<String> = tenant_tables().into_iter().collect();
    let mut known: Vec<&str> = KINDS.iter().map(|(table, _)| *table).collect();
    known.sort_unstable();
    assert_eq!(
        tables, known,
        "a new table of tenants belongs into the export and into KINDS"
    );

    let (rows, _) = export(&world);
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
        let ours = world.ours.as_str();
        let stored = world.database.count(&format!(
            "SELECT count(*) FROM {table} WHERE {column} = '{ours}'"
        ));
        assert_eq!(counts.get(kind), Some(&stored), "{table}");
        assert!(stored > 0, "{table} is tried");
    }
    let text = Value::Array(rows).to_string();
    assert!(!text.contains(world.theirs.as_str()) && !text.contains("theirs"));
    let digests = world.database.rows("SELECT digest FROM api_keys");
    assert!(!text.contains("digest"));
    assert!(
        digests
            .iter()
            .all(|row| !text.contains(row["digest"].as_str().expect("text")))
    );
}

#[test]
fn a_long_export_comes_in_pages_in_the_order_of_what_was_said() {
    let world = World::new();
    let texts: Vec<String> = (0..150).map(|turn| format!("said {turn}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    world.converse(&world.ours, "a:long", &texts);
    world.converse(&world.ours, "another", &["last"]);
    let (rows, pages) = export(&world);
    assert!(pages > 1);
    let said: Vec<&str> = rows
        .iter()
        .filter(|row| row["object"] == "session.message" && row["role"] == "user")
        .map(|row| row["message"]["content"].as_str().expect("a text"))
        .collect();
    assert_eq!(said, [&texts[..], &["last"]].concat());
}

#[test]
fn a_place_that_no_export_has_is_refused() {
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
    // What is of another kind than the places of the list leads nowhere, and breaks nothing.
    let world = World::new();
    world.converse(&world.ours, "chat", &["one"]);
    for text in ["[]", "[{},[],null]", r#"["chat","x","y"]"#, "[1,2,3,4]"] {
        let key: Key = text.parse().expect("an array");
        let list = records::sessions(&world.database, &world.ours, Some(&key), 10);
        assert!(block_on(list).is_ok(), "{text}");
        let place: RecordPosition = format!("messages:{text}").parse().expect("a place");
        assert!(block_on(records::export(&world.database, &world.ours, place)).is_ok());
    }
}

#[test]
fn support_reads_sessions_newest_first_and_messages_in_their_order() {
    let world = World::new();
    for session in ["one", "two", "three"] {
        world.converse(&world.ours, session, &["a", "b", "c", "d", "e"]);
        world.converse(&world.theirs, session, &["theirs"]);
        world.clock.advance(clawless_core::Millis::from_secs(1));
    }
    let delete = clawless_store::sessions::delete;
    let now = world.now();
    assert!(block_on(delete(&world.database, &world.ours, &name("two"), now)).expect("runs"));
    let list = |after: Option<&Key>| {
        let list = records::sessions(&world.database, &world.ours, after, 1);
        block_on(list).expect("runs")
    };
    let first = list(None);
    assert_eq!(read(&first[0])["id"], "three");
    let next = list(Some(&first[0].place.parse().expect("a key")));
    assert_eq!(read(&next[0])["id"], "one");
    let end = list(Some(&next[0].place.parse().expect("a key")));
    assert_eq!(end, []);

    let session = |id: &str| {
        let id = name(id);
        block_on(records::session(&world.database, &world.ours, &id)).expect("runs")
    };
    assert!(session("one").is_some() && session("two").is_none() && session("none").is_none());

    let (mut said, mut after) = (Vec::new(), None);
    loop {
        let id = name("one");
        let page = records::messages(&world.database, &world.ours, &id, after.as_ref(), 3);
        let (found, has_more) = block_on(page).expect("runs");
        assert!(found.len() <= 3);
        said.extend(
            found
                .iter()
                .map(|record| read(record)["message"]["content"].clone()),
        );
        if !has_more {
            break;
        }
        after = Some(found[found.len() - 1].place.parse::<Key>().expect("a key"));
    }
    let wanted = [
        "a", "re: a", "b", "re: b", "c", "re: c", "d", "re: d", "e", "re: e",
    ];
    assert_eq!(said, wanted.map(Value::from));
    let id = name("one");
    let all = records::messages(&world.database, &world.ours, &id, None, 10);
    let (found, has_more) = block_on(all).expect("runs");
    assert_eq!((found.len(), has_more), (10, false));
}
