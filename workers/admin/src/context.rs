//! Bindings and common steps of the admin handlers.

use clawless_api::admin::offered_models::OfferedModels;
use clawless_core::json::Json;
use clawless_core::ledger::{Input, LedgerAnswer};
use clawless_core::tenant::TenantStatus;
use clawless_core::time::{Elapsed, Millis, Timestamp, timeout};
use clawless_core::{ApiError, AuditId, Clock, ErrorCode, Tenant, TenantId};
use clawless_edge::d1::D1;
use clawless_edge::entropy::EdgeEntropy;
use clawless_edge::http::Call;
use clawless_edge::http::forwarded::{MODELS_HEADER, read_names};
use clawless_edge::kv::EdgeKv;
use clawless_edge::ledger::{Ledger, RemoteLedger};
use clawless_edge::logging;
use clawless_edge::request_time::RequestTime;
use clawless_edge::time::EdgeTime;
use clawless_store::audit::{self, AuditEntry};
use clawless_store::{KvError, hot, tenants};
use serde::Serialize;
use worker::Env;

use crate::authenticate::Actor;
use crate::bindings::{CACHE, DB};

/// How long to wait before repeating a change that the ledger does not know yet.
const RETRY_AFTER_LEDGER: Millis = Millis::from_secs(1);

/// How long to wait before repeating a request that needs the cache.
const RETRY_AFTER_CACHE: Millis = Millis::from_secs(5);
/// The cached copies that one request removes: an invocation may make 1,000 calls.
const MAX_COPIES: u32 = 400;
/// How long the removal of cached copies may take. KV has no timeout of its own.
const CACHE_TIMEOUT: Millis = Millis::from_secs(20);

/// An authenticated request.
pub(crate) type AdminCall = Call<AdminContext, Actor>;

/// The platform of the admin Worker, for one request.
pub(crate) struct AdminContext {
    pub(crate) env: Env,
    pub(crate) sql: D1,
    pub(crate) cache: EdgeKv,
    pub(crate) ledger: RemoteLedger,
    pub(crate) entropy: EdgeEntropy,
    /// The time of the request.
    pub(crate) now: Timestamp,
}

impl AdminContext {
    /// Opens the bindings.
    pub(crate) fn new(env: Env) -> Self {
        Self {
            sql: D1::new(env.d1(DB).ok()),
            cache: EdgeKv::new(env.kv(CACHE).ok()),
            ledger: RemoteLedger::new(&env, RequestTime::default()),
            entropy: EdgeEntropy,
            now: EdgeTime.now(),
            env,
        }
    }

    /// The tenant of this id.
    ///
    /// # Errors
    /// 404 if there is none.
    pub(crate) async fn tenant(&self, id: &str) -> Result<Tenant, ApiError> {
        let id: TenantId = id.parse().map_err(|_| not_found("tenant"))?;
        logging::set_tenant(&id);
        let found = tenants::find(&self.sql, &id).await?;
        found.ok_or_else(|| not_found("tenant"))
    }

    /// The tenant of this id, if it may be changed.
    ///
    /// # Errors
    /// 404 if there is none, 409 if it is being deleted.
    pub(crate) async fn mutable_tenant(&self, id: &str) -> Result<Tenant, ApiError> {
        let tenant = self.tenant(id).await?;
        if tenant.status == TenantStatus::Deleting {
            return Err(ApiError::new(
                ErrorCode::Conflict,
                "This tenant is being deleted.",
            ));
        }
        Ok(tenant)
    }

