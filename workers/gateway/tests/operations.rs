//! How often a turn asks the database, the cache and the ledger: counts, not timings.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected must stop the test"
)]

mod support;

use std::future::pending;
use std::ops::Sub;

use clawless_core::time::Millis;
use clawless_testkit::provider::{Reply, Step};
use support::{Deployment, answers, ask, ask_streamed, delta, end, read};

/// What was asked: the database, the cache (reads and writes), the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    database: u32,
    cache_reads: u32,
    cache_writes: u32,
    ledger: u32,
}

impl Sub for Asked {
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

fn asked(deployment: &Deployment) -> Asked {
    Asked {
        database: deployment.sql.calls(),
        cache_reads: deployment.kv.reads(),
        cache_writes: deployment.kv.writes(),
        ledger: deployment.questions(),
    }
}

/// What the last of a few streamed requests asked before its first byte and after it, when everything
/// that can be known is known.
fn last_of(session: Option<&str>) -> [Asked; 2] {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let bearer = format!("Bearer {}", customer.key);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(session.map(|session| ("x-session-id", session)));
    deployment.http.always(answers("Hello."));
    for _ in 0..3 {
        deployment.chat_with(&headers, &ask("Hi").to_string());
    }
    deployment.http.next(Reply::steps(vec![
        Step::Bytes(delta("Hi").into_bytes()),
        Step::Wait(Millis::from_secs(1)),
        Step::Bytes(end().into_bytes()),
    ]));
    let before = asked(&deployment);
    let (begun, response) = deployment.run(async {
        let request = deployment.new_request();
        let body = ask_streamed("Hi").to_string();
        let answer = deployment.begin(&request, &headers, body, pending()).await;
        let begun = asked(&deployment);
        (begun, read(answer).await)
    });
    assert!(response.is_done());
    [begun - before, asked(&deployment) - begun]
}

const ONLY_THE_LEDGER: Asked = Asked {
    database: 0,
    cache_reads: 0,
    cache_writes: 0,
    ledger: 1,
};

#[test]
fn a_stateless_call_asks_the_ledger_before_and_after_and_nobody_else() {
    assert_eq!(last_of(None), [ONLY_THE_LEDGER, ONLY_THE_LEDGER]);
}

#[test]
fn a_turn_of_a_hot_session_reads_the_cache_before_it_and_writes_each_store_once_after_it() {
    let before = Asked {
        cache_reads: 1,
        ..ONLY_THE_LEDGER
    };
    let after = Asked {
        database: 1,
        cache_writes: 1,
        ..ONLY_THE_LEDGER
    };
    assert_eq!(last_of(Some("s")), [before, after]);
}
