//! `cargo xtask classify`: classifies the requests of a file.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clawless_core::routing::{Classification, ClassifierRules, SIMPLE_THRESHOLD};
use serde_json::json;

use crate::report::Report;
use crate::rows::{self, Row};

/// Arguments of `classify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Lines of `class<TAB>language<TAB>text`, or of text only
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Probability from which a request counts as simple
    #[arg(long, default_value_t = SIMPLE_THRESHOLD)]
    threshold: f32,
    /// Print the rows whose class differs from the label
    #[arg(long)]
    errors: bool,
}

/// Classifies a file. Labelled rows give a report, others a class per row.
///
/// # Errors
/// The file is missing, empty, invalid, or only some of its rows have a class.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(
        (0.0..=1.0).contains(&arguments.threshold),
        "--threshold must be between 0 and 1"
    );
    let rules = ClassifierRules {
        simple_threshold: arguments.threshold,
        ..ClassifierRules::default()
    };
    let rows = rows::read(&arguments.file)?;
    let file = arguments.file.display();
    ensure!(!rows.is_empty(), "{file} has no requests");
    let labelled = rows.iter().filter(|row| row.label.is_some()).count();
    ensure!(
        labelled == 0 || labelled == rows.len(),
        "{labelled} of the {} rows of {file} have a class: label all rows or none",
        rows.len()
    );
    let results: Vec<_> = rows.iter().map(|row| (row, row.classify(rules))).collect();
    if labelled == 0 {
        return print_classes(&results, arguments.json);
    }
    let mut report = Report::default();
    for (row, found) in &results {
        if let Some((label, language)) = &row.label {
            report.add(*label, language, found.class);
        }
    }
    if arguments.errors {
        print_errors(&results);
    }
    if arguments.json {
        print(&serde_json::to_string_pretty(&report.to_json())?)
    } else {
        print(&report.to_text())
    }
}

/// Prints a text. A reader that closes the pipe early, such as `head`, is not an error.
fn print(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn print_classes(results: &[(&Row, Classification)], as_json: bool) -> Result<()> {
    if as_json {
        let rows = results.iter().map(|(row, found)| {
            json!({"class": found.class, "probability": found.probability, "text": row.text})
        });
        return print(&serde_json::to_string_pretty(&rows.collect::<Vec<_>>())?);
    }
    let lines = results.iter().map(|(row, found)| {
        let (class, text) = (found.class.as_str(), row.text.escape_debug());
        format!("{class:<8} {:.2}  {text}", found.probability)
    });
    print(&lines.collect::<Vec<_>>().join("\n"))
}

fn print_errors(results: &[(&Row, Classification)]) {
    for (row, found) in results {
        if let Some((label, language)) = &row.label
            && *label != found.class
        {
            let (label, class) = (label.as_str(), found.class.as_str());
            eprintln!("{label}→{class} [{language}] {}", row.text.escape_debug());
        }
    }
}
