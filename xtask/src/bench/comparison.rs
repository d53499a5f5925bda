//! Compares the gateway with other targets: same upstream and requests, in interleaved rounds.

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::{
    environment::{Environment, Target},
    figures::{as_f64, median},
    load,
    process::{cpu_seconds, resident_mib},
    upstream::{EVENTS, MODEL, SLOW_EVENTS},
};
use crate::progress::Progress;

/// The load of a measurement.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Load {
    pub(super) rounds: usize,
    pub(super) requests: usize,
    pub(super) connections: usize,
}

/// The results of one round, or the medians of all rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figures {
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) cpu_seconds_per_1000: f64,
    pub(super) resident_mib: f64,
}

/// The results of all targets for one scenario.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) scenario: String,
    /// Number of events of a stream with separate events.
    pub(super) events: Option<usize>,
    /// Baselines first.
    pub(super) results: Vec<TargetResult>,
}

/// The results of one target.
#[derive(Debug, Serialize)]
pub(super) struct TargetResult {
    pub(super) name: &'static str,
    pub(super) figures: Figures,
    /// Relative to each earlier baseline.
    pub(super) ratios: Vec<Ratio>,
}

/// The results of a target relative to a baseline.
#[derive(Debug, Serialize)]
pub(super) struct Ratio {
    pub(super) to: &'static str,
    /// The medians of the ratios of each round.
    pub(super) figures: Figures,
}

/// A kind of request.
struct Scenario {
    name: String,
    body: serde_json::Value,
    /// Text of a complete response.
    expected: &'static str,
    events: Option<usize>,
}

/// Runs each scenario against all targets, in interleaved rounds.
pub(super) fn run(
    environment: &Environment,
    load: Load,
    progress: &Progress,
) -> Result<Vec<Comparison>> {
    let body = |stream, user| json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Say a few words." }], "stream": stream, "user": user });
    let scenarios = [
        Scenario {
            name: "a JSON response".to_owned(),
            body: body(false, "bench"),
            expected: "word word",
            events: None,
        },
        Scenario {
            name: format!("a stream of {EVENTS} events, sent at once"),
            body: body(true, "bench"),
            expected: "[DONE]",
            events: None,
        },
        Scenario {
            name: format!("a stream of {SLOW_EVENTS} separate events"),
            body: body(true, "slowly"),
            expected: "[DONE]",
            events: Some(SLOW_EVENTS),
        },
    ];
    scenarios
        .into_iter()
        .map(|scenario| {
            let task = progress.task(format!("Load: {}", scenario.name));
            // A response with many events is as much work as many responses.
            let requests = load.requests / if scenario.events.is_some() { 10 } else { 1 };
            let load = Load { requests, ..load };
            let comparison = compare(environment, scenario, load)?;
            task.done();
            Ok(comparison)
        })
        .collect()
}

fn compare(environment: &Environment, scenario: Scenario, load: Load) -> Result<Comparison> {
    let mut targets = Vec::new();
    let mut requests = Vec::new();
    // Warms up: connections are opened and hot code is compiled in several stages.
    for target in environment.targets() {
        let body = scenario.body.to_string();
        let request = load::Request::chat(environment.key(), &body, scenario.expected)
            .with_headers(&target.headers);
        let warm_up_requests = load.requests * 2;
        match load::run(target.address, &request, load.connections, warm_up_requests) {
            Ok(_) => {
                targets.push(target);
                requests.push(request);
            }
            Err(error) if target.is_ours => return Err(error),
            Err(error) => eprintln!("{} is skipped: {error:#}", target.name),
        }
    }
    let mut rounds = Vec::new();
    for round in 0..load.rounds {
        // Rotates the order, since the machine gets warmer during a round.
        let mut measured = vec![None; targets.len()];
        for turn in 0..targets.len() {
            let at = (round + turn) % targets.len();
            if let (Some(target), Some(request), Some(slot)) =
                (targets.get(at), requests.get(at), measured.get_mut(at))
            {
                *slot = Some(measure(target, request, load)?);
            }
        }
        rounds.push(measured.into_iter().flatten().collect::<Vec<_>>());
    }
    let results = targets.iter().enumerate().map(|(at, target)| {
        let own = rounds.iter().filter_map(|round| round.get(at).copied());
        let before = targets.iter().take(at).enumerate();
        let baselines = before.filter(|(_, baseline)| baseline.is_baseline);
        let ratios = baselines.map(|(other, baseline)| Ratio {
            to: baseline.name,
            figures: ratio(&rounds, at, other),
        });
        TargetResult {
            name: target.name,
            figures: Figures::medians(&own.collect::<Vec<_>>()),
            ratios: ratios.collect(),
        }
    });
    Ok(Comparison {
        results: results.collect(),
        scenario: scenario.name,
        events: scenario.events,
    })
}

/// The medians of the ratios of two targets, by their indices.
fn ratio(rounds: &[Vec<Figures>], at: usize, other: usize) -> Figures {
    let ratios = rounds
        .iter()
        .filter_map(|round| Some(round.get(at)?.over(round.get(other)?)));
    Figures::medians(&ratios.collect::<Vec<_>>())
}

fn measure(target: &Target, request: &load::Request, load: Load) -> Result<Figures> {
    let before = cpu_seconds(target.pid)?;
    let result = load::run(target.address, request, load.connections, load.requests)?;
    let used = cpu_seconds(target.pid)? - before;
    Ok(Figures {
        requests_per_second: result.requests_per_second(),
        p50_ms: result.percentile_ms(50),
        p99_ms: result.percentile_ms(99),
        cpu_seconds_per_1000: used * 1000.0 / as_f64(load.requests),
        resident_mib: resident_mib(target.pid)?,
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
    fn medians(figures: &[Self]) -> Self {
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

    /// The cells of a row with this number of decimals.
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
