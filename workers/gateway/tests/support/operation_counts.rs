//! Counts the calls of the database, the cache and the ledger in a turn.

use std::future::pending;
use std::ops::Sub;
use std::rc::Rc;

use clawless_core::time::Millis;
use clawless_testkit::provider::{Reply, Step};
use serde::Serialize;

use super::{
    Customer, Deployment, chat_request, completion_reply, delta, end, read, streamed_chat_request,
};

/// The number of calls of each store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OperationCounts {
    /// Queries and batches.
    pub database: u32,
    pub cache_reads: u32,
    pub cache_writes: u32,
    pub ledger: u32,
}

impl Sub for OperationCounts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            database: self.database - earlier.database,
            cache_reads: self.cache_reads - earlier.cache_reads,
            cache_writes: self.cache_writes - earlier.cache_writes,
            ledger: self.ledger - earlier.ledger,
        }
    }
}

/// The state of the session before the measured turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionState {
    /// No session.
    None,
    /// A session with three turns, the last a moment ago.
    Hot,
    /// The same, so long ago that no cache has it.
    Cold,
}

/// A deployment that is ready for the measured turn.
pub struct PreparedTurn {
    deployment: Rc<Deployment>,
    customer: Customer,
    session_state: SessionState,
}

/// Prepares a turn: the isolate has cached its key and its tenant.
pub fn prepare(session_state: SessionState) -> PreparedTurn {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(completion_reply("Hello."));
    for _ in 0..3 {
        match session_state {
            SessionState::None => deployment.chat(&customer, &chat_request("Hi")),
            SessionState::Hot | SessionState::Cold => {
                deployment.chat_in_session(&customer, "s", "Hi")
            }
        };
    }
    if session_state == SessionState::Cold {
        deployment.time.advance(Millis::from_secs(3600));
        deployment.chat(&customer, &chat_request("Hi"));
    }
    let steps = [
        Step::Bytes(delta("Hi").into_bytes()),
        Step::Wait(Millis::from_secs(1)),
        Step::Bytes(end().into_bytes()),
    ];
    deployment.http.next(Reply::steps(steps.into()));
    PreparedTurn {
        deployment,
        customer,
        session_state,
    }
}

impl PreparedTurn {
    /// Runs the turn with a streamed response. Returns the counts before and after its first byte.
    pub fn call(&self) -> [OperationCounts; 2] {
        let deployment = &self.deployment;
        let bearer = format!("Bearer {}", self.customer.key);
        let mut headers = vec![("authorization", bearer.as_str())];
        if self.session_state != SessionState::None {
            headers.push(("x-session-id", "s"));
        }
        let before = operation_counts(deployment);
        let (at_first_byte, response) = deployment.run(async {
            let request = deployment.new_request();
            let body = streamed_chat_request("Hi").to_string();
            let answer = deployment.begin(&request, &headers, body, pending()).await;
            let at_first_byte = operation_counts(deployment);
            (at_first_byte, read(answer).await)
        });
        assert!(response.is_done(), "{}", response.body);
        [
            at_first_byte - before,
            operation_counts(deployment) - at_first_byte,
        ]
    }
}

fn operation_counts(deployment: &Deployment) -> OperationCounts {
    OperationCounts {
        database: deployment.sql.calls(),
        cache_reads: deployment.kv.reads(),
        cache_writes: deployment.kv.writes(),
        ledger: deployment.ledger_calls(),
    }
}
