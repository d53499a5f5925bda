//! The gateway against a Worker that only forwards: same runtime, same upstream, same requests.

use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    load, median,
    process::{cpu_seconds, resident_mib},
    runtime::Runtime,
    surroundings::Surroundings,
    upstream::{EVENTS, MODEL, Upstream},
};
use crate::{
    bundle::Bundle, layout::Layout, process::capture, progress::Progress, tools::rust::cargo,
};

/// How much load a round is.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Effort {
    pub(super) rounds: usize,
    pub(super) requests: usize,
    pub(super) connections: usize,
}

/// What was measured in one round, or the medians of all.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figures {
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) cpu_seconds_per_1000: f64,
    pub(super) resident_mib: f64,
}

/// One kind of request, both Workers, and how they relate.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) scenario: String,
    pub(super) gateway: Figures,
    pub(super) forward: Figures,
    /// The median over the rounds of gateway divided by forward, figure by figure.
    pub(super) ratio: Figures,
}

/// A key that the gateway knows, and the SQL that made it known.
#[derive(Deserialize)]
struct Seed {
    sql: String,
    secret_key: String,
}

/// Runs both kinds of request against both Workers, round by round in turns.
pub(super) fn run(
    layout: &Layout,
    gateway: &Bundle,
    effort: Effort,
    progress: &Progress,
) -> Result<Vec<Comparison>> {
    let seed = seed(layout)?;
    let upstream = Upstream::start().context("can't start the bench's upstream")?;
    let forward = serve(
        layout,
        "forward",
        &Surroundings::of_script(gateway.worker, layout, "forward.js")
            .with("UPSTREAM", upstream.origin()),
    )?;
    let gateway = serve(
        layout,
        "gateway",
        &Surroundings::of_bundle(gateway.worker, &gateway.folder)
            .with("PROVIDERS", providers(&upstream).to_string())
            .with("ALLOW_PRIVATE_PROVIDERS", "true"),
    )?;
    fill_database(layout, &gateway, &seed)?;

    [("one JSON answer", false), ("a stream", true)]
        .into_iter()
        .map(|(name, stream)| {
            let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Say a few words." }], "stream": stream });
            let proof = if stream { "[DONE]" } else { "word word" };
            let request = load::Request::chat(&seed.secret_key, &body.to_string(), proof);
            let scenario = if stream { format!("{name} of {EVENTS} events") } else { name.to_owned() };
            let task = progress.task(format!("Load: {scenario}"));
            let comparison = compare(scenario, [&gateway, &forward], &request, effort)?;
            task.done();
            Ok(comparison)
        })
        .collect()
}

fn compare(
    scenario: String,
    [gateway, forward]: [&Runtime; 2],
    request: &load::Request,
    effort: Effort,
) -> Result<Comparison> {
    // Lets both compile what is hot and open their connections.
    for runtime in [gateway, forward] {
        load::run(
            runtime.address,
            request,
            effort.connections,
            effort.requests / 4,
        )?;
    }
    let mut rounds = Vec::new();
    for round in 0..effort.rounds {
        // Whoever goes second meets a machine that is a little warmer: take turns at it.
        rounds.push(if round % 2 == 0 {
            let ours = measure(gateway, request, effort)?;
            (ours, measure(forward, request, effort)?)
        } else {
            let theirs = measure(forward, request, effort)?;
            (measure(gateway, request, effort)?, theirs)
        });
    }
    Ok(Comparison {
        scenario,
        gateway: Figures::of_all(&rounds, |(ours, _)| *ours),
        forward: Figures::of_all(&rounds, |(_, theirs)| *theirs),
        ratio: Figures::of_all(&rounds, |(ours, theirs)| ours.over(theirs)),
    })
}

fn measure(runtime: &Runtime, request: &load::Request, effort: Effort) -> Result<Figures> {
    let before = cpu_seconds(runtime.pid())?;
    let outcome = load::run(
        runtime.address,
        request,
        effort.connections,
        effort.requests,
    )?;
    let used = cpu_seconds(runtime.pid())? - before;
    Ok(Figures {
        requests_per_second: outcome.requests_per_second(),
        p50_ms: outcome.percentile_ms(50),
        p99_ms: outcome.percentile_ms(99),
        cpu_seconds_per_1000: used * 1000.0 / super::as_f64(effort.requests),
        resident_mib: resident_mib(runtime.pid())?,
    })
}

impl Figures {
    fn over(&self, other: &Self) -> Self {
        Self {
            requests_per_second: self.requests_per_second / other.requests_per_second,
            p50_ms: self.p50_ms / other.p50_ms,
            p99_ms: self.p99_ms / other.p99_ms,
            cpu_seconds_per_1000: self.cpu_seconds_per_1000 / other.cpu_seconds_per_1000,
            resident_mib: self.resident_mib / other.resident_mib,
        }
    }

    /// The median of each figure over the rounds.
    fn of_all<R>(rounds: &[R], choose: impl Fn(&R) -> Self) -> Self {
        let figures: Vec<_> = rounds.iter().map(choose).collect();
        let middle =
            |figure: fn(&Self) -> f64| median(&mut figures.iter().map(figure).collect::<Vec<_>>());
        Self {
            requests_per_second: middle(|figures| figures.requests_per_second),
            p50_ms: middle(|figures| figures.p50_ms),
            p99_ms: middle(|figures| figures.p99_ms),
            cpu_seconds_per_1000: middle(|figures| figures.cpu_seconds_per_1000),
            resident_mib: middle(|figures| figures.resident_mib),
        }
    }

    /// As the cells of a row, with `decimals` behind the point.
    pub(super) fn cells(&self, decimals: [usize; 5]) -> Vec<String> {
        [
            self.requests_per_second,
            self.p50_ms,
            self.p99_ms,
            self.cpu_seconds_per_1000,
            self.resident_mib,
        ]
        .iter()
        .zip(decimals)
        .map(|(value, decimals)| format!("{value:.decimals$}"))
        .collect()
    }
}

fn serve(layout: &Layout, name: &str, worker: &Surroundings<'_>) -> Result<Runtime> {
    let folder = super::scratch(layout).join(name);
    worker.write(layout, &folder)?;
    Runtime::start(layout, &folder)
}

fn providers(upstream: &Upstream) -> serde_json::Value {
    json!([{
        "name": "bench",
        "kind": "openai",
        "base_url": format!("{}/v1", upstream.origin()),
        "key": null,
        "models": [{ "id": MODEL, "context": 32768, "max_output": 4096 }],
    }])
}

fn seed(layout: &Layout) -> Result<Seed> {
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--package", "clawless-seed"])
        .current_dir(layout.root());
    serde_json::from_str(&capture(&mut command)?)
        .context("clawless-seed printed something else than its JSON")
}

/// Limits and quotas that are counted with every request and never reached.
const LIMITS: &str = r#"{"limits":{"requests_per_minute":1000000000,"burst":1000000000,"concurrent":1000000000},"quotas":{"messages_per_month":1000000000000,"tokens_per_month":1000000000000,"micro_dollars_per_month":1000000000000}}"#;

fn fill_database(layout: &Layout, runtime: &Runtime, seed: &Seed) -> Result<()> {
    let folder = layout.at("migrations");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .with_context(|| format!("can't read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    for file in files {
        let sql =
            fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        runtime.execute(&sql)?;
    }
    runtime.execute(&seed.sql)?;
    runtime.execute(&format!("UPDATE tenants SET settings = '{LIMITS}'"))
}
