//! The client of the ledgers: Durable Objects named after their tenants.

use std::cell::Cell;

use clawless_core::TenantId;
use clawless_core::ledger::{Input, Output};
use clawless_core::time::{Millis, Timer, timeout};
use worker::{Env, Stub};

use super::port::{Ledger, LedgerError, LedgerRequest};
use crate::promise::PromiseFuture;
use crate::request_time::RequestTime;
use crate::{crossing, logging};

/// The binding of the objects' namespace.
pub const LEDGER: &str = "LEDGER";

/// The timeout of one call: longer than a turn waits for its session
/// ([`clawless_core::ledger::LANE_WAIT_TIMEOUT`]).
const CALL_TIMEOUT: Millis = Millis::from_secs(15);

/// The delays before the second and the third try.
const RETRY_DELAYS: [Millis; 2] = [Millis::new(50), Millis::new(250)];

/// The largest number of calls of an isolate that wait for a retry. If more fail at once, the ledger
/// itself is failing, and three times as many calls would not help it.
const MAX_RETRYING: usize = 32;

thread_local! {
    static RETRYING: Cell<usize> = const { Cell::new(0) };
}

/// The objects of all tenants; every call fails if the binding is absent.
pub struct RemoteLedger {
    /// The namespace is looked up by the script that calls it, which costs the least.
    env: Env,
    time: RequestTime,
}

impl RemoteLedger {
    /// A client over the binding, with the timer of the current request.
    pub fn new(env: &Env, time: RequestTime) -> Self {
        let env = env.clone();
        Self { env, time }
    }

    /// The stub of an object.
    pub(super) fn stub(&self, name: &str) -> worker::Result<Stub> {
        self.env.durable_object(LEDGER)?.get_by_name(name)
    }

    /// Whether objects respond. The one called here belongs to no tenant.
    pub async fn answers(&self) -> bool {
        let Ok(stub) = self.stub("health") else {
            return false;
        };
        let response = stub.fetch_with_str("http://ledger/").await;
        response.is_ok_and(|response| response.status_code() == 200)
    }
}

impl Ledger for RemoteLedger {
    /// Tries up to three times: an object loses its callers when it moves or a new version is deployed,
    /// and every input may be repeated. There is no retry after an overload or a timeout.
    async fn call(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError> {
        let request = LedgerRequest {
            tenant: tenant.clone(),
            input,
            request_id: logging::current_request_id(),
        };
        let request = serde_json::to_string(&request).map_err(failure)?;
        let mut delays = RETRY_DELAYS.into_iter();
        loop {
            let result = self.send_once(tenant, &request).await;
            let (Err(LedgerError::Failed(error)), Some(delay)) = (&result, delays.next()) else {
                return result;
            };
            let Some(_slot) = RetrySlot::acquire() else {
                return result;
            };
            tracing::warn!(error, "retry ledger call");
            self.time.sleep(delay).await;
        }
    }
}

impl RemoteLedger {
    async fn send_once(&self, tenant: &TenantId, request: &str) -> Result<Output, LedgerError> {
        // The name comes from the authenticated tenant, so no request can reach another's object.
        let output = crossing::call_object(self.env.as_ref(), LEDGER, tenant.as_str(), request);
        let output = timeout(&self.time, CALL_TIMEOUT, PromiseFuture::from(output)).await;
        // The object may or may not have received the request.
        let output = output.map_err(|_| LedgerError::Silent)?;
        let output = output.map_err(|thrown| failure(crossing::reason(&thrown)))?;
        if output.is_undefined() {
            return Err(LedgerError::Overloaded);
        }
        let text = output.as_string().ok_or_else(|| failure("not a text"))?;
        serde_json::from_str(&text).map_err(failure)
    }
}

/// A slot among the calls that wait for a retry.
struct RetrySlot;

impl RetrySlot {
    fn acquire() -> Option<Self> {
        RETRYING.with(|retrying| {
            let free = retrying.get() < MAX_RETRYING;
            free.then(|| {
                retrying.set(retrying.get() + 1);
                Self
            })
        })
    }
}

impl Drop for RetrySlot {
    fn drop(&mut self) {
        RETRYING.with(|retrying| retrying.set(retrying.get().saturating_sub(1)));
    }
}

fn failure(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Failed(error.to_string())
}
