//! One isolate of the gateway: the real pipeline over a database and a ledger that fail. It can be
//! killed with all its tasks.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use clawless_core::TenantId;
use clawless_core::ledger::{Input, Output};
use clawless_core::time::{Millis, Timer};
use clawless_edge::ledger::{Ledger, LedgerError};
use clawless_gateway::platform::config::Config;
use clawless_gateway::platform::memory::Memory;
use clawless_gateway::platform::{Platform, RateLimit};
use clawless_store::{Kv, KvError, KvKey, KvPage, KvPrefix, Sql, SqlError, Statement};
use clawless_testkit::provider::VirtualTime;
use clawless_testkit::{Fault, SeededEntropy};
use futures_util::future::{Either, LocalBoxFuture, select};
use serde::de::DeserializeOwned;

use super::provider::Provider;
use super::random::Random;
use crate::support::Deployment;

/// The state that all isolates and clients share.
#[derive(Clone)]
pub struct Shared {
    pub deployment: Rc<Deployment>,
    pub random: Random,
    /// Whether fault injection has ended.
    pub is_calm: Rc<Cell<bool>>,
}

impl Shared {
    /// Whether a fault with this probability, in percent, happens now.
    fn strikes(&self, chance: u64) -> bool {
        !self.is_calm.get() && self.random.percent(chance)
    }

    async fn network(&self) {
        let span = self.random.millis(20);
        self.deployment.time.sleep(span).await;
    }
}

/// The database behind a network that fails before and after the work.
pub struct FaultySql(Shared);

impl FaultySql {
    fn fault(&self) -> Option<Fault> {
        match () {
            () if self.0.strikes(4) => Some(Fault::Before(Fault::CONNECTION_LOST)),
            () if self.0.strikes(4) => Some(Fault::After(Fault::CONNECTION_LOST)),
            () if self.0.strikes(1) => Some(Fault::Before(Fault::OVERLOADED)),
            () => None,
        }
    }
}

impl Sql for FaultySql {
    async fn query<T: DeserializeOwned>(&self, statement: Statement) -> Result<Vec<T>, SqlError> {
        self.0.network().await;
        let sql = &self.0.deployment.sql;
        sql.inject([self.fault()]);
        let rows = sql.query(statement).await;
        self.0.network().await;
        rows
    }

    async fn batch(&self, statements: Vec<Statement>) -> Result<(), SqlError> {
        self.0.network().await;
        let sql = &self.0.deployment.sql;
        sql.inject([self.fault()]);
        let done = sql.batch(statements).await;
        self.0.network().await;
        done
    }
}

/// The cache behind such a network: it loses entries, returns errors and hangs.
pub struct FaultyKv(Shared);

impl FaultyKv {
    async fn fail(&self) -> Result<(), KvError> {
        self.0.network().await;
        if self.0.strikes(2) {
            self.0.deployment.time.sleep(Millis::from_secs(3600)).await;
        }
        if self.0.strikes(10) {
            return Err(KvError {
                internal: "KV failed: 429 Too Many Requests".to_owned(),
            });
        }
        Ok(())
    }
}

impl Kv for FaultyKv {
    async fn get(&self, key: &KvKey) -> Result<Option<String>, KvError> {
        self.fail().await?;
        if self.0.strikes(10) {
            return Ok(None);
        }
        self.0.deployment.kv.get(key).await
    }

    async fn put(&self, key: &KvKey, value: String, ttl: Millis) -> Result<(), KvError> {
        self.fail().await?;
        self.0.deployment.kv.put(key, value, ttl).await?;
        self.fail().await
    }

    async fn delete(&self, key: &KvKey) -> Result<(), KvError> {
        self.fail().await?;
        self.0.deployment.kv.delete(key).await
    }

