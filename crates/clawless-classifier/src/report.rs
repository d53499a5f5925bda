//! Accuracy, losses and confusion of the classifier on labelled rows.

use std::collections::BTreeMap;

use clawless_core::routing::QueryClass;
use serde_json::{Value, json};

/// The results on labelled rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// Number of rows by label and found class.
    confusion: BTreeMap<(&'static str, &'static str), u32>,
    /// Number of rows and of right ones, by language.
    languages: BTreeMap<String, (u32, u32)>,
}

impl Report {
    /// Counts one row.
    pub(crate) fn add(&mut self, label: QueryClass, language: &str, found: QueryClass) {
        *self
            .confusion
            .entry((label.as_str(), found.as_str()))
            .or_default() += 1;
        let (all, right) = self.languages.entry(language.to_owned()).or_default();
        *all += 1;
        *right += u32::from(label == found);
    }

    /// Share of the rows whose class was found, from 0 to 1.
    pub(crate) fn accuracy(&self) -> f64 {
        self.share(|_, _| true, |label, found| label == found)
    }

    /// Share of the hard rows (complex, code, vision) that go to the small model.
    pub(crate) fn quality_loss(&self) -> f64 {
        self.share(|label, _| label != SIMPLE, |_, found| found == SIMPLE)
    }

    /// Share of the simple rows that go to a larger model.
    pub(crate) fn money_loss(&self) -> f64 {
        self.share(|label, _| label == SIMPLE, |_, found| found != SIMPLE)
    }

    fn share(&self, of: impl Fn(&str, &str) -> bool, counted: impl Fn(&str, &str) -> bool) -> f64 {
        let (mut all, mut some) = (0, 0);
        for ((label, found), count) in &self.confusion {
            if of(label, found) {
                all += count;
                some += if counted(label, found) { *count } else { 0 };
            }
        }
        ratio(some, all)
    }

    /// The report as JSON. Shares are fractions.
    pub(crate) fn to_json(&self) -> Value {
        let mut confusion: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
        for ((label, found), count) in &self.confusion {
            confusion.entry(label).or_default().insert(found, *count);
        }
        let languages: BTreeMap<&String, f64> = self
            .languages
            .iter()
            .map(|(language, (all, right))| (language, ratio(*right, *all)))
            .collect();
        json!({
            "rows": self.confusion.values().sum::<u32>(),
            "accuracy": self.accuracy(),
            "quality_loss": self.quality_loss(),
            "money_loss": self.money_loss(),
            "confusion": confusion,
            "languages": languages,
        })
    }

    /// The report as text.
    pub(crate) fn to_text(&self) -> String {
        let rows: u32 = self.confusion.values().sum();
        let (accuracy, quality) = (percent(self.accuracy()), percent(self.quality_loss()));
        let money = percent(self.money_loss());
        let mut lines = vec![
            format!("rows          {rows:>7}"),
            format!("accuracy      {accuracy}"),
            format!("quality loss  {quality}  hard requests sent to the small model"),
            format!("money loss    {money}  simple requests sent to a larger model"),
            "\nlabel      found       rows".to_owned(),
        ];
        for ((label, found), count) in &self.confusion {
            lines.push(format!("{label:<10} {found:<10} {count:>5}"));
        }
        lines.push("\nlanguage   rows    right".to_owned());
        for (language, (all, right)) in &self.languages {
            lines.push(format!(
                "{language:<8} {all:>6}  {}",
                percent(ratio(*right, *all))
            ));
        }
        lines.join("\n")
    }
}

const SIMPLE: &str = QueryClass::Simple.as_str();

fn ratio(some: u32, all: u32) -> f64 {
    f64::from(some) / f64::from(all.max(1))
}

fn percent(share: f64) -> String {
    format!("{:>5.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_shares_of_their_own_class() {
        let mut report = Report::default();
        for (label, found, count) in [
            (QueryClass::Simple, QueryClass::Simple, 3),
            (QueryClass::Simple, QueryClass::Code, 1),
            (QueryClass::Complex, QueryClass::Simple, 1),
            (QueryClass::Code, QueryClass::Complex, 1),
        ] {
            (0..count).for_each(|_| report.add(label, "en", found));
        }
        let json = report.to_json();
        assert_eq!(json["accuracy"], 0.5);
        assert_eq!(json["quality_loss"], 0.5);
        assert_eq!(json["money_loss"], 0.25);
        assert_eq!(json["confusion"]["simple"]["code"], 1);
    }
}
