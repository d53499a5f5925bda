//! The figures as a person reads them.

use super::{Report, contest::Comparison};

/// Prints the whole report.
pub(super) fn print(report: &Report) {
    let effort = &report.effort;
    println!(
        "The gateway against bench/forward.js on plain workerd, {} connections, {} rounds of {} requests in turns, medians.",
        effort.connections, effort.rounds, effort.requests
    );
    println!(
        "D1 and KV are stand-ins in the same process (SQLite in a Durable Object, a map in memory): their CPU and memory\ncount for the gateway, and so do its log lines. The load and the upstream run on the same machine."
    );
    for comparison in &report.comparisons {
        println!("\n{}", comparison.scenario);
        table(&comparison_rows(comparison));
    }
    println!(
        "\nEach Worker alone (goals: 400 KB, 50 ms). Start-up is from starting workerd to the first answer, less the same\nfor an empty Worker: compiling, instantiating and one request, in wall time."
    );
    let mut rows = vec![
        ["", "gzipped KB", "start-up ms"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(
        report
            .footprints
            .iter()
            .map(|footprint| footprint.row().to_vec()),
    );
    table(&rows);
}

fn comparison_rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let head = [
        "",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "CPU-s/1000",
        "RSS MiB",
    ]
    .map(str::to_owned);
    let row = |name: &str, cells: Vec<String>| {
        let mut row = vec![name.to_owned()];
        row.extend(cells);
        row
    };
    vec![
        head.to_vec(),
        row("forward.js", comparison.forward.cells([0, 2, 2, 3, 0])),
        row("gateway", comparison.gateway.cells([0, 2, 2, 3, 0])),
        row(
            "gateway / forward.js",
            comparison.ratio.cells([2, 2, 2, 2, 2]),
        ),
    ]
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
