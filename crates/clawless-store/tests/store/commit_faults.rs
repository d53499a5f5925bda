//! Faults 15 to 17: the database breaks before, after or instead of a commit.

use clawless_core::session::SessionHead;
use clawless_store::turns::{self, CommitError};
use clawless_store::{Backoff, SqlErrorKind, retry};
use clawless_testkit::{Fault, InstantTimer, block_on};

use crate::world::World;

fn commit_with_retry(
    world: &World,
    turn: &turns::NewTurn,
    timer: &InstantTimer,
) -> Result<turns::Committed, CommitError> {
    block_on(retry(
        Backoff::DATABASE,
        timer,
        &world.entropy,
        async || turns::commit(&world.database, &world.ours, turn).await,
    ))
}

#[test]
fn fault_15_a_connection_lost_before_the_commit_is_tried_again() {
    let (world, timer) = (World::new(), InstantTimer::default());
    world.database.plan([Some(Fault::Before(Fault::LOST)); 4]);
    let turn = world.turn("chat", 0, "hello");
    let committed = commit_with_retry(&world, &turn, &timer).expect("the fifth try");
    assert!(!committed.repeated);
    assert_eq!(timer.slept().len(), 4);
    assert_eq!(world.said(&world.ours, "chat"), ["hello"]);
}

#[test]
fn fault_15_after_five_tries_the_caller_is_told() {
    let (world, timer) = (World::new(), InstantTimer::default());
    world.database.plan([Some(Fault::Before(Fault::LOST)); 5]);
    let turn = world.turn("chat", 0, "hello");
    let failed = commit_with_retry(&world, &turn, &timer);
    assert!(
        matches!(failed, Err(CommitError::Sql(error)) if error.kind == SqlErrorKind::Retryable)
    );
    assert_eq!(world.rows(), 0);
}

#[test]
fn fault_16_an_answer_lost_after_the_commit_leaves_exactly_one_row() {
    let (world, timer) = (World::new(), InstantTimer::default());
    world.database.plan([Some(Fault::After(Fault::LOST))]);
    let turn = world.turn("chat", 0, "hello");
    let committed = commit_with_retry(&world, &turn, &timer).expect("stored");
    assert_eq!(
        (committed.head, committed.repeated),
        (SessionHead::new(1), true)
    );
    assert_eq!(world.database.count("SELECT count(*) FROM turns"), 1);
    assert_eq!(world.said(&world.ours, "chat"), ["hello"]);
}

#[test]
fn fault_16_holds_even_if_another_turn_came_in_between() {
    let world = World::new();
    let turn = world.turn("chat", 0, "hello");
    world.database.plan([Some(Fault::After(Fault::LOST))]);
    assert!(world.commit(&world.ours, &turn).is_err());
    world
        .commit(&world.ours, &world.turn("chat", 1, "next"))
        .expect("stored");
    assert!(
        world
            .commit(&world.ours, &turn)
            .expect("stored already")
            .repeated
    );
    assert_eq!(world.said(&world.ours, "chat"), ["hello", "next"]);
}

#[test]
fn fault_17_an_overload_is_not_made_worse() {
    let (world, timer) = (World::new(), InstantTimer::default());
    world
        .database
        .plan([Some(Fault::Before(Fault::OVERLOADED))]);
    let calls = world.database.calls();
    let failed = commit_with_retry(&world, &world.turn("chat", 0, "hello"), &timer);
    assert!(
        matches!(failed, Err(CommitError::Sql(error)) if error.kind == SqlErrorKind::Overloaded)
    );
    assert_eq!(world.database.calls() - calls, 1);
    assert!(timer.slept().is_empty());
}
