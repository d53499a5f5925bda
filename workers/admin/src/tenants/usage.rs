//! Usage of tenants, from their receipts. Receipts arrive with a delay of some seconds.

use std::fmt::Write;

use clawless_core::ledger::Period;
use clawless_core::time::Timestamp;
use clawless_core::{ApiError, TenantId};
use clawless_edge::http::query::{Query, invalid};
use clawless_edge::http::{Body, HttpResponse};
use clawless_store::usage::{self, DayUsage, Sums, TenantUsage};
use serde::Serialize;

use crate::context::AdminCall;
use crate::page::Page;

#[derive(Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    messages: u64,
    tokens_in: u64,
    tokens_out: u64,
    tokens: u64,
    micro_dollars: u64,
}

impl Line {
    fn of(sums: Sums) -> Self {
        Self {
            tenant_id: None,
            day: None,
            model: None,
            key_id: None,
            messages: sums.messages,
            tokens_in: sums.tokens_in.get(),
            tokens_out: sums.tokens_out.get(),
            tokens: sums.tokens.get(),
            micro_dollars: sums.micro_dollars.get(),
        }
    }
}

#[derive(Serialize)]
struct Report {
    object: &'static str,
    from: u64,
    to: u64,
    data: Vec<Line>,
}

/// A tenant's usage by day, model and key, from `from` to `to` (default: this month). `format=csv`
/// returns a table.
///
/// # Errors
/// 400 for the query, 404 if there is no such tenant.
pub(crate) async fn usage(call: &AdminCall) -> Result<HttpResponse, ApiError> {
    let context = &call.platform;
    let mut query = call.query();
    let span = span(&mut query, context.now)?;
    let is_csv = match query.take("format")?.as_deref() {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(invalid("format", "`format` is json or csv.".to_owned())),
    };
    let tenant = context.tenant(call.param("id")).await?.id;
    let rows = usage::by_day_model_and_key(&context.sql, &tenant, span).await?;
    if is_csv {
        return Ok(csv(&rows));
    }
    let data = rows.into_iter().map(|row| Line {
        day: Some(row.day),
        model: Some(row.model),
        key_id: Some(row.key_id.as_str().to_owned()),
        ..Line::of(row.sums)
    });
    HttpResponse::of(&Report {
        object: "usage",
        from: span.0.as_secs(),
        to: span.1.as_secs(),
        data: data.collect(),
    })
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
    let lines = rows
        .into_iter()
        .map(|TenantUsage { tenant_id, sums }| Line {
            tenant_id: Some(tenant_id),
            ..Line::of(sums)
        });
    page.respond(lines.collect(), |line: &Line| {
        line.tenant_id.as_ref().map_or("", TenantId::as_str)
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

/// A table for spreadsheets. A model name that looks like a formula is escaped, although names come
/// from the operator's own configuration.
fn csv(rows: &[DayUsage]) -> HttpResponse {
    let mut text =
        "day,model,key_id,messages,tokens_in,tokens_out,tokens,micro_dollars\r\n".to_owned();
    for DayUsage {
        day,
        model,
        key_id,
        sums,
    } in rows
    {
        let is_formula = model.starts_with(['=', '+', '-', '@']);
        let model = model.replace('"', "\"\"");
        let model = format!("\"{}{model}\"", if is_formula { "'" } else { "" });
        let counts = [
            sums.messages,
            sums.tokens_in.get(),
            sums.tokens_out.get(),
            sums.tokens.get(),
            sums.micro_dollars.get(),
        ];
        let counts = counts.map(|count| count.to_string()).join(",");
        // Writing to a string cannot fail.
        let _ = write!(text, "{day},{model},{key_id},{counts}\r\n");
    }
    HttpResponse::new(200, Body::Csv(text))
}
