//! Creating tenants.

use clawless_api::admin::tenants::{TenantBody, TenantObject};
use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{ApiError, Tenant, TenantId};
use clawless_edge::http::HttpResponse;
use clawless_store::tenants;

use super::response::respond;
use crate::context::{AdminCall, audit_entry, check_models};
use crate::input;

/// Creates a tenant. Its ledger is created with its first request.
///
/// # Errors
/// 400 that names the invalid parameter.
pub(crate) async fn create(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let settings = TenantBody::parse(&input::read(call).await?)?;
    let tenant = settings.apply_to(Tenant {
        id: TenantId::generate(context.now, &context.entropy),
        name: String::new(),
        tier: Tier::default(),
        status: TenantStatus::default(),
        settings: TenantSettings::default(),
        version: 1,
        created_at: context.now,
        updated_at: context.now,
    })?;
    check_models(call, None, &tenant)?;
    let (id, object) = (tenant.id.as_str(), TenantObject::from(&tenant));
    let entry = audit_entry(call, "tenant.create", id, None, Some(&object))?;
    tenants::create(&context.sql, &tenant, &entry).await?;
    let location = format!("/admin/tenants/{id}");
    let response = respond(&tenant)?.with_status(201);
    Ok(response.with_header("location", location))
}
