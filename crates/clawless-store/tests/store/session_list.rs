//! Sessions are listed newest first, each once, and only the tenant's own.

use std::collections::BTreeMap;

use clawless_core::{Millis, Session, Timestamp};
use clawless_store::sessions::{self, Filter, ListStart, NewSession};
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};

const ALL: u32 = 1000;

fn create(fixture: &Fixture, session: &str, at: Timestamp, new: &NewSession) {
    let id = session_id(session);
    let create = sessions::create(&fixture.database, &fixture.ours, &id, new, at);
    block_on(create).expect("succeeds").expect("created");
}

fn page(fixture: &Fixture, filter: &Filter, after: Option<&Session>, limit: u32) -> Vec<Session> {
    let start = after.map(|session| ListStart {
        created_at: session.created_at,
        id: session.id.clone(),
    });
    let now = fixture.now();
    let page = sessions::page(
        &fixture.database,
        &fixture.ours,
        filter,
        start.as_ref(),
        limit,
        now,
    );
    block_on(page).expect("succeeds")
}

fn names(fixture: &Fixture, filter: &Filter) -> Vec<String> {
    let sessions = page(fixture, filter, None, ALL);
    sessions
        .iter()
        .map(|it| it.id.as_str().to_owned())
        .collect()
}

fn titled(title: &str, labels: &[(&str, &str)]) -> NewSession {
    let labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    NewSession {
        title: Some(title.to_owned()),
        metadata: labels.collect(),
        ..NewSession::default()
    }
}

#[test]
fn pages_list_each_session_once_newest_first() {
    let fixture = Fixture::new();
    let now = fixture.now();
    for number in 0..10 {
        // Two sessions at each time.
        let at = now.plus(Millis::new(number / 2));
        create(&fixture, &format!("s{number}"), at, &NewSession::default());
    }
    let expected = ["s9", "s8", "s7", "s6", "s5", "s4", "s3", "s2", "s1", "s0"];
    assert_eq!(names(&fixture, &Filter::default()), expected);
    for limit in 1..=11 {
        let (mut all, mut last): (Vec<String>, Option<Session>) = (Vec::new(), None);
        loop {
            let next = page(&fixture, &Filter::default(), last.as_ref(), limit);
            all.extend(next.iter().map(|it| it.id.as_str().to_owned()));
            let Some(end) = next.into_iter().next_back() else {
                break;
            };
            last = Some(end);
        }
        assert_eq!(all, expected, "{limit} a page");
    }
}

#[test]
fn foreign_deleted_and_expired_sessions_are_not_listed() {
    let fixture = Fixture::new();
    let now = fixture.now();
    create(&fixture, "kept", now, &NewSession::default());
    create(&fixture, "deleted", now, &NewSession::default());
    let expired = NewSession {
        expires_at: Some(now),
        ..NewSession::default()
    };
    create(&fixture, "expired", now, &expired);
    fixture.add_turns(&fixture.theirs, "foreign", &["hello"]);
    let deleted = session_id("deleted");
    let delete = sessions::delete(&fixture.database, &fixture.ours, &deleted, now);
    assert!(block_on(delete).expect("succeeds").is_some());
    assert_eq!(names(&fixture, &Filter::default()), ["kept"]);
}

#[test]
fn filters_by_title_metadata_and_date_combine() {
    let fixture = Fixture::new();
    let now = fixture.now();
    create(
        &fixture,
        "a",
        now,
        &titled("Trip to Rome", &[("user", "1"), ("kind", "trip")]),
    );
    create(
        &fixture,
        "b",
        now.plus(Millis::new(1)),
        &titled("A TRIP home", &[("user", "2")]),
    );
    create(
        &fixture,
        "c",
        now.plus(Millis::new(2)),
        &titled("100% wool_", &[("user", "1")]),
    );
    create(
        &fixture,
        "d",
        now.plus(Millis::new(3)),
        &NewSession::default(),
    );
    let title = |text: &str| Filter {
        title: Some(text.to_owned()),
        ..Filter::default()
    };
    assert_eq!(names(&fixture, &title("trip")), ["b", "a"]);
    assert_eq!(names(&fixture, &title("%")), ["c"], "not a pattern");
    assert!(names(&fixture, &title("' OR 1=1 --")).is_empty());
    let labels = |pairs: &[(&str, &str)]| Filter {
        metadata: titled("", pairs).metadata,
        ..Filter::default()
    };
    assert_eq!(names(&fixture, &labels(&[("user", "1")])), ["c", "a"]);
    assert_eq!(
        names(&fixture, &labels(&[("user", "1"), ("kind", "trip")])),
        ["a"]
    );
    assert!(names(&fixture, &labels(&[("user", "")])).is_empty());
    let dates = Filter {
        created_from: Some(now.plus(Millis::new(1))),
        created_before: Some(now.plus(Millis::new(3))),
        ..Filter::default()
    };
    assert_eq!(names(&fixture, &dates), ["c", "b"]);
    let all = Filter {
        metadata: BTreeMap::from([("user".to_owned(), "1".to_owned())]),
        ..Filter {
            title: Some("wool".to_owned()),
            ..dates
        }
    };
    assert_eq!(names(&fixture, &all), ["c"]);
}

#[test]
fn a_page_of_long_settings_ends_early_and_the_next_one_continues() {
    let fixture = Fixture::new();
    let prompt = "p".repeat(64 * 1024);
    for number in 0..40 {
        let new = NewSession {
            system_prompt: Some(prompt.clone()),
            ..NewSession::default()
        };
        let at = fixture.now().plus(Millis::new(number));
        create(&fixture, &format!("s{number}"), at, &new);
    }
    let first = page(&fixture, &Filter::default(), None, ALL);
    assert_eq!(first.len(), 32, "2 MiB of prompts");
    let rest = page(&fixture, &Filter::default(), first.last(), ALL);
    assert_eq!(rest.len(), 8);
    assert_eq!(rest[7].id, session_id("s0"));
}
