//! Injected faults: a database and a cache that fail as a test plans. Never in a release.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;

use clawless_core::time::Timer;
use clawless_core::{ApiError, ErrorCode, Millis};
use clawless_edge::http::HttpResponse;
use clawless_edge::time::EdgeTime;
use clawless_store::{Kv, KvError, KvKey, KvPage, KvPrefix, Sql, SqlError, Statement};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Part of every test-only bundle; `cargo xtask tidy` checks that no other bundle has it.
const MARK: &str = "clawless:test-only";

thread_local! {
    static PLAN: RefCell<Plan> = RefCell::default();
}

/// The planned faults, and the calls since they were planned.
#[derive(Default, Serialize)]
struct Plan {
    mark: &'static str,
    faults: Vec<Fault>,
    calls: BTreeMap<&'static str, u32>,
}

/// One fault.
#[derive(Clone, Serialize, Deserialize)]
struct Fault {
    /// The calls that fail: `query`, `batch`, `get`, `put` or `delete`.
    call: String,
    /// A text that the statement or the cache's key contains.
    #[serde(default)]
    about: String,
    when: FaultKind,
    /// The error text for the caller.
    #[serde(default)]
    error: String,
    /// The number of calls that fail.
    times: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultKind {
    /// The call does nothing.
    Before,
    /// The call is executed, and then its answer is lost.
    After,
    /// The cache reports that there is nothing, or reports success without doing anything.
    Absent,
    /// Nothing happens for an hour.
    Never,
}

/// Answers `/__test/faults`: a body replaces the plan; without one the plan and the calls are returned.
///
/// # Errors
/// 400 if the body is not a plan.
pub fn plan(body: &[u8]) -> Result<HttpResponse, ApiError> {
    PLAN.with_borrow_mut(|plan| {
        if !body.is_empty() {
            let faults = serde_json::from_slice(body)
                .map_err(|error| ApiError::new(ErrorCode::InvalidJson, error.to_string()))?;
            *plan = Plan {
                mark: MARK,
                faults,
                calls: BTreeMap::new(),
            };
        }
        HttpResponse::of(plan)
    })
}

/// The fault of a call, if one is planned.
fn take_fault(call: &'static str, about: &[&str]) -> Option<Fault> {
    PLAN.with_borrow_mut(|plan| {
        *plan.calls.entry(call).or_default() += 1;
        let fault = plan.faults.iter_mut().find(|fault| {
            let matches = about.iter().any(|text| text.contains(&fault.about));
            fault.times > 0 && fault.call == call && matches
        })?;
        fault.times -= 1;
        Some(fault.clone())
    })
}

/// A port with planned faults.
#[derive(Debug)]
pub struct Faulty<T>(pub T);

impl<T> Deref for Faulty<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Runs a call before, after or instead of its fault.
async fn run_with_fault<T, E>(
    fault: Option<Fault>,
    failure: impl Fn(String) -> E,
    absent: impl FnOnce() -> Result<T, E>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(fault) = fault else {
        return call.await;
    };
    match fault.when {
        FaultKind::Before => Err(failure(fault.error)),
        FaultKind::After => {
            call.await?;
            Err(failure(fault.error))
        }
        FaultKind::Absent => absent(),
        FaultKind::Never => {
            EdgeTime.sleep(Millis::from_secs(3600)).await;
            Err(failure(fault.error))
        }
    }
}

impl<S: Sql> Sql for Faulty<S> {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        let fault = take_fault("query", &[statement.sql]);
        let none = || Ok(Vec::new());
        run_with_fault(fault, SqlError::from_message, none, self.0.query(statement)).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        let texts: Vec<&str> = statements.iter().map(|statement| statement.sql).collect();
        let fault = take_fault("batch", &texts);
        let none = || Ok(());
        run_with_fault(
            fault,
            SqlError::from_message,
            none,
            self.0.batch(statements),
        )
        .await
    }
}

fn cache_failure(internal: String) -> KvError {
    KvError { internal }
}

impl<K: Kv> Kv for Faulty<K> {
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError> {
        let fault = take_fault("get", &[key.as_str()]);
        run_with_fault(fault, cache_failure, || Ok(None), self.0.get(key)).await
    }

    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError> {
        let fault = take_fault("put", &[key.as_str()]);
        run_with_fault(fault, cache_failure, || Ok(()), self.0.put(key, value, ttl)).await
    }

    async fn delete(&self, key: &KvKey) -> Result<(), KvError> {
        let fault = take_fault("delete", &[key.as_str()]);
        run_with_fault(fault, cache_failure, || Ok(()), self.0.delete(key)).await
    }

    async fn list(
        &self,
        prefix: &KvPrefix,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<KvPage, KvError> {
        let fault = take_fault("list", &[prefix.as_str()]);
        let listed = self.0.list(prefix, limit, cursor);
        run_with_fault(fault, cache_failure, || Ok(KvPage::default()), listed).await
    }
}
