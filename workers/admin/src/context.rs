//! An operator's context: what a handler works with, for one request.

use clawless_core::json::Json;
use clawless_core::ledger::{Input, LedgerAnswer};
use clawless_core::tenant::TenantStatus;
use clawless_core::time::{Millis, Timestamp};
use clawless_core::{ApiError, AuditId, Clock, ErrorCode, RequestId, Tenant, TenantId};
use clawless_edge::d1::D1;
use clawless_edge::entropy::EdgeEntropy;
use clawless_edge::ledger::{Ledger, RemoteLedger};
use clawless_edge::time::EdgeTime;
use clawless_store::audit::{self, AuditEntry};
use clawless_store::tenants;
use serde::Serialize;

use crate::authenticate::Operator;

/// How long to wait before a change is repeated that the ledger was not told of.
const RETRY_AFTER_LEDGER: Millis = Millis::from_secs(1);

/// A handler's world. There is none without an operator.
pub(crate) struct AdminContext {
    pub(crate) sql: D1,
    pub(crate) ledger: RemoteLedger,
    pub(crate) entropy: EdgeEntropy,
    pub(crate) operator: Operator,
    pub(crate) request_id: RequestId,
    pub(crate) now: Timestamp,
}

impl AdminContext {
    /// The tenant whose id stands in the path.
    ///
    /// # Errors
    /// 404 where there is none.
    pub(crate) async fn tenant(&self, id: &str) -> Result<Tenant, ApiError> {
        let id: TenantId = id.parse().map_err(|_| no_such("tenant"))?;
        let found = tenants::find(&self.sql, &id).await?;
        found.ok_or_else(|| no_such("tenant"))
    }

    /// As [`Self::tenant`], for one who is going to be changed.
    ///
    /// # Errors
    /// 404 where there is none, 409 where it is being deleted.
    pub(crate) async fn lasting_tenant(&self, id: &str) -> Result<Tenant, ApiError> {
        let tenant = self.tenant(id).await?;
        if tenant.status == TenantStatus::Deleting {
            return Err(ApiError::new(
                ErrorCode::Conflict,
                "This tenant is being deleted.",
            ));
        }
        Ok(tenant)
    }

    /// The line for the audit log of a change that this request makes.
    ///
    /// # Errors
    /// An internal error where a record cannot be written as JSON.
    pub(crate) fn entry<T: Serialize>(
        &self,
        action: &'static str,
        target: &str,
        before: Option<&T>,
        after: Option<&T>,
    ) -> Result<AuditEntry, ApiError> {
        let json = |record: Option<&T>| record.map(Json::of).transpose();
        Ok(AuditEntry {
            before: json(before).map_err(ApiError::internal)?,
            after: json(after).map_err(ApiError::internal)?,
            ..self.bare_entry(action, Some(target))
        })
    }

    /// Notes that the operator is about to read what a tenant's clients said. Whoever cannot be noted
    /// reads nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) async fn note(
        &self,
        tenant: &TenantId,
        action: &'static str,
        target: Option<&str>,
    ) -> Result<(), ApiError> {
        audit::note(&self.sql, tenant, &self.bare_entry(action, target)).await?;
        Ok(())
    }

    fn bare_entry(&self, action: &'static str, target: Option<&str>) -> AuditEntry {
        // Not the request's time: where one request makes several changes, their lines keep their
        // order.
        let at = EdgeTime.now();
        AuditEntry {
            id: AuditId::generate(at, &self.entropy),
            at,
            actor: self.operator.actor.clone(),
            action,
            target: target.map(str::to_owned),
            before: None,
            after: None,
            request_id: self.request_id.clone(),
        }
    }

    /// Tells a tenant's ledger of a change that is in the database already. `false` where it cannot
    /// be told now.
    pub(crate) async fn tell(&self, tenant: &TenantId, input: Input) -> bool {
        match self.ledger.ask(tenant, input).await {
            Ok(output) if output.answer == LedgerAnswer::Done => true,
            Ok(output) => {
                tracing::error!(tenant = tenant.as_str(), answer = ?output.answer, "the ledger answered something else");
                false
            }
            Err(error) => {
                tracing::error!(tenant = tenant.as_str(), %error, "the ledger was not told");
                false
            }
        }
    }
}

/// The refusal of an id that names nothing.
pub(crate) fn no_such(what: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ResourceNotFound,
        format!("There is no such {what}."),
    )
}

/// What an operator learns where a change is stored and the ledger was not told.
pub(crate) fn half_done(what: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ServiceUnavailable,
        format!(
            "{what} in the database, but the tenant's ledger did not answer, so it may not hold at \
             once. Repeat the request until it succeeds; it changes nothing twice."
        ),
    )
    .retry_after(RETRY_AFTER_LEDGER)
}

/// What an operator learns who was overtaken by another.
pub(crate) fn overtaken() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "Another operator changed this at the same moment. Read it again and decide anew.",
    )
}
