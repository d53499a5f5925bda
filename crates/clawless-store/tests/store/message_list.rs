//! Messages are paged in both directions, and one can be deleted.

use clawless_core::session::SessionHead;
use clawless_core::{MessageId, Tokens};
use clawless_store::messages::{self, ListedMessage, Page, Range, SortOrder};
use clawless_store::sessions;
use clawless_store::turns::CommitError;
use clawless_testkit::block_on;

use crate::fixture::{Fixture, session_id};

fn whole_page(fixture: &Fixture, range: Range, order: SortOrder, limit: u32) -> Page {
    let session = session_id("chat");
    let page = messages::page(
        &fixture.database,
        &fixture.ours,
        &session,
        range,
        order,
        limit,
    );
    block_on(page).expect("succeeds")
}

fn page(fixture: &Fixture, range: Range, order: SortOrder, limit: u32) -> Vec<ListedMessage> {
    whole_page(fixture, range, order, limit).messages
}

fn ids(messages: &[ListedMessage]) -> Vec<&MessageId> {
    messages.iter().map(|it| &it.id).collect()
}

fn remove(fixture: &Fixture, id: &MessageId) -> bool {
    let (session, now) = (session_id("chat"), fixture.now());
    let remove = messages::remove(&fixture.database, &fixture.ours, &session, id, now);
    block_on(remove).expect("succeeds").is_some()
}

#[test]
fn pages_of_any_length_list_all_messages_in_both_directions() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two", "three"]);
    fixture.add_turns(&fixture.ours, "other", &["not this"]);
    let all = page(&fixture, Range::default(), SortOrder::Forward, 100);
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by_key(|it| it.position));
    for limit in 1..=7 {
        let (mut forward, mut range) = (Vec::new(), Range::default());
        loop {
            let next = page(&fixture, range, SortOrder::Forward, limit);
            let Some(last) = next.last() else { break };
            range.after = Some(last.position);
            forward.extend(next);
        }
        assert_eq!(forward, all);
        let (mut backward, mut range) = (Vec::new(), Range::default());
        loop {
            let next = page(&fixture, range, SortOrder::Backward, limit);
            let Some(last) = next.last() else { break };
            range.before = Some(last.position);
            backward.extend(next);
        }
        backward.reverse();
        assert_eq!(backward, all);
    }
    let between = Range {
        after: Some(all[1].position),
        before: Some(all[4].position),
    };
    assert_eq!(
        ids(&page(&fixture, between, SortOrder::Forward, 100)),
        ids(&all[2..4])
    );
}

#[test]
fn page_reports_whether_there_are_more_messages() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two"]);
    for order in [SortOrder::Forward, SortOrder::Backward] {
        for limit in 1..=5 {
            let page = whole_page(&fixture, Range::default(), order, limit);
            let expected = limit.min(4);
            assert_eq!(page.messages.len(), expected as usize);
            assert_eq!(page.has_more, limit < 4, "{order:?} {limit}");
        }
    }
}

#[test]
fn pages_of_long_messages_are_shorter_and_report_more() {
    let fixture = Fixture::new();
    let long = "x".repeat(400_000);
    fixture.add_turns(&fixture.ours, "chat", &[&long, &long, &long]);
    let mut range = Range::default();
    let mut lengths = Vec::new();
    loop {
        let page = whole_page(&fixture, range, SortOrder::Forward, 100);
        range.after = page.messages.last().map(|last| last.position);
        lengths.push(page.messages.len());
        if !page.has_more {
            break;
        }
    }
    assert_eq!(lengths, [2, 2, 2]);
    let latest = whole_page(&fixture, Range::default(), SortOrder::Backward, 100);
    assert_eq!((latest.messages.len(), latest.has_more), (2, true));
}

#[test]
fn message_is_found_only_in_its_own_session() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one"]);
    let message = page(&fixture, Range::default(), SortOrder::Forward, 1).remove(0);
    let position = |tenant, session| {
        block_on(messages::position(
            &fixture.database,
            tenant,
            &session_id(session),
            &message.id,
        ))
        .expect("succeeds")
    };
    assert_eq!(position(&fixture.ours, "chat"), Some(message.position));
    assert_eq!(position(&fixture.ours, "other"), None);
    assert_eq!(position(&fixture.theirs, "chat"), None);
}

#[test]
fn deleting_a_message_updates_history_and_totals_and_fences_running_turns() {
    let fixture = Fixture::new();
    fixture.add_turns(&fixture.ours, "chat", &["one", "two"]);
    let all = page(&fixture, Range::default(), SortOrder::Forward, 100);
    let running = fixture.turn("chat", 2, "late");
    assert!(remove(&fixture, &all[0].id));
    assert!(!remove(&fixture, &all[0].id), "already deleted");
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["two"]);
    let session = block_on(sessions::find(
        &fixture.database,
        &fixture.ours,
        &session_id("chat"),
        fixture.now(),
    ));
    let session = session.expect("succeeds").expect("found");
    assert_eq!(session.head, SessionHead::new(3));
    assert!(session.token_total < Tokens::new(20) && session.token_total > Tokens::new(10));
    assert_eq!(
        fixture.commit(&fixture.ours, &running),
        Err(CommitError::Fenced)
    );
    assert!(
        remove(&fixture, &all[1].id)
            && remove(&fixture, &all[2].id)
            && remove(&fixture, &all[3].id)
    );
    let session = block_on(sessions::find(
        &fixture.database,
        &fixture.ours,
        &session_id("chat"),
        fixture.now(),
    ));
    assert_eq!(
        session.expect("succeeds").expect("found").token_total,
        Tokens::ZERO
    );
    let negative = "SELECT count(*) FROM turns WHERE stored_bytes <> 0 OR stored_tokens <> 0";
    assert_eq!(fixture.database.count(negative), 0);
}
