//! Group commit: inputs that arrive during a commit are committed together, and every input gets an
//! answer even if a leader is dropped.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an unexpected value must stop the test"
)]

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};

use clawless_core::Timestamp;
use clawless_core::ledger::{Input, LedgerAnswer, Output, Write};
use clawless_gateway::ledger::machine::{Rows, RuntimeError};
use clawless_gateway::ledger::runtime::LedgerRuntime;
use clawless_testkit::provider::VirtualTime;
use futures_channel::oneshot;
use futures_util::task::noop_waker;
use serde_json::json;

/// Storage whose writes become durable on request, and that can fail.
#[derive(Default)]
struct SlowRows {
    commits: RefCell<Vec<usize>>,
    under_way: RefCell<Option<oneshot::Sender<()>>>,
    is_broken: Cell<bool>,
}

impl SlowRows {
    fn become_durable(&self) {
        let under_way = self.under_way.take().expect("a commit is under way");
        drop(under_way);
    }
}

impl Rows for &SlowRows {
    fn load(&self) -> Result<Vec<(String, String, String)>, String> {
        Ok(Vec::new())
    }

    fn write(&self, writes: Vec<Write>) -> Result<(), String> {
        if self.is_broken.get() {
            return Err("the disk is full".to_owned());
        }
        self.commits.borrow_mut().push(writes.len());
        Ok(())
    }

    async fn durable(&self) -> Result<(), String> {
        let (sender, durable) = oneshot::channel();
        *self.under_way.borrow_mut() = Some(sender);
        // Dropping the sender is the signal.
        let _ = durable.await;
        Ok(())
    }
}

type PendingInput<'a> = Pin<Box<dyn Future<Output = Result<Output, RuntimeError>> + 'a>>;

fn poll(input: &mut PendingInput<'_>) -> Poll<Result<Output, RuntimeError>> {
    input.as_mut().poll(&mut Context::from_waker(&noop_waker()))
}

fn is_done(input: &mut PendingInput<'_>) -> bool {
    match poll(input) {
        Poll::Ready(result) => result.expect("accepted").answer == LedgerAnswer::Done,
        Poll::Pending => false,
    }
}

/// An input that changes one row: the revocation of a key.
fn revoke(key: usize) -> Input {
    let key_id = format!("key_{key:026}");
    serde_json::from_value(json!({ "revoke": { "key_id": key_id } })).expect("an input")
}

fn admit() -> Input {
    let id = |prefix: &str| format!("{prefix}_{:026}", 1);
    serde_json::from_value(json!({ "admit": {
        "request_id": id("req"),
        "caller": { "key_id": id("key"), "key_version": 1, "config_version": 1 },
        "class": "chat",
        "model": "m",
        "tokens_in": 1,
        "default_tokens_out": 1,
        "answers": 1,
        "price": { "input": 0, "output": 0 },
    } }))
    .expect("an input")
}

#[test]
fn inputs_during_a_commit_are_committed_together() {
    let (rows, clock) = (
        SlowRows::default(),
        VirtualTime::starting_at(Timestamp::from_millis(1_700_000_000_000)),
    );
    let runtime = LedgerRuntime::open(&rows).expect("opens");
    let mut inputs: Vec<PendingInput<'_>> = (0..4)
        .map(|key| Box::pin(runtime.process(&clock, revoke(key))) as PendingInput<'_>)
        .collect();
    assert!(inputs.iter_mut().all(|input| poll(input).is_pending()));
    assert_eq!(*rows.commits.borrow(), [1], "the first goes at once");

    rows.become_durable();
    assert!(is_done(&mut inputs[0]));
    assert_eq!(*rows.commits.borrow(), [1, 3], "the others follow together");
    assert!(poll(&mut inputs[1]).is_pending(), "one of them leads");
    assert!(is_done(&mut inputs[2]) && is_done(&mut inputs[3]));

    rows.become_durable();
    assert!(is_done(&mut inputs[1]));
    let mut last: PendingInput<'_> = Box::pin(runtime.process(&clock, revoke(9)));
    assert!(poll(&mut last).is_pending());
    assert_eq!(*rows.commits.borrow(), [1, 3, 1], "no leader is left");
}

#[test]
fn a_dropped_leader_passes_leadership_on() {
    let (rows, clock) = (
        SlowRows::default(),
        VirtualTime::starting_at(Timestamp::from_millis(1_700_000_000_000)),
    );
    let runtime = LedgerRuntime::open(&rows).expect("opens");
    let submit = |key| {
        let mut input: PendingInput<'_> = Box::pin(runtime.process(&clock, revoke(key)));
        assert!(poll(&mut input).is_pending());
        input
    };
    let (first, second, third, mut fourth) = (submit(1), submit(2), submit(3), submit(4));
    drop(second);
    drop(first);
    assert_eq!(
        *rows.commits.borrow(),
        [1, 3],
        "the inputs of dropped callers too"
    );
    // The third was promoted to leader, but is dropped before it is polled.
    drop(third);
    assert!(is_done(&mut fourth));
    let mut last: PendingInput<'_> = Box::pin(runtime.process(&clock, revoke(9)));
    assert!(poll(&mut last).is_pending());
    assert_eq!(*rows.commits.borrow(), [1, 3, 1]);
}

#[test]
fn inputs_of_a_failed_write_fail_together_and_later_inputs_succeed() {
    let (rows, clock) = (
        SlowRows::default(),
        VirtualTime::starting_at(Timestamp::from_millis(1_700_000_000_000)),
    );
    let runtime = LedgerRuntime::open(&rows).expect("opens");
    let mut inputs: Vec<PendingInput<'_>> = (0..3)
        .map(|key| Box::pin(runtime.process(&clock, revoke(key))) as PendingInput<'_>)
        .collect();
    assert!(inputs.iter_mut().all(|input| poll(input).is_pending()));
    rows.is_broken.set(true);
    rows.become_durable();
    assert!(is_done(&mut inputs[0]));
    for failed in &mut inputs[1..] {
        assert!(matches!(
            poll(failed),
            Poll::Ready(Err(RuntimeError::Storage(_)))
        ));
    }
    rows.is_broken.set(false);
    let mut next: PendingInput<'_> = Box::pin(runtime.process(&clock, revoke(9)));
    assert!(poll(&mut next).is_pending());
    rows.become_durable();
    assert!(is_done(&mut next));
}

#[test]
fn an_overloaded_ledger_refuses_admissions_and_accepts_other_inputs() {
    let (rows, clock) = (
        SlowRows::default(),
        VirtualTime::starting_at(Timestamp::from_millis(1_700_000_000_000)),
    );
    let runtime = LedgerRuntime::open(&rows)
        .expect("opens")
        .with_max_waiting_inputs(1);
    let mut first: PendingInput<'_> = Box::pin(runtime.process(&clock, revoke(1)));
    let mut second: PendingInput<'_> = Box::pin(runtime.process(&clock, revoke(2)));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    let mut shed: PendingInput<'_> = Box::pin(runtime.process(&clock, admit()));
    assert!(matches!(
        poll(&mut shed),
        Poll::Ready(Err(RuntimeError::Overloaded))
    ));
    let mut end: PendingInput<'_> = Box::pin(runtime.process(&clock, revoke(3)));
    assert!(poll(&mut end).is_pending());
    rows.become_durable();
    assert!(is_done(&mut first) && is_done(&mut end));
}
