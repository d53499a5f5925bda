//! Tenants are created.

use clawless_core::tenant::{TenantSettings, TenantStatus, Tier};
use clawless_core::{ApiError, Tenant, TenantId};
use clawless_edge::answer::Answer;
use clawless_store::tenants;

use super::input::Settable;
use super::view::{self, View};
use crate::desk::Desk;
use crate::input;

/// Creates a tenant. Its ledger learns of it with its first request.
///
/// # Errors
/// 400 that names the parameter at fault.
pub(crate) async fn create(desk: &Desk, body: &[u8]) -> Result<Answer, ApiError> {
    let wanted: Settable = input::read(body)?;
    let tenant = wanted.onto(Tenant {
        id: TenantId::generate(desk.now, &desk.entropy),
        name: String::new(),
        tier: Tier::default(),
        status: TenantStatus::default(),
        settings: TenantSettings::default(),
        version: 1,
        created_at: desk.now,
        updated_at: desk.now,
    })?;
    let (id, view) = (tenant.id.as_str(), View::from(&tenant));
    let entry = desk.entry("tenant.create", id, None, Some(&view))?;
    tenants::create(&desk.sql, &tenant, &entry).await?;
    let location = format!("/admin/tenants/{id}");
    let answer = view::answer(&tenant)?.with_header("location", location);
    Ok(Answer {
        status: 201,
        ..answer
    })
}
