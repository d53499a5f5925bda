//! The ledger as a Worker reaches it: a Durable Object that is found by the tenant's id.

use clawless_core::TenantId;
use clawless_core::ledger::{Input, Output};
use clawless_core::time::{Millis, Timer};
use worker::wasm_bindgen::JsValue;
use worker::{Env, Method, ObjectNamespace, Request, RequestInit};

use super::port::{Ledger, LedgerError, Question};
use crate::time::EdgeTime;

/// The binding of the objects' namespace.
const LEDGER: &str = "LEDGER";

/// The objects of all tenants; every call fails where the binding is absent.
pub struct RemoteLedger(pub(super) Option<ObjectNamespace>);

impl RemoteLedger {
    /// Takes the namespace from the environment.
    pub fn new(env: &Env) -> Self {
        Self(env.durable_object(LEDGER).ok())
    }
}

impl Ledger for RemoteLedger {
    /// Asks up to three times: an object is cut off from its callers whenever it moves or a new
    /// version is deployed, and every question may be repeated.
    async fn ask(&self, tenant: &TenantId, input: Input) -> Result<Output, LedgerError> {
        let namespace = self
            .0
            .as_ref()
            .ok_or_else(|| LedgerError("no binding".to_owned()))?;
        let question = Question {
            tenant: tenant.clone(),
            input,
        };
        let body = serde_json::to_string(&question).map_err(failure)?;
        let mut pauses = PAUSES.into_iter();
        loop {
            let asked = ask_once(namespace, tenant, &body).await;
            let (Err(error), Some(pause)) = (&asked, pauses.next()) else {
                return asked;
            };
            tracing::warn!(%error, "the ledger is asked again");
            EdgeTime.sleep(pause).await;
        }
    }
}

/// The pauses before the second and the third try.
const PAUSES: [Millis; 2] = [Millis::new(50), Millis::new(250)];

async fn ask_once(
    namespace: &ObjectNamespace,
    tenant: &TenantId,
    body: &str,
) -> Result<Output, LedgerError> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_body(Some(JsValue::from_str(body)));
    // The host is never resolved: a stub leads to one object only.
    let request = Request::new_with_init("http://ledger/", &init).map_err(failure)?;
    // The name comes from the authenticated tenant, so no request can reach another's object.
    let stub = namespace.get_by_name(tenant.as_str()).map_err(failure)?;
    let mut response = stub.fetch_with_request(request).await.map_err(failure)?;
    let text = response.text().await.map_err(failure)?;
    if response.status_code() != 200 {
        return Err(LedgerError(format!(
            "status {}: {text}",
            response.status_code()
        )));
    }
    serde_json::from_str(&text).map_err(failure)
}

impl RemoteLedger {
    /// Whether the objects answer at all. The one that is asked belongs to no tenant.
    pub async fn answers(&self) -> bool {
        let Some(stub) = self.0.as_ref().and_then(|it| it.get_by_name("health").ok()) else {
            return false;
        };
        let answer = stub.fetch_with_str("http://ledger/").await;
        answer.is_ok_and(|response| response.status_code() == 200)
    }
}

fn failure(error: impl std::fmt::Display) -> LedgerError {
    LedgerError(error.to_string())
}
