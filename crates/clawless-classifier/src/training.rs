//! Trains the model on `data/train`, and cross-validates it.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clawless_core::routing::{ClassifierRules, decide};

use crate::report::Report;
use crate::rows::{self, Row};
use crate::table;
use crate::train::{self, Model};

/// Number of parts of the cross-validation.
const FOLDS: usize = 5;

fn training_rows() -> Result<Vec<Row>> {
    rows::read_folder(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/train"))
}

/// Trains on data/train and writes the weights of `clawless-core`, or only compares them.
///
/// # Errors
/// A row is invalid, or the weights differ.
pub(crate) fn train(check: bool) -> Result<()> {
    let rows = training_rows()?;
    let table = table::quantise(&Model::train(rows.iter()));
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../clawless-core/data/classifier.bin");
    if check {
        let current = fs::read(&path).context("the weights are missing")?;
        ensure!(
            current == table,
            "data/classifier.bin does not match data/train: run `cargo run -p clawless-classifier -- train`"
        );
    } else {
        fs::write(&path, table)?;
    }
    println!("{} rows", rows.len());
    Ok(())
}

/// Prints the cross-validated results for several thresholds.
///
/// # Errors
/// A row is invalid.
pub(crate) fn validate() -> Result<()> {
    let rows = training_rows()?;
    let mut results = Vec::new();
    for fold in 0..FOLDS {
        let parts = rows.iter().enumerate();
        let model = Model::train(
            parts
                .clone()
                .filter(|(at, _)| at % FOLDS != fold)
                .map(|(_, row)| row),
        );
        for (_, row) in parts.filter(|(at, _)| at % FOLDS == fold) {
            let probabilities = model.probabilities(&train::features(&row.request()));
            results.push((row, probabilities.map(narrow)));
        }
    }
    println!("threshold  accuracy  quality loss  money loss");
    for percent in (30_u8..=80).step_by(5) {
        let rules = ClassifierRules {
            simple_threshold: f32::from(percent) / 100.0,
            ..ClassifierRules::default()
        };
        let mut report = Report::default();
        for (row, probabilities) in &results {
            if let Some((class, language)) = &row.label {
                report.add(*class, language, decide(*probabilities, rules).class);
            }
        }
        println!(
            "{:>9.2}  {:>8.3}  {:>12.3}  {:>10.3}",
            rules.simple_threshold,
            report.accuracy(),
            report.quality_loss(),
            report.money_loss()
        );
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation, reason = "fewer digits suffice")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The files that are never trained or tuned on.
    const HELD_BACK: [&str; 4] = [
        "held-back.tsv",
        "earlier-a.tsv",
        "earlier-b.tsv",
        "helper-tasks.tsv",
    ];

    fn data(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("data")
            .join(name)
    }

    #[test]
    fn the_weights_of_the_router_are_those_of_the_training_rows() {
        train(true).expect("the same bytes");
    }

    #[test]
    fn the_rows_cover_classes_and_languages() {
        let rows = training_rows().expect("rows");
        assert!(rows.len() >= 3000, "{}", rows.len());
        let mut languages: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &rows {
            let (_, language) = row.label.as_ref().expect("a label");
            *languages.entry(language).or_default() += 1;
        }
        for language in ["en", "de", "fr", "es", "it", "pt", "pl", "ja", "zh"] {
            let count = languages.get(language).copied().unwrap_or(0);
            assert!(count >= 80, "{language}: {count}");
        }
    }

    #[test]
    fn no_held_back_row_is_a_training_row() {
        let rows = training_rows().expect("rows");
        let trained: std::collections::BTreeSet<&str> =
            rows.iter().map(|row| row.text.as_str()).collect();
        let held_back = HELD_BACK
            .iter()
            .flat_map(|file| rows::read(&data(file)).expect("rows"));
        let held_back: Vec<Row> = held_back.collect();
        // Greetings and thanks are the same everywhere.
        let is_long = |row: &&Row| row.text.len() > 40;
        let same: Vec<_> = held_back
            .iter()
            .filter(is_long)
            .filter(|row| trained.contains(row.text.as_str()))
            .collect();
        assert!(same.is_empty(), "{same:#?}");
    }

    #[test]
    fn accuracy_and_losses_on_the_held_back_rows() {
        for file in HELD_BACK {
            let mut report = Report::default();
            for row in rows::read(&data(file)).expect("rows") {
                let found = row.classify(ClassifierRules::default()).class;
                let (label, language) = row.label.expect("a label");
                report.add(label, &language, found);
            }
            println!("{file}\n{}", report.to_text());
            assert!(report.accuracy() >= 0.85, "{file}");
            assert!(report.quality_loss() <= 0.10, "{file}");
            assert!(report.money_loss() <= 0.20, "{file}");
        }
    }
}
