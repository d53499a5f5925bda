//! The Durable Object: one per tenant, a thin shell around the machine.
#![allow(missing_docs, reason = "what the macro generates for the runtime")]

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use clawless_core::TenantId;
use clawless_core::time::{Clock, Millis, Timestamp};
use clawless_edge::d1::D1;
use clawless_edge::time::EdgeTime;
use clawless_edge::worker_entry;
use worker::{DurableObject, Env, Method, Request, Response, State, durable_object};

use super::Question;
use super::rows::ObjectRows;
use super::shell::{Shell, ShellError};
use super::work;
use crate::bindings::DB;

/// How long the background work waits after it could not be done.
const RETRY: Millis = Millis::from_secs(5);

/// The ledger of one tenant.
#[durable_object]
pub struct TenantLedger {
    state: State,
    env: Env,
    /// The machine, once its rows could be read.
    shell: OnceCell<Shell<ObjectRows>>,
    /// The object's tenant, once anybody has asked.
    tenant: OnceCell<TenantId>,
    /// When the alarm is set for.
    alarm: Cell<Option<Timestamp>>,
}

impl DurableObject for TenantLedger {
    fn new(state: State, env: Env) -> Self {
        worker_entry::start_logging(&env);
        Self {
            state,
            env,
            shell: OnceCell::new(),
            tenant: OnceCell::new(),
            alarm: Cell::new(None),
        }
    }

    /// Answers one question; 503 where the machine cannot go on. GET only tells that the object
    /// is there, and DELETE erases it.
    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        if request.method() == Method::Get {
            return Response::ok("ok");
        }
        if request.method() == Method::Delete {
            return self.erase().await;
        }
        // Read as text: JavaScript's own JSON would round large numbers.
        let question: Question = match serde_json::from_str(&request.text().await?) {
            Ok(question) => question,
            Err(error) => return Response::error(error.to_string(), 400),
        };
        if *self.owner(Some(&question.tenant))? != question.tenant {
            return Response::error("another tenant's ledger", 400);
        }
        let answered = match self.shell() {
            Ok(shell) => shell.ask(&EdgeTime, question.input).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(output) => {
                // The answer is good without it: the next question sets the alarm.
                if let Err(error) = self.schedule().await {
                    tracing::error!(%error, "the ledger's alarm is not set");
                }
                Response::from_json(&output)
            }
            Err(error) => {
                let tenant = question.tenant.as_str();
                tracing::error!(tenant, %error, "the ledger cannot answer");
                Response::error("the ledger cannot answer", 503)
            }
        }
    }

    /// Does the background work that is due. May come twice, early or late. What cannot be done
    /// now is tried again after a pause; where not even that can be arranged, the runtime's own
    /// retries follow the error.
    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.set(None);
        let shell = self
            .shell()
            .map_err(|error| worker::Error::RustError(error.to_string()))?;
        let tenant = self.owner(None)?;
        let database = D1::new(self.env.d1(DB).ok());
        match work::work_off(shell, &EdgeTime, &database, tenant).await {
            Ok(()) => self.schedule().await?,
            Err(error) => {
                tracing::error!(tenant = tenant.as_str(), %error, "the ledger's work waits");
                self.set_alarm(EdgeTime.now().plus(RETRY)).await?;
            }
        }
        Response::empty()
    }
}

impl TenantLedger {
    /// Deletes all that is stored. What arrives later finds a ledger that was never configured.
    async fn erase(&self) -> worker::Result<Response> {
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await?;
        self.alarm.set(None);
        if let Some(shell) = self.shell.get() {
            shell
                .reload()
                .map_err(|error| worker::Error::RustError(error.to_string()))?;
        }
        Response::ok("erased")
    }

    /// The machine. Its rows are read at the first question, and again after they could not be.
    fn shell(&self) -> Result<&Shell<ObjectRows>, ShellError> {
        if let Some(shell) = self.shell.get() {
            return Ok(shell);
        }
        let shell = Shell::open(ObjectRows(self.state.storage().sql()))?;
        Ok(self.shell.get_or_init(|| shell))
    }

    /// Whose ledger it is: as noted, else whose question came first.
    fn owner(&self, asks: Option<&TenantId>) -> worker::Result<&TenantId> {
        if let Some(tenant) = self.tenant.get() {
            return Ok(tenant);
        }
        let rows = ObjectRows(self.state.storage().sql());
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
        let Some(shell) = self.shell.get() else {
            return Ok(());
        };
        match work::next_work(shell, EdgeTime.now()) {
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
