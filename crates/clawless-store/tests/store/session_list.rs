//! Sessions are listed newest first, each once, and only the tenant's own.

use std::collections::BTreeMap;

use clawless_core::{Millis, Session, Timestamp};
use clawless_store::sessions::{self, Filter, ListStart, NewSession};
use clawless_testkit::block_on;

use crate::world::{World, name};

const ALL: u32 = 1000;

fn make(world: &World, session: &str, at: Timestamp, new: &NewSession) {
    let id = name(session);
    let create = sessions::create(&world.database, &world.ours, &id, new, at);
    block_on(create).expect("runs").expect("free");
}

fn page(world: &World, filter: &Filter, after: Option<&Session>, limit: u32) -> Vec<Session> {
    let start = after.map(|session| ListStart {
        created_at: session.created_at,
        id: session.id.clone(),
    });
    let now = world.now();
    let page = sessions::page(
        &world.database,
        &world.ours,
        filter,
        start.as_ref(),
        limit,
        now,
    );
    block_on(page).expect("runs")
}

fn names(world: &World, filter: &Filter) -> Vec<String> {
    let sessions = page(world, filter, None, ALL);
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
fn page_by_page_each_comes_once_newest_first_even_where_many_were_made_at_once() {
    let world = World::new();
    let now = world.now();
    for number in 0..10 {
        // Five moments, two sessions each.
        let at = now.plus(Millis::new(number / 2));
        make(&world, &format!("s{number}"), at, &NewSession::default());
    }
    let expected = ["s9", "s8", "s7", "s6", "s5", "s4", "s3", "s2", "s1", "s0"];
    assert_eq!(names(&world, &Filter::default()), expected);
    for limit in 1..=11 {
        let (mut all, mut last): (Vec<String>, Option<Session>) = (Vec::new(), None);
        loop {
            let next = page(&world, &Filter::default(), last.as_ref(), limit);
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
fn foreign_deleted_and_expired_ones_are_not_listed() {
    let world = World::new();
    let now = world.now();
    make(&world, "kept", now, &NewSession::default());
    make(&world, "deleted", now, &NewSession::default());
    let ended = NewSession {
        expires_at: Some(now),
        ..NewSession::default()
    };
    make(&world, "expired", now, &ended);
    world.converse(&world.theirs, "foreign", &["hello"]);
    let deleted = name("deleted");
    let delete = sessions::delete(&world.database, &world.ours, &deleted, now);
    assert_eq!(block_on(delete), Ok(true));
    assert_eq!(names(&world, &Filter::default()), ["kept"]);
}

#[test]
fn filters_by_title_labels_and_date_hold_together() {
    let world = World::new();
    let now = world.now();
    make(
        &world,
        "a",
        now,
        &titled("Trip to Rome", &[("user", "1"), ("kind", "trip")]),
    );
    make(
        &world,
        "b",
        now.plus(Millis::new(1)),
        &titled("A TRIP home", &[("user", "2")]),
    );
    make(
        &world,
        "c",
        now.plus(Millis::new(2)),
        &titled("100% wool_", &[("user", "1")]),
    );
    make(
        &world,
        "d",
        now.plus(Millis::new(3)),
        &NewSession::default(),
    );
    let title = |text: &str| Filter {
        title: Some(text.to_owned()),
        ..Filter::default()
    };
    assert_eq!(names(&world, &title("trip")), ["b", "a"]);
    assert_eq!(names(&world, &title("%")), ["c"], "no pattern, but a text");
    assert!(names(&world, &title("' OR 1=1 --")).is_empty());
    let labels = |pairs: &[(&str, &str)]| Filter {
        metadata: titled("", pairs).metadata,
        ..Filter::default()
    };
    assert_eq!(names(&world, &labels(&[("user", "1")])), ["c", "a"]);
    assert_eq!(
        names(&world, &labels(&[("user", "1"), ("kind", "trip")])),
        ["a"]
    );
    assert!(names(&world, &labels(&[("user", "")])).is_empty());
    let dates = Filter {
        created_from: Some(now.plus(Millis::new(1))),
        created_before: Some(now.plus(Millis::new(3))),
        ..Filter::default()
    };
    assert_eq!(names(&world, &dates), ["c", "b"]);
    let all = Filter {
        metadata: BTreeMap::from([("user".to_owned(), "1".to_owned())]),
        ..Filter {
            title: Some("wool".to_owned()),
            ..dates
        }
    };
    assert_eq!(names(&world, &all), ["c"]);
}
