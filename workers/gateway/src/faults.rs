//! Faults on purpose: a database and a cache that fail as a test plans it. Never in a release.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;

use clawless_core::time::Timer;
use clawless_core::{ApiError, ErrorCode, Millis};
use clawless_edge::response::HttpResponse;
use clawless_edge::time::EdgeTime;
use clawless_store::{Kv, KvError, KvKey, Sql, SqlError, Statement};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Stands in every test-only bundle, and `cargo xtask tidy` looks for it in the others.
const MARK: &str = "clawless:test-only";

thread_local! {
    static PLAN: RefCell<Plan> = RefCell::default();
}

/// What goes wrong, and what was asked since it was planned.
#[derive(Default, Serialize)]
struct Plan {
    mark: &'static str,
    faults: Vec<Fault>,
    calls: BTreeMap<&'static str, u32>,
}

/// One fault.
#[derive(Clone, Serialize, Deserialize)]
struct Fault {
    /// Which calls it meets: `query`, `batch`, `get`, `put` or `delete`.
    call: String,
    /// What the statement, or the cache's key, must hold.
    #[serde(default)]
    about: String,
    when: When,
    /// What the caller is told.
    #[serde(default)]
    error: String,
    /// How many calls it meets.
    times: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    /// The call does nothing.
    Before,
    /// The call is carried out, and then its answer is lost.
    After,
    /// The cache says that there is nothing, or does nothing and says that it did.
    Absent,
    /// Nothing happens for an hour.
    Never,
}

/// Answers `/__test/faults`: a body plans anew, none tells what is planned and what was asked.
///
/// # Errors
/// 400 where the body is no plan.
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

/// The fault that meets a call, if one does.
fn meet(call: &'static str, about: &[&str]) -> Option<Fault> {
    PLAN.with_borrow_mut(|plan| {
        *plan.calls.entry(call).or_default() += 1;
        let fault = plan.faults.iter_mut().find(|fault| {
            let meant = about.iter().any(|text| text.contains(&fault.about));
            fault.times > 0 && fault.call == call && meant
        })?;
        fault.times -= 1;
        Some(fault.clone())
    })
}

/// A port that fails as planned.
#[derive(Debug)]
pub struct Faulty<T>(pub T);

impl<T> Deref for Faulty<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Carries a call out, before, after or instead of its fault.
async fn with<T, E>(
    fault: Option<Fault>,
    failure: impl Fn(String) -> E,
    absent: impl FnOnce() -> Result<T, E>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(fault) = fault else {
        return call.await;
    };
    match fault.when {
        When::Before => Err(failure(fault.error)),
        When::After => {
            call.await?;
            Err(failure(fault.error))
        }
        When::Absent => absent(),
        When::Never => {
            EdgeTime.sleep(Millis::from_secs(3600)).await;
            Err(failure(fault.error))
        }
    }
}

impl<S: Sql> Sql for Faulty<S> {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        let fault = meet("query", &[statement.sql]);
        let none = || Ok(Vec::new());
        with(fault, SqlError::from_message, none, self.0.query(statement)).await
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        let texts: Vec<&str> = statements.iter().map(|statement| statement.sql).collect();
        let fault = meet("batch", &texts);
        let none = || Ok(());
        with(
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
        let fault = meet("get", &[key.as_str()]);
        with(fault, cache_failure, || Ok(None), self.0.get(key)).await
    }

    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError> {
        let fault = meet("put", &[key.as_str()]);
        with(fault, cache_failure, || Ok(()), self.0.put(key, value, ttl)).await
    }

    async fn delete(&self, key: &KvKey) -> Result<(), KvError> {
        let fault = meet("delete", &[key.as_str()]);
        with(fault, cache_failure, || Ok(()), self.0.delete(key)).await
    }
}
