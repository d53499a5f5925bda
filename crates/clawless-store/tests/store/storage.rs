//! The amounts of stored content: the count of a tenant and the parts agree.

use std::collections::BTreeMap;

use clawless_core::Storage;
use clawless_core::session::{Change, NewSession};
use clawless_store::{messages, sessions, storage};
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};

fn count(fixture: &Fixture) -> Storage {
    let counted = block_on(storage::count(&fixture.database, &fixture.ours));
    let (amounts, is_complete) = counted.expect("succeeds");
    assert!(is_complete);
    amounts
}

fn settings() -> NewSession {
    NewSession {
        title: Some("Título".to_owned()),
        metadata: BTreeMap::from([("user".to_owned(), "42\n".to_owned())]),
        system_prompt: Some("Be brief.".repeat(100)),
        model: Some("small".to_owned()),
        tools: Some(vec!["time_now".to_owned()]),
        ..NewSession::default()
    }
}

#[test]
fn settings_are_counted_as_the_session_counts_them() {
    let fixture = Fixture::new();
    let (sql, ours, now) = (&fixture.database, &fixture.ours, fixture.now());
    let (id, new) = (session_id("chat"), settings());
    let created = block_on(sessions::create(sql, ours, &id, &new, now));
    let created = created.expect("succeeds").expect("new");
    let expected = Storage {
        sessions: 1,
        messages: 0,
        bytes: new.settings_bytes(),
    };
    assert_eq!(created.settings_bytes(), new.settings_bytes());
    assert_eq!(count(&fixture), expected);
    let change = Change {
        title: Some(None),
        metadata: Some(BTreeMap::new()),
        system_prompt: Some(Some("é".to_owned())),
        ..Change::default()
    };
    let after = created.settings_bytes_after(&change);
    let changed = block_on(sessions::update(sql, ours, &id, &change, now));
    assert_eq!(
        changed.expect("succeeds").expect("found").settings_bytes(),
        after
    );
    assert_eq!(count(&fixture).bytes, after);
}

#[test]
fn what_a_deletion_returns_is_what_the_count_loses() {
    let fixture = Fixture::new();
    let (sql, ours, now) = (&fixture.database, &fixture.ours, fixture.now());
    fixture.add_turns(ours, "one", &["hello", "ünïcode"]);
    fixture.add_turns(ours, "two", &["a", "b", "c"]);
    fixture.add_turns(&fixture.theirs, "one", &["theirs"]);
    let all = count(&fixture);
    assert_eq!((all.sessions, all.messages), (2, 10));
    let bytes = fixture.database.count(&format!(
        "SELECT sum(length(CAST(content AS BLOB))) FROM messages WHERE tenant_id = '{ours}'"
    ));
    assert_eq!(all.bytes, u64::try_from(bytes).expect("fits"));
    let mut left = all;
    let mut check = |removed: Option<Storage>| {
        left = left.minus(&removed.expect("found"));
        assert_eq!(count(&fixture), left);
    };
    let id = fixture.database.rows(&format!(
        "SELECT id FROM messages WHERE tenant_id = '{ours}' AND session_id = 'two' LIMIT 1"
    ));
    let id = id[0]["id"].as_str().expect("text").parse().expect("an id");
    let two = session_id("two");
    check(block_on(messages::remove(sql, ours, &two, &id, now)).expect("succeeds"));
    check(block_on(sessions::delete(sql, ours, &session_id("one"), now)).expect("succeeds"));
    check(block_on(sessions::reset(sql, ours, &two, now)).expect("succeeds"));
    let nothing = Storage {
        sessions: 1,
        ..Storage::ZERO
    };
    assert_eq!(count(&fixture), nothing);
    let one = session_id("one");
    let gone = sessions::delete(sql, ours, &one, now);
    assert_eq!(block_on(gone), Ok(None));
}
