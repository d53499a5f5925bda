//! The Durable Object: one per tenant, a thin runtime around the machine.
#![allow(missing_docs, reason = "what the macro generates for the runtime")]

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use clawless_core::TenantId;
use clawless_core::time::{Clock, Millis, Timestamp};
use clawless_edge::d1::D1;
use clawless_edge::logging;
use clawless_edge::time::EdgeTime;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{DurableObject, Env, Method, Request, Response, State, durable_object};

use super::Question;
use super::rows::ObjectRows;
use super::runtime::{LedgerRuntime, RuntimeError};
use super::work;
use crate::bindings::DB;

/// How long the background work waits after it could not be done.
const RETRY: Millis = Millis::from_secs(5);

/// The variable that says how many inputs may wait for a commit before no new call is admitted.
const QUEUE_LIMIT: &str = "LEDGER_QUEUE_LIMIT";

/// The ledger of one tenant.
#[durable_object]
pub struct TenantLedger {
    state: State,
    env: Env,
    /// The machine, once its rows could be read.
    runtime: OnceCell<LedgerRuntime<ObjectRows>>,
    /// The object's tenant, once anybody has asked.
    tenant: OnceCell<TenantId>,
    /// When the alarm is set for.
    alarm: Cell<Option<Timestamp>>,
}

impl DurableObject for TenantLedger {
    fn new(state: State, env: Env) -> Self {
        logging::start(&env);
        Self {
            state,
            env,
            runtime: OnceCell::new(),
            tenant: OnceCell::new(),
            alarm: Cell::new(None),
        }
    }

    /// Answers one question as [`TenantLedger::ask`] does, for whoever speaks HTTP: 503 where the
    /// machine cannot go on or has too much to do. GET only tells that the object is there, and
    /// DELETE erases it.
    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        if request.method() == Method::Get {
            return Response::ok("ok");
        }
        if request.method() == Method::Delete {
            return self.erase().await;
        }
        match self.answer(&request.text().await?).await {
            Ok(Some(output)) => Response::ok(output),
            Ok(None) => Response::error("the ledger has too much to do", 503),
            Err(Unanswered::Misunderstood(why)) => Response::error(why, 400),
            Err(Unanswered::Failed) => Response::error(FAILED, 503),
        }
    }

    /// Does the background work that is due. May come twice, early or late. What cannot be done
    /// now is tried again after a pause; where not even that can be arranged, the runtime's own
    /// retries follow the error.
    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.set(None);
        let runtime = self
            .runtime()
            .map_err(|error| worker::Error::RustError(error.to_string()))?;
        let tenant = self.owner(None)?;
        let database = D1::new(self.env.d1(DB).ok());
        match work::work_off(runtime, &EdgeTime, &database, tenant).await {
            Ok(()) => self.schedule().await?,
            Err(error) => {
                tracing::error!(tenant = tenant.as_str(), %error, "the ledger's work waits");
                self.set_alarm(EdgeTime.now().plus(RETRY)).await?;
            }
        }
        Response::empty()
    }
}

/// What callers are told of a failure; the log has the rest.
const FAILED: &str = "the ledger cannot answer";

/// Why there is no answer.
enum Unanswered {
    Misunderstood(String),
    Failed,
}

#[wasm_bindgen(
    wasm_bindgen_futures = ::worker::wasm_bindgen_futures,
    js_sys = ::worker::js_sys
)]
impl TenantLedger {
    /// Answers one question, JSON for JSON; undefined where the object has too much to do. This is
    /// how our Workers ask: a remote call costs half of what a request and a response do.
    pub async fn ask(&self, question: String) -> Result<Option<String>, JsError> {
        self.answer(&question).await.map_err(|error| match error {
            Unanswered::Misunderstood(why) => JsError::new(&why),
            Unanswered::Failed => JsError::new(FAILED),
        })
    }
}

impl TenantLedger {
    /// Deletes all that is stored. What arrives later finds a ledger that was never configured.
    async fn erase(&self) -> worker::Result<Response> {
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await?;
        self.alarm.set(None);
        if let Some(runtime) = self.runtime.get() {
            runtime
                .reload()
                .map_err(|error| worker::Error::RustError(error.to_string()))?;
        }
        Response::ok("erased")
    }

    /// The answer to a question; none where there is too much to do.
    async fn answer(&self, question: &str) -> Result<Option<String>, Unanswered> {
        let misunderstood = |error: String| Unanswered::Misunderstood(error);
        let question: Question =
            serde_json::from_str(question).map_err(|error| misunderstood(error.to_string()))?;
        let owner = self.owner(Some(&question.tenant));
        if *owner.map_err(|error| failed(&question.tenant, &error))? != question.tenant {
            return Err(misunderstood("another tenant's ledger".to_owned()));
        }
        let answered = match self.runtime() {
            Ok(runtime) => runtime.ask(&EdgeTime, question.input).await,
            Err(error) => Err(error),
        };
        let output = match answered {
            Ok(output) => output,
            Err(RuntimeError::Overloaded) => return Ok(None),
            Err(error) => return Err(failed(&question.tenant, &error)),
        };
        // The answer is good without it: the next question sets the alarm.
        if let Err(error) = self.schedule().await {
            tracing::error!(%error, "the ledger's alarm is not set");
        }
        let output = serde_json::to_string(&output);
        output
            .map(Some)
            .map_err(|error| failed(&question.tenant, &error))
    }

    /// The machine. Its rows are read at the first question, and again after they could not be.
    fn runtime(&self) -> Result<&LedgerRuntime<ObjectRows>, RuntimeError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let mut runtime = LedgerRuntime::open(ObjectRows::new(self.state.storage()))?;
        let most = self.env.var(QUEUE_LIMIT).ok();
        if let Some(most) = most.and_then(|most| most.to_string().parse().ok()) {
            runtime = runtime.with_max_waiting_inputs(most);
        }
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// Whose ledger it is: as noted, else whose question came first.
    fn owner(&self, asks: Option<&TenantId>) -> worker::Result<&TenantId> {
        if let Some(tenant) = self.tenant.get() {
            return Ok(tenant);
        }
        let rows = ObjectRows::new(self.state.storage());
        let tenant = match (rows.owner(), asks) {
            (Some(tenant), _) => tenant,
            (None, Some(asks)) => {
                rows.set_owner(asks)?;
                asks.clone()
            }
            (None, None) => return Err("nobody has asked this ledger yet".into()),
        };
        Ok(self.tenant.get_or_init(|| tenant))
    }

    /// Sets the alarm for the next work, unless an earlier one is set.
    async fn schedule(&self) -> worker::Result<()> {
        let Some(runtime) = self.runtime.get() else {
            return Ok(());
        };
        match work::next_work(runtime, EdgeTime.now()) {
            Some(due) if self.alarm.get().is_none_or(|set| due < set) => self.set_alarm(due).await,
            _ => Ok(()),
        }
    }

    async fn set_alarm(&self, due: Timestamp) -> worker::Result<()> {
        let wait = Duration::from_millis(due.since(EdgeTime.now()).get());
        self.state.storage().set_alarm(wait).await?;
        self.alarm.set(Some(due));
        Ok(())
    }
}

fn failed(tenant: &TenantId, error: &impl std::fmt::Display) -> Unanswered {
    tracing::error!(tenant = tenant.as_str(), %error, "the ledger cannot answer");
    Unanswered::Failed
}
