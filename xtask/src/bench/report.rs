//! The figures as a person reads them.

use serde_json::Value;

use super::{Report, contest::Comparison, native::Native, objects::Throughput, turns::Cost};

/// Prints the whole report.
pub(super) fn print(report: &Report) {
    let effort = &report.effort;
    println!(
        "The gateway against bench/workers/forward.js (only forwards) and bench/workers/floor.js (the least that our design asks of the\nruntime, in plain JavaScript) on plain workerd, and Portkey's gateway on Node: {} connections, {} rounds of {} requests\nin turns (a tenth of that where events come one by one), medians.",
        effort.connections, effort.rounds, effort.requests
    );
    println!(
        "D1 and KV are stand-ins in the same process (SQLite in a Durable Object, a map in memory): their CPU and memory\ncount for the gateway, and so do its log lines. The load and the upstream run on the same machine."
    );
    for comparison in &report.comparisons {
        println!("\n{}", comparison.scenario);
        table(&comparison_rows(comparison));
        if let Some(events) = comparison.events {
            println!("  CPU an event, all that the request costs included, µs:");
            table(&event_rows(comparison, events));
        }
    }
    print_ledger(report);
    print_native(&report.native);
    print_turns(&report.turns);
    println!(
        "\nEach Worker alone (goals: 400 KB, 50 ms). Start-up is from starting workerd to the first answer, less the same\nfor an empty Worker: compiling, instantiating and one request, in wall time."
    );
    let mut rows = vec![row("", ["gzipped KB", "start-up ms"])];
    let footprints = report.footprints.iter();
    rows.extend(footprints.map(|footprint| footprint.row().to_vec()));
    table(&rows);
}

fn print_ledger(report: &Report) {
    let objects = &report.objects;
    println!("\nThe ledger's objects on workerd, asked directly: calls, each admitted and settled");
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
    println!("\nWhat an admission adds, one request at a time");
    let latency = |name: &str, ms: [f64; 2]| row(name, ms.map(|ms| format!("{ms:.2}")));
    table(&[
        row("", ["p50 ms", "p99 ms"]),
        latency("without", objects.bare_ms),
        latency("with", objects.admission_ms),
    ]);
    let revocations = &report.revocations;
    println!(
        "\n{} keys revoked under load: at most {:.1} ms from the answer to the first refusal; {} requests that were sent\nafter an answer were served.",
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
    ]);
    println!("\nThe classifier of requests: right in percent, and what each label was taken for");
    let sets = native.classifier.as_object().into_iter().flatten();
    for (name, set) in sets {
        let percent = set.get("percent").and_then(Value::as_f64);
        let count = set.get("count").and_then(Value::as_u64);
        println!(
            "  {name}: {:.0} % of {}",
            percent.unwrap_or(f64::NAN),
            count.unwrap_or(0)
        );
        let confusion = set.get("confusion").and_then(Value::as_object);
        for (label, found) in confusion.into_iter().flatten() {
            println!("    {label}: {found}");
        }
    }
}

fn print_turns(turns: &[Cost]) {
    println!(
        "\nA turn of the gateway, natively over SQLite and maps in memory: what it asks before the first byte of its answer\n+ afterwards, and how long it takes beside a stateless one. The ledger's alarm brings receipts to D1 in batches; they\nare not counted here."
    );
    let mut rows = vec![Cost::HEAD.map(str::to_owned).to_vec()];
    if let Some(stateless) = turns.first() {
        rows.extend(turns.iter().map(|turn| turn.row(stateless).to_vec()));
    }
    table(&rows);
}

fn row<T: Into<String>, const N: usize>(name: &str, cells: [T; N]) -> Vec<String> {
    let cells = cells.into_iter().map(Into::into);
    std::iter::once(name.to_owned()).chain(cells).collect()
}

fn comparison_rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let head = ["requests/s", "p50 ms", "p99 ms", "CPU-s/1000", "RSS MiB"];
    let mut rows = vec![row("", head)];
    for standing in &comparison.results {
        let mut cells = vec![standing.name.to_owned()];
        cells.extend(standing.figures.cells([0, 2, 2, 3, 0]));
        rows.push(cells);
    }
    for standing in &comparison.results {
        for ratio in &standing.ratios {
            let mut cells = vec![format!("{} / {}", standing.name, ratio.to)];
            cells.extend(ratio.figures.cells([2, 2, 2, 2, 2]));
            rows.push(cells);
        }
    }
    rows
}

fn event_rows(comparison: &Comparison, events: usize) -> Vec<Vec<String>> {
    let standings = comparison.results.iter();
    standings
        .map(|standing| {
            let cpu = standing.figures.cpu_seconds_per_1000 * 1000.0 / super::as_f64(events);
            row(standing.name, [format!("{cpu:.1}")])
        })
        .collect()
}

/// Prints rows in columns: names to the left, figures to the right.
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
