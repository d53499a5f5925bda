//! The Durable Object: one per tenant, a thin runtime around the machine.
#![allow(missing_docs, reason = "the macro generates undocumented items")]

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use clawless_core::TenantId;
use clawless_core::time::{Clock, Millis, Timestamp};
use clawless_edge::d1::D1;
use clawless_edge::ledger::LedgerRequest;
use clawless_edge::logging;
use clawless_edge::time::EdgeTime;
use tracing::Instrument;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{DurableObject, Env, Method, Request, Response, State, durable_object};

use super::background;
use super::machine::RuntimeError;
use super::rows::ObjectRows;
use super::runtime::LedgerRuntime;
use crate::platform::binding_names::DB;
use crate::platform::config::LEDGER_QUEUE_LIMIT;

/// The pause after failed background work.
const RETRY_DELAY: Millis = Millis::from_secs(5);

/// The ledger of one tenant.
#[durable_object]
pub struct TenantLedger {
    state: State,
    env: Env,
    /// The machine, once its rows have been read.
    runtime: OnceCell<LedgerRuntime<ObjectRows>>,
    /// The object's tenant, once an input has named it.
    tenant: OnceCell<TenantId>,
    /// The time of the alarm.
    alarm: Cell<Option<Timestamp>>,
    database: OnceCell<D1>,
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
            database: OnceCell::new(),
        }
    }

    /// [`TenantLedger::ask`] over HTTP: 503 if the machine fails or is overloaded. GET checks that
    /// the object is available, and DELETE erases it.
    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        if request.method() == Method::Get {
            return Response::ok("ok");
        }
        if request.method() == Method::Delete {
            return self.erase().await;
        }
        match self.answer(&request.text().await?).await {
            Ok(Some(output)) => Response::ok(output),
            Ok(None) => Response::error("the ledger is overloaded", 503),
            Err(InputError::Invalid(why)) => Response::error(why, 400),
            Err(InputError::Failed) => Response::error(FAILED, 503),
        }
    }

    /// Does the background work that is due. May run twice, early or late. Failed work is retried
    /// after a pause; if the alarm cannot be set, the error leads to the platform's own retries.
    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.set(None);
        let runtime = self
            .runtime()
            .map_err(|error| worker::Error::RustError(error.to_string()))?;
        let tenant = self.owner(None)?;
        let work = async {
            match background::run(runtime, &EdgeTime, self.database(), tenant).await {
                Ok(()) => self.schedule().await,
                Err(error) => {
                    tracing::error!(%error, "ledger background work failed");
                    self.set_alarm(EdgeTime.now().plus(RETRY_DELAY)).await
                }
            }
        };
        let span = logging::work_span(None, Some(tenant));
        work.instrument(span).await?;
        Response::empty()
    }
}

/// The error text for callers; the log has the cause.
const FAILED: &str = "the ledger cannot answer";

/// Why an input has no answer.
enum InputError {
    Invalid(String),
    Failed,
}

#[wasm_bindgen(
    wasm_bindgen_futures = ::worker::wasm_bindgen_futures,
    js_sys = ::worker::js_sys
)]
impl TenantLedger {
    /// Processes one input, JSON for JSON; undefined if the object is overloaded. Workers use this
    /// remote call, which costs half of a request and a response. Workers of another version call it
    /// too, so its name stays.
    pub async fn ask(&self, request: String) -> Result<Option<String>, JsError> {
        self.answer(&request).await.map_err(|error| match error {
            InputError::Invalid(why) => JsError::new(&why),
            InputError::Failed => JsError::new(FAILED),
        })
    }
}

impl TenantLedger {
    /// Deletes everything stored. Later inputs find a ledger that was never configured.
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

    /// Processes an input; `None` if the object is overloaded.
    async fn answer(&self, request: &str) -> Result<Option<String>, InputError> {
        let request: LedgerRequest = serde_json::from_str(request)
            .map_err(|error| InputError::Invalid(error.to_string()))?;
        let span = logging::work_span(request.request_id.as_ref(), Some(&request.tenant));
        self.process(request).instrument(span).await
    }

    async fn process(&self, request: LedgerRequest) -> Result<Option<String>, InputError> {
        let owner = self.owner(Some(&request.tenant));
        if *owner.map_err(|error| failed(&error))? != request.tenant {
            return Err(InputError::Invalid("another tenant's ledger".to_owned()));
        }
        let (database, time) = (self.database(), &EdgeTime);
        let (tenant, input) = (&request.tenant, request.input);
        let answered = match self.runtime() {
            Ok(runtime) => background::answer(runtime, time, database, tenant, input).await,
            Err(error) => Err(error),
        };
        let output = match answered {
            Ok(output) => output,
            Err(RuntimeError::Overloaded) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        // The answer does not depend on the alarm: the next input sets it.
        if let Err(error) = self.schedule().await {
            tracing::error!(%error, "set ledger alarm failed");
        }
        let output = serde_json::to_string(&output);
        output.map(Some).map_err(|error| failed(&error))
    }

    /// The machine. Its rows are read at the first input, and again if that failed.
    fn runtime(&self) -> Result<&LedgerRuntime<ObjectRows>, RuntimeError> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let mut runtime = LedgerRuntime::open(ObjectRows::new(self.state.storage()))?;
        let most = self.env.var(LEDGER_QUEUE_LIMIT).ok();
        if let Some(most) = most.and_then(|most| most.to_string().parse().ok()) {
            runtime = runtime.with_max_waiting_inputs(most);
        }
        Ok(self.runtime.get_or_init(|| runtime))
    }

    /// The database, opened at its first use: looking a binding up costs several calls of the runtime.
    fn database(&self) -> &D1 {
        self.database.get_or_init(|| D1::new(self.env.d1(DB).ok()))
    }

    /// The ledger's tenant: as stored, otherwise that of the first input.
    fn owner(&self, named: Option<&TenantId>) -> worker::Result<&TenantId> {
        if let Some(tenant) = self.tenant.get() {
            return Ok(tenant);
        }
        let rows = ObjectRows::new(self.state.storage());
        let tenant = match (rows.owner(), named) {
            (Some(tenant), _) => tenant,
            (None, Some(named)) => {
                rows.set_owner(named)?;
                named.clone()
            }
            (None, None) => return Err("the ledger has no tenant yet".into()),
        };
        Ok(self.tenant.get_or_init(|| tenant))
    }

    /// Sets the alarm for the next work, unless an earlier one is set.
    async fn schedule(&self) -> worker::Result<()> {
        let Some(runtime) = self.runtime.get() else {
            return Ok(());
        };
        match background::next_due(runtime, EdgeTime.now()) {
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

fn failed(error: &impl std::fmt::Display) -> InputError {
    tracing::error!(%error, "process ledger input failed");
    InputError::Failed
}