    /// Removes cached copies of a tenant's sessions; `true` if no others are left. Without a cache there
    /// are none.
    ///
    /// # Errors
    /// 503 if the cache does not respond.
    pub(crate) async fn remove_copies(&self, tenant: &TenantId) -> Result<bool, ApiError> {
        if !self.cache.is_bound() {
            return Ok(true);
        }
        let removal = hot::remove_all(&self.cache, tenant, MAX_COPIES);
        let removed = match timeout(&EdgeTime, CACHE_TIMEOUT, removal).await {
            Ok(removed) => removed,
            Err(Elapsed) => Err(KvError {
                internal: format!("no answer within {} ms", CACHE_TIMEOUT.get()),
            }),
        };
        removed.map_err(|error| {
            ApiError::new(
                ErrorCode::ServiceUnavailable,
                "Cached copies of conversations are not removed: the cache did not respond. Repeat the \
                 request until it succeeds; repeating it is safe.",
            )
            .retry_after(RETRY_AFTER_CACHE)
            .with_internal(error.internal)
        })
    }

    /// Sends a change to a tenant's ledger after the database has it. `false` if the ledger did not
    /// accept it.
    pub(crate) async fn notify_ledger(&self, tenant: &TenantId, input: Input) -> bool {
        match self.ledger.call(tenant, input).await {
            Ok(output) if output.answer == LedgerAnswer::Done => true,
            Ok(output) => {
                let answer = format!("{:?}", output.answer);
                tracing::error!(internal = answer, "notify ledger failed");
                false
            }
            Err(error) => {
                tracing::error!(%error, "notify ledger failed");
                false
            }
        }
    }
}

/// Checks that the models which a changed tenant's settings name are on offer. The gateway passes their
/// names; without them nothing is checked.
///
/// # Errors
/// 400 that names the setting.
pub(crate) fn check_models(
    call: &AdminCall,
    before: Option<&Tenant>,
    after: &Tenant,
) -> Result<(), ApiError> {
    match call.head.header(MODELS_HEADER) {
        Some(names) => OfferedModels::new(read_names(names)).check(before, after),
        None => Ok(()),
    }
}

/// The entry in the audit log for a change that this request makes.
///
/// # Errors
/// An internal error if a record cannot be written as JSON.
pub(crate) fn audit_entry<T: Serialize>(
    call: &AdminCall,
    action: &'static str,
    target: &str,
    before: Option<&T>,
    after: Option<&T>,
) -> Result<AuditEntry, ApiError> {
    let json = |record: Option<&T>| record.map(Json::from_value).transpose();
    Ok(AuditEntry {
        before: json(before).map_err(ApiError::internal)?,
        after: json(after).map_err(ApiError::internal)?,
        ..bare_entry(call, action, Some(target))
    })
}

/// Records that the operator reads a tenant's content. It is not read if this fails.
///
/// # Errors
/// Those of the database.
pub(crate) async fn audit_access(
    call: &AdminCall,
    tenant: &TenantId,
    action: &'static str,
    target: Option<&str>,
) -> Result<(), ApiError> {
    let entry = bare_entry(call, action, target);
    audit::record(&call.platform.sql, tenant, &entry).await?;
    Ok(())
}

fn bare_entry(call: &AdminCall, action: &'static str, target: Option<&str>) -> AuditEntry {
    // Not the request's time: the entries of one request keep their order.
    let at = EdgeTime.now();
    AuditEntry {
        id: AuditId::generate(at, &call.platform.entropy),
        at,
        actor: call.caller.id.clone(),
        action,
        target: target.map(str::to_owned),
        before: None,
        after: None,
        request_id: call.request_id.clone(),
    }
}

/// The error for an unknown id.
pub(crate) fn not_found(what: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ResourceNotFound,
        format!("There is no such {what}."),
    )
}

/// The error if the database has a change and the ledger does not.
pub(crate) fn ledger_not_notified(change: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ServiceUnavailable,
        format!(
            "{change} in the database, but the tenant's ledger did not respond, so it may not apply at \
             once. Repeat the request until it succeeds; repeating it is safe."
        ),
    )
    .retry_after(RETRY_AFTER_LEDGER)
}

/// The error if another operator made a change first.
pub(crate) fn changed_concurrently() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "Another operator changed this at the same moment. Read it again before you retry.",
    )
}
