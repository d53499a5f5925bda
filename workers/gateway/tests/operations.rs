//! How often a turn asks the database, the cache and the ledger: counts, not timings.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what is not as expected must stop the test"
)]

mod support;

use clawless_testkit::provider::Reply;
use support::{Deployment, answers, ask, ask_streamed, delta, end};

/// What was asked: the database, the cache (reads and writes), the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    database: u32,
    cache_reads: u32,
    cache_writes: u32,
    ledger: u32,
}

fn asked(deployment: &Deployment) -> Asked {
    Asked {
        database: deployment.sql.calls(),
        cache_reads: deployment.kv.reads(),
        cache_writes: deployment.kv.writes(),
        ledger: deployment.questions(),
    }
}

/// What the last of a few streamed requests asked, when everything that can be known is known.
fn last_of(session: Option<&str>) -> Asked {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    let bearer = format!("Bearer {}", customer.key);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(session.map(|session| ("x-session-id", session)));
    deployment.http.always(answers("Hello."));
    for _ in 0..3 {
        deployment.chat_with(&headers, &ask("Hi").to_string());
    }
    deployment.http.next(Reply::reads(&[&delta("Hi"), &end()]));
    let before = asked(&deployment);
    let response = deployment.chat_with(&headers, &ask_streamed("Hi").to_string());
    assert!(response.is_done());
    let after = asked(&deployment);
    Asked {
        database: after.database - before.database,
        cache_reads: after.cache_reads - before.cache_reads,
        cache_writes: after.cache_writes - before.cache_writes,
        ledger: after.ledger - before.ledger,
    }
}

#[test]
fn a_stateless_call_asks_the_ledger_twice_and_nobody_else() {
    let expected = Asked {
        database: 0,
        cache_reads: 0,
        cache_writes: 0,
        ledger: 2,
    };
    assert_eq!(last_of(None), expected);
}

#[test]
fn a_turn_of_a_session_that_the_ledger_knows_asks_the_ledger_no_more_often() {
    assert_eq!(last_of(Some("s")).ledger, last_of(None).ledger);
}
