//! The Worker's bindings as a [`Platform`].

use std::cell::OnceCell;
use std::rc::Rc;

use clawless_core::time::{Millis, timeout};
use clawless_edge::d1::D1;
use clawless_edge::entropy::EdgeEntropy;
use clawless_edge::fetch::EdgeHttp;
use clawless_edge::kv::EdgeKv;
use clawless_edge::ledger::RemoteLedger;
use clawless_edge::queue::EdgeQueue;
use clawless_edge::request_time::RequestTime;
use clawless_edge::tasks::Tasks;
use clawless_edge::time::EdgeTime;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tracing::Instrument;
use worker::Env;

use super::binding_names::{
    CACHE, DB, KEY_GUESSES, VISITOR_MESSAGES, VISITOR_REQUESTS, WIDGET_SESSIONS,
};
use super::config::{Config, InvalidVariable, Variables};
use super::memory::Memory;
use super::port::{Platform, RateLimit};
use ports::{Cache, Database, wrap};

/// After this time a health check counts a dependency as unavailable.
const HEALTH_TIMEOUT: Millis = Millis::from_secs(2);

thread_local! {
    /// A deployment's variables never change while its isolate lives.
    static CONFIG: OnceCell<Rc<Config>> = const { OnceCell::new() };
    static MEMORY: Rc<Memory> = Rc::default();
}

#[cfg(not(feature = "test-faults"))]
mod ports {
    use clawless_edge::d1::D1;
    use clawless_edge::kv::EdgeKv;

    pub(super) type Database = D1;
    pub(super) type Cache = EdgeKv;
    pub(super) use std::convert::identity as wrap;
}

/// In test-only bundles the database and the cache fail on request.
#[cfg(feature = "test-faults")]
mod ports {
    use clawless_edge::d1::D1;
    use clawless_edge::kv::EdgeKv;

    use crate::platform::faults::Faulty;

    pub(super) type Database = Faulty<D1>;
    pub(super) type Cache = Faulty<EdgeKv>;
    pub(super) use crate::platform::faults::Faulty as wrap;
}

/// The bindings of one request.
pub struct Bindings {
    env: Env,
    tasks: Rc<Tasks>,
    config: Rc<Config>,
    /// Opened on first use: most requests need none of them.
    sql: OnceCell<Database>,
    kv: OnceCell<Cache>,
    queue: OnceCell<EdgeQueue>,
    http: EdgeHttp,
    ledger: RemoteLedger,
    time: RequestTime,
    memory: Rc<Memory>,
}

/// Reads the configuration, and logs each invalid variable once per isolate.
fn read_config(env: &Env) -> Rc<Config> {
    let config = Config::read(&EnvVariables(env));
    for InvalidVariable { name, reason, .. } in &config.invalid {
        tracing::error!(name, reason, "variable rejected");
    }
    Rc::new(config)
}

struct EnvVariables<'a>(&'a Env);

impl Variables for EnvVariables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.0.var(name).ok().map(|value| value.to_string())
    }
}

impl Bindings {
    /// Opens the bindings of a request.
    pub fn open(env: Env, tasks: Rc<Tasks>) -> Self {
        let config = CONFIG.with(|cell| cell.get_or_init(|| read_config(&env)).clone());
        let time = RequestTime::default();
        Self {
            sql: OnceCell::new(),
            kv: OnceCell::new(),
            http: EdgeHttp::new(env.clone()),
            ledger: RemoteLedger::new(&env, time.clone()),
            time,
            queue: OnceCell::new(),
            memory: MEMORY.with(Rc::clone),
            env,
            tasks,
            config,
        }
    }

    /// The environment, for bindings without a port: other Workers.
    pub const fn env(&self) -> &Env {
        &self.env
    }

    /// Whether the database answers a trivial query in time.
    pub async fn database_answers(&self) -> bool {
        in_time(async { clawless_store::health::check(self.sql()).await.is_ok() }).await
    }

    /// The migrations that the database lacks; `None` if it does not answer in time.
    pub async fn missing_migrations(&self) -> Option<Vec<&'static str>> {
        let read = clawless_store::health::missing_migrations_across_tenants(self.sql());
        timeout(&EdgeTime, HEALTH_TIMEOUT, read).await.ok()?.ok()
    }

    /// Whether the tenants' ledgers answer in time.
    pub async fn ledger_answers(&self) -> bool {
        in_time(self.ledger.answers()).await
    }

    /// Whether the key-value store answers a read in time.
    pub async fn cache_answers(&self) -> bool {
        in_time(self.kv().ping()).await
    }

    /// Whether the Worker behind a binding answers its own health check in time.
    pub async fn service_answers(&self, binding: &str) -> bool {
        in_time(async {
            // The host is never resolved: a binding has one target.
            let Ok(service) = self.env.service(binding) else {
                return false;
            };
            let answer = service.fetch("http://internal/health", None).await;
            answer.is_ok_and(|response| response.status_code() == 200)
        })
        .await
    }
}

/// The result of a check, or `false` if it takes too long.
async fn in_time(check: impl Future<Output = bool>) -> bool {
    timeout(&EdgeTime, HEALTH_TIMEOUT, check)
        .await
        .unwrap_or(false)
}

impl Platform for Bindings {
    type Sql = Database;
    type Kv = Cache;
    type Http = EdgeHttp;
    type Time = RequestTime;
    type Entropy = EdgeEntropy;
    type Ledger = RemoteLedger;
    type Queue = EdgeQueue;

    fn sql(&self) -> &Database {
        let open = || wrap(D1::new(self.env.d1(DB).ok()));
        self.sql.get_or_init(open)
    }

    fn kv(&self) -> &Cache {
        let open = || wrap(EdgeKv::new(self.env.kv(CACHE).ok()));
        self.kv.get_or_init(open)
    }

    fn http(&self) -> &EdgeHttp {
        &self.http
    }

    fn time(&self) -> &RequestTime {
        &self.time
    }

    fn entropy(&self) -> &EdgeEntropy {
        &EdgeEntropy
    }

    fn ledger(&self) -> &RemoteLedger {
        &self.ledger
    }

    fn queue(&self) -> &EdgeQueue {
        self.queue.get_or_init(|| EdgeQueue::new(&self.env))
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    /// A missing or failing limiter allows every request: keys of 160 random bits cannot be guessed, and
    /// the ledger limits the rest.
    async fn is_within(&self, limit: RateLimit, subject: &str) -> bool {
        let binding = match limit {
            RateLimit::KeyGuesses => KEY_GUESSES,
            RateLimit::WidgetSessions => WIDGET_SESSIONS,
            RateLimit::VisitorMessages => VISITOR_MESSAGES,
            RateLimit::VisitorRequests => VISITOR_REQUESTS,
        };
        let Ok(limiter) = self.env.rate_limiter(binding) else {
            return true;
        };
        limiter
            .limit(subject.to_owned())
            .await
            .map_or(true, |outcome| outcome.success)
    }

    fn config(&self) -> &Rc<Config> {
        &self.config
    }

    /// The task keeps the span of its work: a queue's batch has several.
    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.tasks.spawn(task.in_current_span().boxed_local());
    }
}
