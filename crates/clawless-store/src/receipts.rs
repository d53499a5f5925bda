//! Receipts: the cost of each request, for reports. The ledger is authoritative; these are copies.

use clawless_core::ledger::{Amounts, Period, Receipt};
use clawless_core::{MicroDollars, RequestId, TenantId, Tokens};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ports::{Sql, SqlError, Value};
use crate::statements::statements;

statements! {
    /// A higher revision replaces a lower one; other revisions are ignored. One statement for all rows, since
    /// each statement and each parameter is a call of the runtime. `WHERE true` tells the parser that `ON`
    /// begins no join.
    STORE = "
        INSERT INTO receipts (tenant_id, request_id, revision, key_id, session_id, model, period,
                              granted_at, closed_at, reserved_messages, reserved_tokens,
                              reserved_micro_dollars, charged_messages, charged_tokens,
                              charged_micro_dollars, tokens_in, tokens_out, provenance)
        SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
               value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
               value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16
        FROM json_each(?2) WHERE true
        ON CONFLICT (tenant_id, request_id) DO UPDATE SET
          revision = excluded.revision, model = excluded.model, period = excluded.period,
          closed_at = excluded.closed_at, reserved_messages = excluded.reserved_messages,
          reserved_tokens = excluded.reserved_tokens,
          reserved_micro_dollars = excluded.reserved_micro_dollars,
          charged_messages = excluded.charged_messages, charged_tokens = excluded.charged_tokens,
          charged_micro_dollars = excluded.charged_micro_dollars, tokens_in = excluded.tokens_in,
          tokens_out = excluded.tokens_out, provenance = excluded.provenance
        WHERE excluded.revision > receipts.revision";
    FIND = "SELECT 1 AS found FROM receipts WHERE tenant_id = ?1 AND request_id = ?2";
    CHARGED = "
        SELECT coalesce(sum(charged_messages), 0) AS messages,
               coalesce(sum(charged_tokens), 0) AS tokens,
               coalesce(sum(charged_micro_dollars), 0) AS micro_dollars
        FROM receipts WHERE tenant_id = ?1 AND period = ?2";
}

/// Stores receipts in one statement. Idempotent, and independent of order.
pub async fn store(
    sql: &impl Sql,
    tenant: &TenantId,
    receipts: &[Receipt],
) -> Result<(), SqlError> {
    if receipts.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = receipts.iter().map(row).collect();
    // Serializing numbers and texts cannot fail.
    let rows = serde_json::to_string(&rows).unwrap_or_default();
    sql.batch(vec![STORE.with([tenant.into(), rows.into()])])
        .await
}

/// Whether the request has a receipt.
pub async fn is_stored(
    sql: &impl Sql,
    tenant: &TenantId,
    request: &RequestId,
) -> Result<bool, SqlError> {
    let rows: Vec<IgnoredAny> = sql
        .query(FIND.with([tenant.into(), request.into()]))
        .await?;
    Ok(!rows.is_empty())
}

/// What a tenant was charged in a month, by the receipts stored so far.
pub async fn charged(
    sql: &impl Sql,
    tenant: &TenantId,
    period: Period,
) -> Result<Amounts, SqlError> {
    #[derive(Default, Deserialize)]
    struct Sums {
        messages: u64,
        tokens: Tokens,
        micro_dollars: MicroDollars,
    }
    let query = CHARGED.with([tenant.into(), period.to_string().into()]);
    let rows: Vec<Sums> = sql.query(query).await?;
    let sums = rows.into_iter().next().unwrap_or_default();
    Ok(Amounts {
        messages: sums.messages,
        tokens: sums.tokens,
        micro_dollars: sums.micro_dollars,
    })
}

/// The columns of a receipt after the tenant's.
fn row(receipt: &Receipt) -> [Value; 17] {
    [
        (&receipt.request_id).into(),
        receipt.revision.into(),
        (&receipt.key_id).into(),
        receipt.session_id.as_ref().into(),
        receipt.model.as_str().into(),
        receipt.period.to_string().into(),
        receipt.granted_at.into(),
        receipt.closed_at.into(),
        receipt.reserved.messages.into(),
        receipt.reserved.tokens.into(),
        receipt.reserved.micro_dollars.into(),
        receipt.charged.messages.into(),
        receipt.charged.tokens.into(),
        receipt.charged.micro_dollars.into(),
        receipt.tokens_in.into(),
        receipt.tokens_out.into(),
        receipt.provenance.as_str().into(),
    ]
}
