//! Revocation under load: how long a revoked key still works.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::{load, stage::Seed, stage::Stage, upstream::MODEL};
use crate::{layout::Layout, progress::Progress};

/// How many keys are revoked.
const TRIES: usize = 100;

/// How many clients use a key while it is revoked.
const CLIENTS: usize = 8;

/// How long they use it before.
const BEFORE: Duration = Duration::from_millis(30);

/// How long a key may go on working before the bench gives up.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Revocations {
    pub(super) tries: usize,
    /// The longest time from the answer to a revocation until the first refusal.
    pub(super) longest_ms: f64,
    /// Requests that were sent after that answer and served all the same.
    pub(super) served_after: usize,
}

/// One client's view of one revocation: when it was refused, and when it sent what was served.
struct Seen {
    refused: Instant,
    served: Vec<Instant>,
}

/// Revokes keys one after another, each of a tenant of its own, while clients use it.
pub(super) fn measure(stage: &Stage, layout: &Layout, progress: &Progress) -> Result<Revocations> {
    let task = progress.task(format!("Revoke {TRIES} keys under load"));
    let mut outcome = Revocations {
        tries: TRIES,
        longest_ms: 0.0,
        served_after: 0,
    };
    for _ in 0..TRIES {
        let tenant = stage.another_tenant(layout)?;
        let (answered, seen) = revoke_under_load(stage, &tenant)?;
        let first = seen.iter().map(|seen| seen.refused).min();
        let wait = first
            .context("there are clients")?
            .saturating_duration_since(answered);
        outcome.longest_ms = outcome.longest_ms.max(wait.as_secs_f64() * 1000.0);
        let served = seen.iter().flat_map(|seen| &seen.served);
        outcome.served_after += served.filter(|sent| **sent > answered).count();
    }
    task.done();
    Ok(outcome)
}

fn revoke_under_load(stage: &Stage, tenant: &Seed) -> Result<(Instant, Vec<Seen>)> {
    let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Hi" }] });
    let request = load::Request::chat(&tenant.secret_key, &body.to_string(), "");
    let key = stage.gateway.query(&format!(
        "SELECT id FROM api_keys WHERE tenant_id = '{}' AND kind = 'secret'",
        tenant.tenant_id
    ))?;
    let question = json!({ "tenant": tenant.tenant_id, "input": { "revoke": { "key_id": key } } });
    let is_broken = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| use_until_refused(stage, &request, &is_broken)))
            .collect();
        thread::sleep(BEFORE);
        let told = tell(stage, &tenant.tenant_id, &question);
        is_broken.store(told.is_err(), Ordering::Relaxed);
        let seen = clients
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
            .collect::<Result<Vec<_>>>();
        Ok((told?, seen?))
    })
}

fn use_until_refused(
    stage: &Stage,
    request: &load::Request,
    is_broken: &AtomicBool,
) -> Result<Seen> {
    let mut client = load::Client::connect(stage.gateway.address)?;
    let (began, mut served) = (Instant::now(), Vec::new());
    while !is_broken.load(Ordering::Relaxed) && began.elapsed() < TIMEOUT {
        let sent = Instant::now();
        match client.answer(request)?.status() {
            Some(200) => served.push(sent),
            Some(401) => {
                let refused = Instant::now();
                return Ok(Seen { refused, served });
            }
            other => bail!("a key under revocation met {other:?}"),
        }
    }
    bail!("a revoked key still works")
}

/// Gives the moment at which the ledger's answer was there.
fn tell(stage: &Stage, tenant: &str, question: &Value) -> Result<Instant> {
    let url = format!("http://{}/call/{tenant}", stage.gateway.ledgers);
    let answer = ureq::post(url)
        .send(question.to_string())?
        .body_mut()
        .read_to_string()?;
    if !answer.contains("done") {
        bail!("the ledger answered a revocation with {answer}");
    }
    Ok(Instant::now())
}
