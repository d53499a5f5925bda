//! The Durable Object: one per tenant, a thin shell around the machine.
#![allow(missing_docs, reason = "what the macro generates for the runtime")]

use std::cell::{Cell, OnceCell};
use std::time::Duration;

use clawless_core::TenantId;
use clawless_core::time::{Clock, Millis, Timestamp};
use clawless_edge::d1::D1;
use clawless_edge::time::EdgeTime;
use clawless_edge::worker_entry;
use worker::{DurableObject, Env, Request, Response, State, durable_object};

use super::port::Question;
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
    /// The machine, or why it could not be rebuilt.
    shell: Result<Shell<ObjectRows>, ShellError>,
    /// The object's tenant, once anybody has asked.
    tenant: OnceCell<TenantId>,
    /// When the alarm is set for.
    alarm: Cell<Option<Timestamp>>,
}

impl DurableObject for TenantLedger {
    fn new(state: State, env: Env) -> Self {
        worker_entry::start_logging(&env);
        let shell = Shell::open(ObjectRows(state.storage().sql()));
        let tenant = OnceCell::new();
        if let Some(name) = state.id().name().and_then(|name| name.parse().ok()) {
            // Empty until now.
            let _ = tenant.set(name);
        }
        Self {
            state,
            env,
            shell,
            tenant,
            alarm: Cell::new(None),
        }
    }

    /// Answers one question. 503 where the machine cannot go on.
    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        // Read as text: JavaScript's own JSON would round large numbers.
        let question: Question = match serde_json::from_str(&request.text().await?) {
            Ok(question) => question,
            Err(error) => return Response::error(error.to_string(), 400),
        };
        let tenant = self.tenant.get_or_init(|| question.tenant.clone());
        if *tenant != question.tenant {
            return Response::error("another tenant's ledger", 400);
        }
        let answered = match &self.shell {
            Ok(shell) => shell
                .ask(&EdgeTime, question.input)
                .await
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answered {
            Ok(output) => {
                self.schedule().await?;
                Response::from_json(&output)
            }
            Err(error) => {
                tracing::error!(tenant = tenant.as_str(), error, "the ledger cannot answer");
                Response::error("the ledger cannot answer", 503)
            }
        }
    }

    /// Does the background work that is due. May come twice, early or late.
    async fn alarm(&self) -> worker::Result<Response> {
        self.alarm.set(None);
        let (Ok(shell), Some(tenant)) = (&self.shell, self.tenant.get()) else {
            return Response::empty();
        };
        let database = D1::new(self.env.d1(DB).ok());
        if let Err(error) = work::work_off(shell, &EdgeTime, &database, tenant).await {
            tracing::error!(tenant = tenant.as_str(), %error, "the ledger's work waits");
            self.set_alarm(EdgeTime.now().plus(RETRY)).await?;
        }
        self.schedule().await?;
        Response::empty()
    }
}

impl TenantLedger {
    /// Sets the alarm for the next work, unless an earlier one is set.
    async fn schedule(&self) -> worker::Result<()> {
        let Ok(shell) = &self.shell else {
            return Ok(());
        };
        let now = EdgeTime.now();
        match work::next_work(shell, now) {
            Some(due) if self.alarm.get().is_none_or(|set| due < set) => self.set_alarm(due).await,
            _ => Ok(()),
        }
    }

    async fn set_alarm(&self, due: Timestamp) -> worker::Result<()> {
        self.alarm.set(Some(due));
        let wait = Duration::from_millis(due.since(EdgeTime.now()).get());
        self.state.storage().set_alarm(wait).await
    }
}
