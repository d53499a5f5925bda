//! Usage of tenants, from their receipts. Receipts arrive with a delay of some seconds.

use clawless_api::admin::usage::{UsageLine, UsageReport, write_csv};
use clawless_core::ledger::{Input, LedgerAnswer, Output, Period, StorageReport};
use clawless_core::time::Timestamp;
use clawless_core::{ApiError, TenantId};
use clawless_edge::http::query::{Query, invalid};
use clawless_edge::http::{Body, HttpResponse};
use clawless_edge::ledger::Ledger;
use clawless_store::usage;

use crate::context::AdminCall;
use crate::page::Page;

/// The most lines of a report: some 10 MB.
const MAX_LINES: u32 = 50_000;

/// A tenant's usage by day, model and key, from `from` to `to` (default: this month). `format=csv`
/// returns a table.
///
/// # Errors
/// 400 for the query, also if the period has too many lines; 404 if there is no such tenant.
pub(crate) async fn usage(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let mut query = call.query();
    let span = span(&mut query, context.now)?;
    let is_csv = match query.take("format")?.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(invalid("format", "`format` is json or csv.")),
    };
    let tenant = context.tenant(call.param("id")).await?;
    let rows = usage::by_day_model_and_key(&context.sql, &tenant.id, span, MAX_LINES + 1).await?;
    if rows.len() > MAX_LINES as usize {
        let message = format!(
            "The period has more than {MAX_LINES} lines. Choose a later `from` or an earlier `to`."
        );
        return Err(invalid("from", message));
    }
    if is_csv {
        return Ok(HttpResponse::new(200, Body::Csv(write_csv(&rows))));
    }
    let storage = match context.ledger.call(&tenant.id, Input::Storage).await {
        Ok(Output {
            answer: LedgerAnswer::Storage(report),
            ..
        }) => Some(StorageReport {
            limits: tenant.storage(),
            ..report
        }),
        _ => None,
    };
    HttpResponse::of(&UsageReport::new(span, rows).with_storage(storage))
}

/// Every tenant's usage, page by page.
///
/// # Errors
/// 400 for the query.
pub(crate) async fn usage_of_all(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let mut query = call.query();
    let page: Page<TenantId> = Page::take(&mut query)?;
    let (after, limit) = (page.after.as_ref(), page.read_limit());
    let span = span(&mut query, context.now)?;
    let rows = usage::by_tenant_across_tenants(&context.sql, after, span, limit).await?;
    let lines = rows.into_iter().map(UsageLine::from).collect();
    page.respond(lines, |line: &UsageLine| {
        line.tenant_id().map_or("", TenantId::as_str)
    })
}

fn span(query: &mut Query<'_>, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let mut moment = |name: &str, default: Timestamp| -> Result<Timestamp, ApiError> {
        let secs: Option<u64> = query.parse(name, "a moment in seconds since 1970 (UTC)")?;
        Ok(secs.map_or(default, |secs| {
            Timestamp::from_millis(secs.saturating_mul(1000))
        }))
    };
    let month = Period::of(now);
    Ok((
        moment("from", month.begins_at())?,
        moment("to", month.ends_at())?,
    ))
}
