//! Faults 15 to 17: the database fails before, after or instead of a commit.

use clawless_core::session::SessionHead;
use clawless_store::turns::{self, CommitError};
use clawless_store::{Backoff, SqlErrorKind, retry};
use clawless_testkit::{Fault, InstantTimer, block_on};

use crate::fixture::Fixture;

fn commit_with_retry(
    fixture: &Fixture,
    turn: &turns::NewTurn,
    timer: &InstantTimer,
) -> Result<turns::Committed, CommitError> {
    block_on(retry(
        Backoff::DATABASE,
        timer,
        &fixture.entropy,
        async || turns::commit(&fixture.database, &fixture.ours, turn).await,
    ))
}

#[test]
fn fault_15_connection_lost_before_the_commit_is_retried() {
    let (fixture, timer) = (Fixture::new(), InstantTimer::default());
    fixture
        .database
        .inject([Some(Fault::Before(Fault::CONNECTION_LOST)); 4]);
    let turn = fixture.turn("chat", 0, "hello");
    let committed = commit_with_retry(&fixture, &turn, &timer).expect("the fifth try");
    assert!(!committed.repeated);
    assert_eq!(timer.slept().len(), 4);
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["hello"]);
}

#[test]
fn fault_15_five_failed_tries_return_the_error() {
    let (fixture, timer) = (Fixture::new(), InstantTimer::default());
    fixture
        .database
        .inject([Some(Fault::Before(Fault::CONNECTION_LOST)); 5]);
    let turn = fixture.turn("chat", 0, "hello");
    let failed = commit_with_retry(&fixture, &turn, &timer);
    assert!(
        matches!(failed, Err(CommitError::Sql(error)) if error.kind == SqlErrorKind::Retryable)
    );
    assert_eq!(fixture.row_count(), 0);
}

#[test]
fn fault_16_response_lost_after_the_commit_stores_exactly_one_turn() {
    let (fixture, timer) = (Fixture::new(), InstantTimer::default());
    fixture
        .database
        .inject([Some(Fault::After(Fault::CONNECTION_LOST))]);
    let turn = fixture.turn("chat", 0, "hello");
    let committed = commit_with_retry(&fixture, &turn, &timer).expect("stored");
    assert_eq!(
        (committed.head, committed.repeated),
        (SessionHead::new(1), true)
    );
    assert_eq!(fixture.database.count("SELECT count(*) FROM turns"), 1);
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["hello"]);
}

#[test]
fn fault_16_holds_if_another_turn_was_committed_in_between() {
    let fixture = Fixture::new();
    let turn = fixture.turn("chat", 0, "hello");
    fixture
        .database
        .inject([Some(Fault::After(Fault::CONNECTION_LOST))]);
    assert!(fixture.commit(&fixture.ours, &turn).is_err());
    fixture
        .commit(&fixture.ours, &fixture.turn("chat", 1, "next"))
        .expect("stored");
    assert!(
        fixture
            .commit(&fixture.ours, &turn)
            .expect("already stored")
            .repeated
    );
    assert_eq!(fixture.user_texts(&fixture.ours, "chat"), ["hello", "next"]);
}

#[test]
fn fault_17_overload_is_not_retried() {
    let (fixture, timer) = (Fixture::new(), InstantTimer::default());
    fixture
        .database
        .inject([Some(Fault::Before(Fault::OVERLOADED))]);
    let calls = fixture.database.calls();
    let failed = commit_with_retry(&fixture, &fixture.turn("chat", 0, "hello"), &timer);
    assert!(
        matches!(failed, Err(CommitError::Sql(error)) if error.kind == SqlErrorKind::Overloaded)
    );
    assert_eq!(fixture.database.calls() - calls, 1);
    assert!(timer.slept().is_empty());
}
