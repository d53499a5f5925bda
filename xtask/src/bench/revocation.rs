//! Latency of revocations under load.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    environment::{BenchTenant, Environment},
    load,
    upstream::MODEL,
};
use crate::{layout::Layout, progress::Progress};

/// Number of revoked keys.
const KEYS: usize = 100;

/// Clients that use a key during its revocation.
const CLIENTS: usize = 8;

/// Time of use before the revocation.
const USE_BEFORE_REVOCATION: Duration = Duration::from_millis(30);

/// Timeout of the first rejection.
const REJECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The results.
#[derive(Debug, Serialize)]
pub(super) struct Revocations {
    pub(super) tries: usize,
    /// Longest time from the response to a revocation to the first rejection.
    pub(super) longest_ms: f64,
    /// Requests that were sent after that answer and served all the same.
    pub(super) served_after: usize,
}

/// One client during one revocation: the time of the rejection, and the send times of served requests.
struct Observation {
    rejected: Instant,
    served: Vec<Instant>,
}

/// Revokes keys of different tenants, one after another, while clients use them.
pub(super) fn measure(
    environment: &Environment,
    layout: &Layout,
    progress: &Progress,
) -> Result<Revocations> {
    let task = progress.task(format!("Revoke {KEYS} keys under load"));
    let mut result = Revocations {
        tries: KEYS,
        longest_ms: 0.0,
        served_after: 0,
    };
    for _ in 0..KEYS {
        let tenant = environment.add_tenant(layout)?;
        let (revoked, observations) = revoke_under_load(environment, &tenant)?;
        let first = observations.iter().map(|client| client.rejected).min();
        let wait = first
            .context("no client ran")?
            .saturating_duration_since(revoked);
        result.longest_ms = result.longest_ms.max(wait.as_secs_f64() * 1000.0);
        let served = observations.iter().flat_map(|client| &client.served);
        result.served_after += served.filter(|sent| **sent > revoked).count();
    }
    task.done();
    Ok(result)
}

fn revoke_under_load(
    environment: &Environment,
    tenant: &BenchTenant,
) -> Result<(Instant, Vec<Observation>)> {
    let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Hi" }] });
    let request = load::Request::chat(&tenant.secret_key, &body.to_string(), "");
    let key = environment.gateway.query(&format!(
        "SELECT id FROM api_keys WHERE tenant_id = '{}' AND kind = 'secret'",
        tenant.tenant_id
    ))?;
    let command = json!({ "tenant": tenant.tenant_id, "input": { "revoke": { "key_id": key } } });
    let has_failed = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| use_until_rejected(environment, &request, &has_failed)))
            .collect();
        thread::sleep(USE_BEFORE_REVOCATION);
        let revoked = revoke(environment, &tenant.tenant_id, &command);
        has_failed.store(revoked.is_err(), Ordering::Relaxed);
        let observations = clients
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
            .collect::<Result<Vec<_>>>();
        Ok((revoked?, observations?))
    })
}

fn use_until_rejected(
    environment: &Environment,
    request: &load::Request,
    has_failed: &AtomicBool,
) -> Result<Observation> {
    let mut client = load::Client::connect(environment.gateway.address)?;
    let (started, mut served) = (Instant::now(), Vec::new());
    while !has_failed.load(Ordering::Relaxed) && started.elapsed() < REJECTION_TIMEOUT {
        let sent = Instant::now();
        match client.send(request)?.status() {
            Some(200) => served.push(sent),
            Some(401) => {
                let rejected = Instant::now();
                return Ok(Observation { rejected, served });
            }
            other => bail!("a request during a revocation got {other:?}"),
        }
    }
    bail!("a revoked key still works")
}

/// Revokes a key in the ledger. Returns the time of the response.
fn revoke(environment: &Environment, tenant: &str, command: &Value) -> Result<Instant> {
    let url = format!("http://{}/call/{tenant}", environment.gateway.ledgers);
    let response = ureq::post(url)
        .send(command.to_string())?
        .body_mut()
        .read_to_string()?;
    if !response.contains("done") {
        bail!("the ledger responded to a revocation with {response}");
    }
    Ok(Instant::now())
}
