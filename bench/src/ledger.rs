//! Admission and settlement in the ledger state machine, including the serialised rows.

use anyhow::{Context, Result, bail};
use clawless_core::ledger::{Input, LedgerAnswer, Machine};
use clawless_core::{Millis, Timestamp};
use serde_json::json;

use crate::timing::{RUNS, nanoseconds_per_operation};

/// Number of calls in one run.
const CALLS: u16 = 2000;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn admit(call: u16) -> Result<Input> {
    let config = json!({
        "version": 1,
        "status": "active",
        "limits": { "requests_per_minute": 1_000_000_000, "burst": 1_000_000_000, "concurrent": 1_000_000_000 },
        "quotas": { "messages_per_month": 1_000_000_000, "tokens_per_month": 1_000_000_000_000_u64, "micro_dollars_per_month": 1_000_000_000_000_u64 },
        "storage": { "sessions": null, "messages": null, "bytes": null },
    });
    let input = json!({ "admit": {
        "request_id": format!("req_{call:026}"),
        "caller": { "key_id": format!("key_{:026}", 1), "key_version": 1, "config_version": 1, "config": config },
        "class": "chat",
        "model": "bench-model",
        "tokens_in": 12,
        "default_tokens_out": 4096,
        "answers": 1,
        "price": { "input": 150_000, "output": 600_000 },
    } });
    serde_json::from_value(input).context("invalid admission")
}

fn settle(call: u16, ticket: &serde_json::Value) -> Result<Input> {
    let input = json!({ "settle": {
        "request_id": format!("req_{call:026}"),
        "ticket": ticket,
        "spent": { "tokens_in": 12, "tokens_out": 20, "cost": 14 },
        "provenance": "provider",
        "model": "bench-model",
    } });
    serde_json::from_value(input).context("invalid settlement")
}

/// Applies the inputs one by one, each with its own writes. Returns the tickets of the grants.
fn apply(machine: &mut Machine, inputs: &[Input]) -> Result<Vec<serde_json::Value>> {
    let mut tickets = Vec::with_capacity(inputs.len());
    for (input, elapsed) in inputs.iter().zip(0_u64..) {
        let output = machine.apply(NOW.plus(Millis::new(elapsed)), input.clone());
        machine.take_writes()?;
        match output.answer {
            LedgerAnswer::Granted(grant) => tickets.push(serde_json::to_value(grant.ticket)?),
            LedgerAnswer::Closed(_) => {}
            other => bail!("unexpected ledger answer: {other:?}"),
        }
    }
    Ok(tickets)
}

/// Time of one admission and of one settlement in nanoseconds.
pub(crate) fn nanoseconds() -> Result<(f64, f64)> {
    let admissions: Vec<_> = (0..CALLS).map(admit).collect::<Result<_>>()?;
    let mut open = Machine::default();
    let tickets = apply(&mut open, &admissions)?;
    let settlements: Vec<_> = (0..CALLS)
        .zip(&tickets)
        .map(|(call, ticket)| settle(call, ticket))
        .collect::<Result<_>>()?;
    let admit = nanoseconds_per_operation(CALLS.into(), || {
        let mut machine = Machine::default();
        apply(&mut machine, &admissions)?;
        Ok(machine)
    })?;
    // Cloned outside the timed section.
    let mut clones = vec![open; RUNS];
    let settle = nanoseconds_per_operation(CALLS.into(), || {
        let mut machine = clones.pop().context("one clone per run")?;
        apply(&mut machine, &settlements)?;
        Ok(machine)
    })?;
    Ok((admit, settle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_admitted_and_settled() -> Result<()> {
        let mut machine = Machine::default();
        let admissions = (0..3).map(admit).collect::<Result<Vec<_>>>()?;
        let tickets = apply(&mut machine, &admissions)?;
        assert_eq!(tickets.len(), 3);
        let settlements = (0..3)
            .zip(&tickets)
            .map(|(call, ticket)| settle(call, ticket));
        let settlements = settlements.collect::<Result<Vec<_>>>()?;
        apply(&mut machine, &settlements).map(drop)
    }
}
