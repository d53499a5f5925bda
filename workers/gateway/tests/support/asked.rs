//! How often a turn asks the database, the cache and the ledger.

use std::future::pending;
use std::ops::Sub;
use std::rc::Rc;

use clawless_core::time::Millis;
use clawless_testkit::provider::{Reply, Step};
use serde::Serialize;

use super::{Customer, Deployment, answers, ask, ask_streamed, delta, end, read};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The database: queries and batches.
    pub database: u32,
    pub cache_reads: u32,
    pub cache_writes: u32,
    pub ledger: u32,
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

/// What a call has behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// No session.
    None,
    /// Three turns of its session, the last a moment ago.
    Hot,
    /// The same, so long ago that no cache has it any more.
    Cold,
}

/// A deployment that is about to be called.
pub struct Ready {
    deployment: Rc<Deployment>,
    customer: Customer,
    past: Past,
}

/// Prepares a call: its key and its tenant are known to the isolate, its session is as `past` says.
pub fn ready(past: Past) -> Ready {
    let deployment = Deployment::new();
    let customer = deployment.customer();
    deployment.http.always(answers("Hello."));
    for _ in 0..3 {
        match past {
            Past::None => deployment.chat(&customer, &ask("Hi")),
            Past::Hot | Past::Cold => deployment.say(&customer, "s", "Hi"),
        };
    }
    if past == Past::Cold {
        deployment.time.advance(Millis::from_secs(3600));
        deployment.chat(&customer, &ask("Hi"));
    }
    let steps = [
        Step::Bytes(delta("Hi").into_bytes()),
        Step::Wait(Millis::from_secs(1)),
        Step::Bytes(end().into_bytes()),
    ];
    deployment.http.next(Reply::steps(steps.into()));
    Ready {
        deployment,
        customer,
        past,
    }
}

impl Ready {
    /// Makes the call, with a streamed answer. What it asked before its first byte, and after it.
    pub fn call(&self) -> [Asked; 2] {
        let deployment = &self.deployment;
        let bearer = format!("Bearer {}", self.customer.key);
        let mut headers = vec![("authorization", bearer.as_str())];
        if self.past != Past::None {
            headers.push(("x-session-id", "s"));
        }
        let before = asked(deployment);
        let (begun, response) = deployment.run(async {
            let request = deployment.new_request();
            let body = ask_streamed("Hi").to_string();
            let answer = deployment.begin(&request, &headers, body, pending()).await;
            let begun = asked(deployment);
            (begun, read(answer).await)
        });
        assert!(response.is_done(), "{}", response.body);
        [begun - before, asked(deployment) - begun]
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
