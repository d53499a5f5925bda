//! Messages are paged both ways, and one can be deleted.

use clawless_core::session::SessionHead;
use clawless_core::{MessageId, Tokens};
use clawless_store::messages::{self, ListedMessage, Page, Range, SortOrder};
use clawless_store::sessions;
use clawless_store::turns::CommitError;
use clawless_testkit::block_on;

use crate::world::{World, name};

fn whole_page(world: &World, range: Range, order: SortOrder, limit: u32) -> Page {
    let session = name("chat");
    let page = messages::page(&world.database, &world.ours, &session, range, order, limit);
    block_on(page).expect("runs")
}

fn page(world: &World, range: Range, order: SortOrder, limit: u32) -> Vec<ListedMessage> {
    whole_page(world, range, order, limit).messages
}

fn ids(messages: &[ListedMessage]) -> Vec<&MessageId> {
    messages.iter().map(|it| &it.id).collect()
}

fn remove(world: &World, id: &MessageId) -> bool {
    let (session, now) = (name("chat"), world.now());
    let remove = messages::remove(&world.database, &world.ours, &session, id, now);
    block_on(remove).expect("runs")
}

#[test]
fn pages_of_any_length_give_the_conversation_in_either_direction() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two", "three"]);
    world.converse(&world.ours, "other", &["not this"]);
    let all = page(&world, Range::default(), SortOrder::Forward, 100);
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by_key(|it| it.place));
    for limit in 1..=7 {
        let (mut forward, mut range) = (Vec::new(), Range::default());
        loop {
            let next = page(&world, range, SortOrder::Forward, limit);
            let Some(last) = next.last() else { break };
            range.after = Some(last.place);
            forward.extend(next);
        }
        assert_eq!(forward, all);
        let (mut backward, mut range) = (Vec::new(), Range::default());
        loop {
            let next = page(&world, range, SortOrder::Backward, limit);
            let Some(last) = next.last() else { break };
            range.before = Some(last.place);
            backward.extend(next);
        }
        backward.reverse();
        assert_eq!(backward, all);
    }
    let between = Range {
        after: Some(all[1].place),
        before: Some(all[4].place),
    };
    assert_eq!(
        ids(&page(&world, between, SortOrder::Forward, 100)),
        ids(&all[2..4])
    );
}

#[test]
fn a_page_tells_whether_there_are_more_messages() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two"]);
    for order in [SortOrder::Forward, SortOrder::Backward] {
        for limit in 1..=5 {
            let page = whole_page(&world, Range::default(), order, limit);
            let fitting = limit.min(4);
            assert_eq!(page.messages.len(), fitting as usize);
            assert_eq!(page.has_more, limit < 4, "{order:?} {limit}");
        }
    }
}

#[test]
fn pages_of_long_messages_are_shorter_and_say_that_there_are_more() {
    let world = World::new();
    let long = "x".repeat(1_500_000);
    world.converse(&world.ours, "chat", &[&long, &long, &long]);
    let mut range = Range::default();
    let mut lengths = Vec::new();
    loop {
        let page = whole_page(&world, range, SortOrder::Forward, 100);
        range.after = page.messages.last().map(|last| last.place);
        lengths.push(page.messages.len());
        if !page.has_more {
            break;
        }
    }
    assert_eq!(lengths, [2, 2, 2]);
    let latest = whole_page(&world, Range::default(), SortOrder::Backward, 100);
    assert_eq!((latest.messages.len(), latest.has_more), (2, true));
}

#[test]
fn a_message_is_found_in_its_own_session_only() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one"]);
    let message = page(&world, Range::default(), SortOrder::Forward, 1).remove(0);
    let place = |tenant, session| {
        block_on(messages::place(
            &world.database,
            tenant,
            &name(session),
            &message.id,
        ))
        .expect("runs")
    };
    assert_eq!(place(&world.ours, "chat"), Some(message.place));
    assert_eq!(place(&world.ours, "other"), None);
    assert_eq!(place(&world.theirs, "chat"), None);
}

#[test]
fn a_deleted_message_is_gone_from_history_and_count_and_a_running_turn_is_fenced() {
    let world = World::new();
    world.converse(&world.ours, "chat", &["one", "two"]);
    let all = page(&world, Range::default(), SortOrder::Forward, 100);
    let running = world.turn("chat", 2, "late");
    assert!(remove(&world, &all[0].id));
    assert!(!remove(&world, &all[0].id), "there is none any more");
    assert_eq!(world.said(&world.ours, "chat"), ["two"]);
    let session = block_on(sessions::find(
        &world.database,
        &world.ours,
        &name("chat"),
        world.now(),
    ));
    let session = session.expect("runs").expect("there");
    assert_eq!(session.head, SessionHead::new(3));
    assert!(session.token_total < Tokens::new(20) && session.token_total > Tokens::new(10));
    assert_eq!(
        world.commit(&world.ours, &running),
        Err(CommitError::Fenced)
    );
    assert!(remove(&world, &all[1].id) && remove(&world, &all[2].id) && remove(&world, &all[3].id));
    let session = block_on(sessions::find(
        &world.database,
        &world.ours,
        &name("chat"),
        world.now(),
    ));
    assert_eq!(
        session.expect("runs").expect("there").token_total,
        Tokens::ZERO
    );
    let negative = "SELECT count(*) FROM turns WHERE stored_bytes <> 0 OR stored_tokens <> 0";
    assert_eq!(world.database.count(negative), 0);
}
