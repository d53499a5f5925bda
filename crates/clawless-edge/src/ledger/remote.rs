//! The ledger as a Worker reaches it: a Durable Object that is found by the tenant's id.

use std::cell::Cell;

use clawless_core::TenantId;
use clawless_core::ledger::{Input, Output};
use clawless_core::time::{Millis, Timer};
use worker::wasm_bindgen_futures::JsFuture;
use worker::{Env, ObjectNamespace};

use super::port::{Ledger, LedgerError, Question};
use crate::crossing;
use crate::time::EdgeTime;

/// The binding of the objects' namespace.
const LEDGER: &str = "LEDGER";

/// How long one question may take. Longer than a turn waits for its session
/// ([`clawless_core::ledger::LANE_WAIT`]).
const PATIENCE_MS: f64 = 15_000.0;

/// The pauses before the second and the third try.
const PAUSES: [Millis; 2] = [Millis::new(50), Millis::new(250)];

/// How many questions of an isolate may be between two tries. Where more fail at once, it is the
/// ledger that is in trouble, and asking three times as often would not help it.
const MAX_RETRYING: usize = 32;

thread_local! {
    static RETRYING: Cell<usize> = const { Cell::new(0) };
}

/// The objects of all tenants; every call fails where the binding is absent.
pub struct RemoteLedger(pub(super) Option<ObjectNamespace>);

impl RemoteLedger {
    /// Takes the namespace from the environment.
    pub fn new(env: &Env) -> Self {
        Self(env.durable_object(LEDGER).ok())
    }

    /// Whether the objects answer at all. The one that is asked belongs to no tenant.
    pub async fn answers(&self) -> bool {
        let Some(stub) = self.0.as_ref().and_then(|it| it.get_by_name("health").ok()) else {
            return false;
        };
        let answer = stub.fetch_with_str("http://ledger/").await;
        answer.is_ok_and(|response| response.status_code() == 200)
    }
}

impl Ledger for RemoteLedger {
    /// Asks up to three times: an object is cut off from its callers whenever it moves or a new
    /// version is deployed, and every question may be repeated. One that is overloaded or silent is
    /// left alone.
    async fn ask(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError> {
        let namespace = self.0.as_ref().ok_or_else(|| failure("no binding"))?;
        let question = Question {
            tenant: tenant.clone(),
            input,
        };
        let question = serde_json::to_string(&question).map_err(failure)?;
        let mut pauses = PAUSES.into_iter();
        loop {
            let asked = ask_once(namespace, tenant, &question).await;
            let (Err(LedgerError::Failed(error)), Some(pause)) = (&asked, pauses.next()) else {
                return asked;
            };
            let Some(_retrying) = Retrying::begin() else {
                return asked;
            };
            tracing::warn!(error, "the ledger is asked again");
            EdgeTime.sleep(pause).await;
        }
    }
}

async fn ask_once(
    namespace: &ObjectNamespace,
    tenant: &TenantId,
    question: &str,
) -> Result<Output, LedgerError> {
    // The name comes from the authenticated tenant, so no request can reach another's object.
    let asked = crossing::ask(namespace.as_ref(), tenant.as_str(), question, PATIENCE_MS);
    let answer = JsFuture::from(asked).await;
    let answer = answer.map_err(|thrown| failure(crossing::reason(&thrown)))?;
    if answer.is_undefined() {
        return Err(LedgerError::Overloaded);
    }
    if answer.is_null() {
        return Err(LedgerError::Silent);
    }
    let text = answer.as_string().ok_or_else(|| failure("not a text"))?;
    serde_json::from_str(&text).map_err(failure)
}

/// A place among the questions that are asked again.
struct Retrying;

impl Retrying {
    fn begin() -> Option<Self> {
        RETRYING.with(|retrying| {
            let free = retrying.get() < MAX_RETRYING;
            free.then(|| {
                retrying.set(retrying.get() + 1);
                Self
            })
        })
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        RETRYING.with(|retrying| retrying.set(retrying.get().saturating_sub(1)));
    }
}

fn failure(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Failed(error.to_string())
}
