//! What tenants used, from receipts as far as they have come in: some seconds behind.

use std::fmt::Write;

use clawless_core::ledger::Period;
use clawless_core::time::Timestamp;
use clawless_core::{ApiError, TenantId};
use clawless_edge::response::{Body, HttpResponse};
use clawless_store::usage::{self, DayUsage, Sums, TenantUsage};
use serde::Serialize;

use crate::context::AdminContext;
use crate::input::invalid;
use crate::page::{Page, Query};

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

/// A tenant's usage by day, model and key, `from` up to `to` (this month by default). `format=csv`
/// gives it as a table.
///
/// # Errors
/// 400 for a bad query, 404 where there is no such tenant.
pub(crate) async fn of_one(
    context: &AdminContext,
    tenant: &str,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["from", "to", "format"])?;
    let span = span(query, context.now)?;
    let is_csv = match query.get("format") {
        None | Some("json") => false,
        Some("csv") => true,
        Some(_) => return Err(invalid("format", "`format` is json or csv.".to_owned())),
    };
    let tenant = context.tenant(tenant).await?.id;
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
/// 400 for a bad query.
pub(crate) async fn of_all(
    context: &AdminContext,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    let page: Page<TenantId> = Page::of(query, &["from", "to"])?;
    let (after, limit) = (page.cursor.as_ref(), page.to_read());
    let span = span(query, context.now)?;
    let rows = usage::by_tenant_across_tenants(&context.sql, after, span, limit).await?;
    let lines = rows
        .into_iter()
        .map(|TenantUsage { tenant_id, sums }| Line {
            tenant_id: Some(tenant_id),
            ..Line::of(sums)
        });
    page.answer(lines.collect(), |line: &Line| {
        line.tenant_id.as_ref().map_or("", TenantId::as_str)
    })
}

fn span(query: &Query, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let moment = |name: &str, default: Timestamp| match query.get(name) {
        None => Ok(default),
        Some(text) => match text.parse::<u64>() {
            Ok(secs) => Ok(Timestamp::from_millis(secs.saturating_mul(1000))),
            Err(_) => Err(invalid(
                name,
                format!("`{name}` is a moment in seconds since 1970 (UTC)."),
            )),
        },
    };
    let month = Period::of(now);
    Ok((
        moment("from", month.begins_at())?,
        moment("to", month.ends_at())?,
    ))
}

/// A table for spreadsheets. Names of models come from the operator's own configuration, yet one
/// that reads like a formula is kept from being one.
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
    HttpResponse {
        status: 200,
        headers: Vec::new(),
        body: Body::Csv(text),
    }
}
