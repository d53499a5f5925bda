//! The results, as a table or as JSON.

use serde::Serialize;

use super::{
    comparison::{Comparison, Load},
    figures::as_f64,
    native::Native,
    objects::{Objects, Throughput},
    revocation::Revocations,
    startup::Footprint,
    turns::Cost,
    widget::WidgetTimes,
};

/// All results.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) effort: Load,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) objects: Objects,
    pub(super) revocations: Revocations,
    pub(super) native: Native,
    pub(super) turns: Vec<Cost>,
    /// Absent without Chromium or npm.
    pub(super) widget: Option<WidgetTimes>,
    pub(super) footprints: Vec<Footprint>,
}

/// Prints the report as tables.
pub(super) fn print(report: &Report) {
    let load = &report.effort;
    println!(
        "The gateway, bench/workers/forward.js (a forwarding Worker) and bench/workers/floor.js (the minimum of runtime calls of our\ndesign, in plain JavaScript) on plain workerd, and Portkey's gateway on Node: {} connections, medians of {} interleaved\nrounds of {} requests (a tenth of them for streams with separate events).",
        load.connections, load.rounds, load.requests
    );
    println!(
        "D1 and KV are emulated in the same process (SQLite in a Durable Object, a map in memory): the gateway's CPU and memory\ninclude them and its logs. Load generator and upstream run on the same machine."
    );
    for comparison in &report.comparisons {
        println!("\n{}", comparison.scenario);
        table(&comparison_rows(comparison));
        if let Some(events) = comparison.events {
            println!("  CPU per event in µs, including all costs of the request:");
            table(&event_rows(comparison, events));
        }
    }
    print_ledger(report);
    print_native(&report.native);
    print_turns(&report.turns);
    if let Some(times) = &report.widget {
        print_widget(times);
    }
    println!(
        "\nEach Worker alone (start-up limit: 50 ms). Start-up is the wall time from the start of workerd to the first response,\nminus that of an empty Worker: compilation, instantiation and one request."
    );
    let mut rows = vec![row("", ["gzipped KB", "start-up ms"])];
    let footprints = report.footprints.iter();
    rows.extend(footprints.map(|footprint| footprint.row().to_vec()));
    table(&rows);
}

fn print_ledger(report: &Report) {
    let objects = &report.objects;
    println!(
        "\nCalls per second of the ledger's objects on workerd, called directly: each is admitted and settled"
    );
    let throughput = |name: &str, throughput: &Throughput| {
        let calls = format!("{:.0}", throughput.calls_per_second);
        let cpu = format!("{:.3}", throughput.cpu_seconds_per_1000);
        row(name, [&calls, &cpu])
    };
    table(&[
        row("", ["calls/s", "CPU-s/1000"]),
        throughput("one tenant", &objects.one_tenant),
        throughput("100 tenants", &objects.hundred_tenants),
    ]);
    println!("\nLatency of an admission, sequential requests");
    let latency = |name: &str, ms: [f64; 2]| row(name, ms.map(|ms| format!("{ms:.2}")));
    table(&[
        row("", ["p50 ms", "p99 ms"]),
        latency("without", objects.bare_ms),
        latency("with", objects.admission_ms),
    ]);
    let revocations = &report.revocations;
    println!(
        "\n{} keys revoked under load: at most {:.1} ms from the response to the first rejection; {} requests sent\nafter the response were served.",
        revocations.tries, revocations.longest_ms, revocations.served_after
    );
}

fn print_native(native: &Native) {
    println!("\nNatively (clawless-bench, release)");
    let instructions = native
        .chunk_instructions
        .map_or("no valgrind".to_owned(), |count| format!("{count:.0}"));
    table(&[
        row("", ["ns", "instructions"]),
        row("admit", [&format!("{:.0}", native.admit_ns), ""]),
        row("settle", [&format!("{:.0}", native.settle_ns), ""]),
        row(
            "one relayed chunk",
            [&format!("{:.0}", native.chunk_ns), &instructions],
        ),
        row(
            "classify a question",
            [&format!("{:.0}", native.classify_question_ns), ""],
        ),
        row(
            "classify a long text",
            [&format!("{:.0}", native.classify_long_text_ns), ""],
        ),
    ]);
}

fn print_turns(turns: &[Cost]) {
    println!(
        "\nA turn of the gateway, natively over SQLite and maps in memory: storage calls before + after the first byte of the\nresponse, and the duration relative to a stateless turn. Without receipts, which the ledger's alarm writes to D1 in\nbatches."
    );
    let mut rows = vec![Cost::HEAD.map(str::to_owned).to_vec()];
    if let Some(stateless) = turns.first() {
        rows.extend(turns.iter().map(|turn| turn.row(stateless).to_vec()));
    }
    table(&rows);
}

fn print_widget(times: &WidgetTimes) {
    println!(
        "\nAn answer of 16 KB in 4,000 chunks in a chat widget: CPU time of the page's main thread in Chromium (goal: 50 ms)"
    );
    let (ours, other) = (times.ours_ms, times.other_ms);
    table(&[
        row("", ["ms"]),
        row("Clawless", [format!("{ours:.0}")]),
        row(
            &format!("Clawless, {}", times.worst),
            [format!("{:.0}", times.worst_ms)],
        ),
        row(&times.other, [format!("{other:.0}")]),
        row(
            &format!("Clawless / {}", times.other),
            [format!("{:.4}", ours / other)],
        ),
    ]);
}

fn row<T: Into<String>, const N: usize>(name: &str, cells: [T; N]) -> Vec<String> {
    let cells = cells.into_iter().map(Into::into);
    std::iter::once(name.to_owned()).chain(cells).collect()
}

fn comparison_rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let head = ["requests/s", "p50 ms", "p99 ms", "CPU-s/1000", "RSS MiB"];
    let mut rows = vec![row("", head)];
    for result in &comparison.results {
        let mut cells = vec![result.name.to_owned()];
        cells.extend(result.figures.cells([0, 2, 2, 3, 0]));
        rows.push(cells);
    }
    for result in &comparison.results {
        for ratio in &result.ratios {
            let mut cells = vec![format!("{} / {}", result.name, ratio.to)];
            cells.extend(ratio.figures.cells([2, 2, 2, 2, 2]));
            rows.push(cells);
        }
    }
    rows
}

fn event_rows(comparison: &Comparison, events: usize) -> Vec<Vec<String>> {
    let results = comparison.results.iter();
    results
        .map(|result| {
            let cpu = result.figures.cpu_seconds_per_1000 * 1000.0 / as_f64(events);
            row(result.name, [format!("{cpu:.1}")])
        })
        .collect()
}

/// Prints rows in columns: names left-aligned, figures right-aligned.
fn table(rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<_> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(String::len)
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in rows {
        let cells: Vec<_> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| {
                if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        println!("  {}", cells.join("  "));
    }
}