    async fn list(
        &self,
        prefix: &KvPrefix,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<KvPage, KvError> {
        self.fail().await?;
        self.0.deployment.kv.list(prefix, limit, cursor).await
    }
}

/// The ledgers behind such a network.
pub struct FaultyLedger(Shared);

impl Ledger for FaultyLedger {
    async fn call(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError> {
        self.0.network().await;
        let lost = || LedgerError::Failed("lost".to_owned());
        if self.0.strikes(1) {
            return Err(lost());
        }
        let output = Ledger::call(&*self.0.deployment, tenant, input).await;
        self.0.network().await;
        if self.0.strikes(1) {
            Err(lost())
        } else {
            output
        }
    }
}

/// An isolate.
pub struct Gateway {
    shared: Shared,
    sql: FaultySql,
    kv: FaultyKv,
    ledger: FaultyLedger,
    http: Provider,
    memory: RefCell<Rc<Memory>>,
    tasks: RefCell<Vec<LocalBoxFuture<'static, ()>>>,
    /// The number of times that it was killed.
    deaths: Cell<u32>,
}

/// A gateway as one request sees it.
pub struct Isolate {
    gateway: Rc<Gateway>,
    memory: Rc<Memory>,
}

impl Gateway {
    pub fn new(shared: &Shared, http: &Provider) -> Rc<Self> {
        Rc::new(Self {
            sql: FaultySql(shared.clone()),
            kv: FaultyKv(shared.clone()),
            ledger: FaultyLedger(shared.clone()),
            http: http.clone(),
            memory: RefCell::default(),
            tasks: RefCell::default(),
            deaths: Cell::new(0),
            shared: shared.clone(),
        })
    }

    /// The platform of a request.
    pub fn isolate(self: &Rc<Self>) -> Rc<Isolate> {
        Rc::new(Isolate {
            gateway: Rc::clone(self),
            memory: Rc::clone(&self.memory.borrow()),
        })
    }

    /// Kills the isolate: drops its memory and all its tasks.
    pub fn die(&self) {
        self.deaths.set(self.deaths.get() + 1);
        self.memory.take();
        drop(self.tasks.take());
    }

    /// The output of a request, or `None` if the isolate is killed first.
    pub async fn while_alive<T>(&self, request: impl Future<Output = T>) -> Option<T> {
        let born = self.deaths.get();
        let death = poll_fn(|_| {
            if self.deaths.get() == born {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        // The kill is polled first: a killed isolate returns nothing.
        match select(death, std::pin::pin!(request)).await {
            Either::Left(_) => None,
            Either::Right((output, _)) => Some(output),
        }
    }

    /// Polls every task. `true` if none is left.
    pub fn run_tasks(&self, context: &mut Context<'_>) -> bool {
        let mut tasks = self.tasks.take();
        tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        let mut fresh = self.tasks.borrow_mut();
        if !fresh.is_empty() {
            // They have not been polled yet.
            context.waker().wake_by_ref();
        }
        tasks.append(&mut fresh);
        *fresh = tasks;
        fresh.is_empty()
    }
}

impl Platform for Isolate {
    type Sql = FaultySql;
    type Kv = FaultyKv;
    type Http = Provider;
    type Time = VirtualTime;
    type Entropy = SeededEntropy;
    type Ledger = FaultyLedger;
    type Queue = Deployment;

    fn sql(&self) -> &FaultySql {
        &self.gateway.sql
    }

    fn kv(&self) -> &FaultyKv {
        &self.gateway.kv
    }

    fn http(&self) -> &Provider {
        &self.gateway.http
    }

    fn time(&self) -> &VirtualTime {
        &self.gateway.shared.deployment.time
    }

    fn entropy(&self) -> &SeededEntropy {
        self.gateway.shared.deployment.entropy()
    }

    fn ledger(&self) -> &FaultyLedger {
        &self.gateway.ledger
    }

    fn queue(&self) -> &Deployment {
        &self.gateway.shared.deployment
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    async fn is_within(&self, _limit: RateLimit, _subject: &str) -> bool {
        true
    }

    fn config(&self) -> &Rc<Config> {
        self.gateway.shared.deployment.config()
    }

    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        self.gateway.tasks.borrow_mut().push(task);
    }
}
