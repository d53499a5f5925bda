//! Tenants are created.

use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{ApiError, Tenant, TenantId};
use clawless_edge::response::HttpResponse;
use clawless_store::tenants;

use super::input::Settable;
use super::view::{self, View};
use crate::context::AdminContext;
use crate::input;

/// Creates a tenant. Its ledger learns of it with its first request.
///
/// # Errors
/// 400 that names the parameter at fault.
pub(crate) async fn create(context: &AdminContext, body: &[u8]) -> Result<HttpResponse, ApiError> {
    let wanted: Settable = input::read(body)?;
    let tenant = wanted.onto(Tenant {
        id: TenantId::generate(context.now, &context.entropy),
        name: String::new(),
        tier: Tier::default(),
        status: TenantStatus::default(),
        settings: TenantSettings::default(),
        version: 1,
        created_at: context.now,
        updated_at: context.now,
    })?;
    let (id, view) = (tenant.id.as_str(), View::from(&tenant));
    let entry = context.entry("tenant.create", id, None, Some(&view))?;
    tenants::create(&context.sql, &tenant, &entry).await?;
    let location = format!("/admin/tenants/{id}");
    let answer = view::answer(&tenant)?.with_header("location", location);
    Ok(HttpResponse {
        status: 201,
        ..answer
    })
}
