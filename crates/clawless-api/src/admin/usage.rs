//! Usage of tenants in responses, as JSON and as a table.

use std::fmt::Write;

use clawless_core::ledger::StorageReport;
use clawless_core::usage_report::{DayUsage, TenantUsage, UsageSums};
use clawless_core::{KeyId, TenantId, Timestamp};
use serde::Serialize;

/// The usage of one tenant, or of one model by one key on one day.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageLine {
    /// The tenant, in lists of tenants.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
    /// The day (UTC), such as `2026-01-31`.
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The key of the requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
    /// Answered requests.
    messages: u64,
    /// Input tokens.
    tokens_in: u64,
    /// Output tokens.
    tokens_out: u64,
    /// Charged tokens.
    tokens: u64,
    /// The charge, in millionths of a US dollar.
    micro_dollars: u64,
}

impl UsageLine {
    /// The tenant's id, in lists of tenants.
    pub const fn tenant_id(&self) -> Option<&TenantId> {
        self.tenant_id.as_ref()
    }
}

impl From<UsageSums> for UsageLine {
    fn from(sums: UsageSums) -> Self {
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

impl From<TenantUsage> for UsageLine {
    fn from(usage: TenantUsage) -> Self {
        Self {
            tenant_id: Some(usage.tenant_id),
            ..Self::from(usage.sums)
        }
    }
}

impl From<DayUsage> for UsageLine {
    fn from(usage: DayUsage) -> Self {
        Self {
            day: Some(usage.day),
            model: Some(usage.model),
            key_id: Some(usage.key_id),
            ..Self::from(usage.sums)
        }
    }
}

/// A tenant's usage in a span of time.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageReport {
    /// Always `usage`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "usage")))]
    object: &'static str,
    /// The beginning of the period, in seconds since 1970 (UTC).
    from: u64,
    /// The end of the period, in seconds since 1970 (UTC).
    to: u64,
    /// One line per day, model and key.
    data: Vec<UsageLine>,
    /// The stored content and its limits.
    storage: Option<StorageReport>,
}

impl UsageReport {
    /// The usage from `from` to before `to`.
    pub fn new((from, to): (Timestamp, Timestamp), rows: Vec<DayUsage>) -> Self {
        Self {
            object: "usage",
            from: from.as_secs(),
            to: to.as_secs(),
            data: rows.into_iter().map(UsageLine::from).collect(),
            storage: None,
        }
    }

    /// Adds the stored content and its limits, if they are known.
    #[must_use]
    pub fn with_storage(self, storage: Option<StorageReport>) -> Self {
        Self { storage, ..self }
    }
}

/// Writes usage as comma-separated values (RFC 4180). A model name that spreadsheets would read as a
/// formula is escaped, although names come from the operator's own configuration.
pub fn write_csv(rows: &[DayUsage]) -> String {
    let mut text =
        "day,model,key_id,messages,tokens_in,tokens_out,tokens,micro_dollars\r\n".to_owned();
    for row in rows {
        let DayUsage {
            day,
            model,
            key_id,
            sums,
        } = row;
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
    text
}

#[cfg(test)]
mod tests {
    use clawless_core::{MicroDollars, Tokens};

    use super::*;

    fn usage(model: &str) -> DayUsage {
        DayUsage {
            day: "2026-01-31".to_owned(),
            model: model.to_owned(),
            key_id: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id"),
            sums: UsageSums {
                messages: 1,
                tokens_in: Tokens::new(2),
                tokens_out: Tokens::new(3),
                tokens: Tokens::new(5),
                micro_dollars: MicroDollars::new(7),
            },
        }
    }

    #[test]
    fn csv_quotes_model_names_and_escapes_formulas() {
        let table = write_csv(&[usage("a\"b,c"), usage("=1+1")]);
        let lines: Vec<&str> = table.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "day,model,key_id,messages,tokens_in,tokens_out,tokens,micro_dollars",
                "2026-01-31,\"a\"\"b,c\",key_01ARZ3NDEKTSV4RRFFQ69G5FAV,1,2,3,5,7",
                "2026-01-31,\"'=1+1\",key_01ARZ3NDEKTSV4RRFFQ69G5FAV,1,2,3,5,7",
                "",
            ]
        );
    }
}
