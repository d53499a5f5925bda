//! The gateway against others: same upstream, same requests, in turns.

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::{
    load, median,
    process::{cpu_seconds, resident_mib},
    stage::{Contestant, Stage},
    upstream::{EVENTS, MODEL, SLOW_EVENTS},
};
use crate::progress::Progress;

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

/// One kind of request, and how everybody does with it.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) scenario: String,
    /// How many events the answer has, where they come one by one.
    pub(super) events: Option<usize>,
    /// The yardsticks come first.
    pub(super) results: Vec<Standing>,
}

/// How one of them does.
#[derive(Debug, Serialize)]
pub(super) struct Standing {
    pub(super) name: &'static str,
    pub(super) figures: Figures,
    /// Against each yardstick before it.
    pub(super) ratios: Vec<Ratio>,
}

/// How one of them does against another.
#[derive(Debug, Serialize)]
pub(super) struct Ratio {
    pub(super) to: &'static str,
    /// The median over the rounds of its figures divided by the other's of the same round.
    pub(super) figures: Figures,
}

/// A kind of request.
struct Scenario {
    name: String,
    body: serde_json::Value,
    /// What a whole answer holds.
    proof: &'static str,
    events: Option<usize>,
}

/// Runs each kind of request against everybody, round by round in turns.
pub(super) fn run(stage: &Stage, effort: Effort, progress: &Progress) -> Result<Vec<Comparison>> {
    let body = |stream, user| json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Say a few words." }], "stream": stream, "user": user });
    let scenarios = [
        Scenario {
            name: "one JSON answer".to_owned(),
            body: body(false, "bench"),
            proof: "word word",
            events: None,
        },
        Scenario {
            name: format!("a stream of {EVENTS} events, which come at once"),
            body: body(true, "bench"),
            proof: "[DONE]",
            events: None,
        },
        Scenario {
            name: format!("a stream of {SLOW_EVENTS} events, which come one by one"),
            body: body(true, "slowly"),
            proof: "[DONE]",
            events: Some(SLOW_EVENTS),
        },
    ];
    scenarios
        .into_iter()
        .map(|scenario| {
            let task = progress.task(format!("Load: {}", scenario.name));
            // An answer of many events is as much work as many answers.
            let requests = effort.requests / if scenario.events.is_some() { 10 } else { 1 };
            let effort = Effort { requests, ..effort };
            let comparison = compare(stage, scenario, effort)?;
            task.done();
            Ok(comparison)
        })
        .collect()
}

fn compare(stage: &Stage, scenario: Scenario, effort: Effort) -> Result<Comparison> {
    let mut contestants = Vec::new();
    let mut requests = Vec::new();
    // Lets all open their connections and compile what is hot: the runtime does so in several stages.
    for contestant in stage.contestants() {
        let body = scenario.body.to_string();
        let request = load::Request::chat(stage.key(), &body, scenario.proof)
            .with_headers(&contestant.headers);
        let warming_up = effort.requests * 2;
        match load::run(contestant.address, &request, effort.connections, warming_up) {
            Ok(_) => {
                contestants.push(contestant);
                requests.push(request);
            }
            Err(error) if contestant.is_ours => return Err(error),
            Err(error) => eprintln!("{} is left out here: {error:#}", contestant.name),
        }
    }
    let mut rounds = Vec::new();
    for round in 0..effort.rounds {
        // Whoever goes later meets a machine that is a little warmer: take turns at it.
        let mut measured = vec![None; contestants.len()];
        for turn in 0..contestants.len() {
            let at = (round + turn) % contestants.len();
            if let (Some(contestant), Some(request), Some(slot)) =
                (contestants.get(at), requests.get(at), measured.get_mut(at))
            {
                *slot = Some(measure(contestant, request, effort)?);
            }
        }
        rounds.push(measured.into_iter().flatten().collect::<Vec<_>>());
    }
    let results = contestants.iter().enumerate().map(|(at, contestant)| {
        let own = rounds.iter().filter_map(|round| round.get(at).copied());
        let before = contestants.iter().take(at).enumerate();
        let yardsticks = before.filter(|(_, yardstick)| yardstick.is_yardstick);
        let ratios = yardsticks.map(|(other, yardstick)| Ratio {
            to: yardstick.name,
            figures: ratio(&rounds, at, other),
        });
        Standing {
            name: contestant.name,
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

/// The one at `at` against the `other`, by the median over the rounds.
fn ratio(rounds: &[Vec<Figures>], at: usize, other: usize) -> Figures {
    let ratios = rounds
        .iter()
        .filter_map(|round| Some(round.get(at)?.over(round.get(other)?)));
    Figures::medians(&ratios.collect::<Vec<_>>())
}

fn measure(contestant: &Contestant, request: &load::Request, effort: Effort) -> Result<Figures> {
    let before = cpu_seconds(contestant.pid)?;
    let outcome = load::run(
        contestant.address,
        request,
        effort.connections,
        effort.requests,
    )?;
    let used = cpu_seconds(contestant.pid)? - before;
    Ok(Figures {
        requests_per_second: outcome.requests_per_second(),
        p50_ms: outcome.percentile_ms(50),
        p99_ms: outcome.percentile_ms(99),
        cpu_seconds_per_1000: used * 1000.0 / super::as_f64(effort.requests),
        resident_mib: resident_mib(contestant.pid)?,
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
