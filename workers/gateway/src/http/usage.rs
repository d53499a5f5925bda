//! `GET /v1/usage`: the tenant's own usage by day, model and key, from its receipts.

use clawless_api::admin::usage::{UsageReport, write_csv};
use clawless_core::ledger::{Input, LedgerAnswer, Period};
use clawless_core::time::{Millis, Timestamp};
use clawless_core::{ApiError, Clock};
use clawless_edge::http::query::invalid;
use clawless_edge::http::{Body, Call, HttpResponse, Query, RequestHead};
use clawless_edge::ledger::Ledger;
use clawless_store::usage;

use crate::caller::Caller;
use crate::platform::Platform;

/// The longest period of a report, in days: three months.
const MAX_DAYS: u64 = 93;
const DAY: Millis = Millis::from_secs(24 * 60 * 60);

/// The most lines of a report.
const MAX_LINES: u32 = 10_000;

/// Reports the usage from `from` to before `to`; the default is this month. As a table if the query has
/// `format=csv`, or if it has no `format` and the client accepts `text/csv`. Receipts arrive with a delay
/// of some seconds.
///
/// # Errors
/// 400 that names the parameter, also if the period is too long or has too many lines.
pub async fn show<P: Platform>(call: &Call<P, Caller>) -> Result<HttpResponse, ApiError> {
    let mut query = call.query();
    let span = span(&mut query, call.platform.time().now())?;
    let is_csv = wants_csv(&mut query, &call.head)?;
    let (sql, tenant) = (call.platform.sql(), &call.caller.tenant().id);
    let rows = usage::by_day_model_and_key(sql, tenant, span, MAX_LINES + 1).await?;
    if rows.len() > MAX_LINES as usize {
        let message = format!(
            "The period has more than {MAX_LINES} lines. Choose a later `from` or an earlier `to`."
        );
        return Err(invalid("from", message));
    }
    if is_csv {
        return Ok(HttpResponse::new(200, Body::Csv(write_csv(&rows))));
    }
    let output = call.platform.ledger().call(tenant, Input::Storage).await;
    let storage = output.ok().and_then(|output| match output.answer {
        LedgerAnswer::Storage(report) => Some(report),
        _ => None,
    });
    HttpResponse::of(&UsageReport::new(span, rows).with_storage(storage))
}

/// The period that the query names.
fn span(query: &mut Query<'_>, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let mut moment = |name: &str, default: Timestamp| -> Result<Timestamp, ApiError> {
        let secs: Option<u64> = query.parse(name, "a moment in seconds since 1970 (UTC)")?;
        let millis = secs.map(|secs| secs.saturating_mul(1000));
        Ok(millis.map_or(default, Timestamp::from_millis))
    };
    let month = Period::of(now);
    let from = moment("from", month.begins_at())?;
    let to = moment("to", month.ends_at())?;
    if from >= to {
        return Err(invalid("from", "`from` must be before `to`."));
    }
    if to.since(from).get() > DAY.get() * MAX_DAYS {
        let message = format!("`from` and `to` are at most {MAX_DAYS} days apart.");
        return Err(invalid("from", message));
    }
    Ok((from, to))
}

fn wants_csv(query: &mut Query<'_>, head: &RequestHead) -> Result<bool, ApiError> {
    match query.take("format")?.as_deref() {
        Some("csv") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(invalid("format", "`format` is json or csv.")),
        None => Ok(head
            .header("accept")
            .is_some_and(|accepted| accepted.contains("text/csv"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(query: &str, accept: &str) -> RequestHead {
        RequestHead::new("GET", &format!("/v1/usage?{query}"), [("accept", accept)])
    }

    #[test]
    fn the_period_is_this_month_by_default_and_bounded() {
        let now = Timestamp::from_millis(1_767_225_600_500);
        let period = |query: &str| {
            let head = head(query, "*/*");
            let span = span(&mut Query::new(&head), now);
            let secs = |(from, to): (Timestamp, Timestamp)| (from.as_secs(), to.as_secs());
            span.map(secs)
                .map_err(|error| error.param.unwrap_or_default())
        };
        assert_eq!(period(""), Ok((1_767_225_600, 1_769_904_000)));
        assert_eq!(period("from=1&to=2"), Ok((1, 2)));
        let longest = MAX_DAYS * 86_400;
        assert_eq!(period(&format!("from=0&to={longest}")), Ok((0, longest)));
        for (query, param) in [
            (format!("from=0&to={}", longest + 1), "from"),
            ("from=2&to=2".to_owned(), "from"),
            ("to=5".to_owned(), "from"),
            (format!("from={}&to={}", u64::MAX, u64::MAX), "from"),
            ("from=-1".to_owned(), "from"),
            ("to=2026-01-01".to_owned(), "to"),
            ("to=1.5".to_owned(), "to"),
            ("from=1&from=1&to=2".to_owned(), "from"),
        ] {
            assert_eq!(period(&query), Err(param.to_owned()), "{query}");
        }
    }

    #[test]
    fn the_query_selects_the_format_and_otherwise_the_accepted_type() {
        for (query, accept, expected) in [
            ("", "*/*", Ok(false)),
            ("", "text/csv", Ok(true)),
            ("", "text/html, text/csv;q=0.9", Ok(true)),
            ("format=json", "text/csv", Ok(false)),
            ("format=csv", "application/json", Ok(true)),
            ("format=xml", "*/*", Err(400)),
        ] {
            let head = head(query, accept);
            let wanted = wants_csv(&mut Query::new(&head), &head);
            assert_eq!(wanted.map_err(|error| error.status()), expected, "{query}");
        }
    }
}
