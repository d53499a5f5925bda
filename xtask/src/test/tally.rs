//! Counting tests in what the runners print.

use std::{fmt, iter::Sum, ops::Add};

/// How many tests passed, failed and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed, or could not be run.
    pub(crate) failed: u64,
    /// Left out by the runner.
    pub(crate) skipped: u64,
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), Add::add)
    }
}

/// A step that failed, with the tests that ran all the same.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What ran.
    pub(crate) tally: Tally,
    /// What went wrong.
    pub(crate) message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one such line for each program of tests.
pub(crate) fn of_cargo(printed: &str) -> Tally {
    let lines = printed
        .lines()
        .filter(|line| line.starts_with("test result:"));
    lines
        .map(|line| Tally {
            passed: before(line, "passed"),
            failed: before(line, "failed"),
            skipped: before(line, "ignored"),
        })
        .sum()
}

/// `ℹ pass 3`, `ℹ fail 0` and so on, once at the end.
pub(crate) fn of_node(printed: &str) -> Tally {
    let after = |word: &str| {
        let mut counts = printed.lines().filter_map(|line| {
            line.strip_prefix("ℹ ")?
                .strip_prefix(word)?
                .trim()
                .parse::<u64>()
                .ok()
        });
        counts.next_back().unwrap_or(0)
    };
    Tally {
        passed: after("pass "),
        failed: after("fail ") + after("cancelled "),
        skipped: after("skipped ") + after("todo "),
    }
}

/// `3 passed, 1 failed, 1 error in 2.00s`, as the last line.
pub(crate) fn of_pytest(printed: &str) -> Tally {
    let last = printed
        .lines()
        .rev()
        .find(|line| line.contains(" in ") && is_summary(line));
    let line = last.unwrap_or_default();
    Tally {
        passed: before(line, "passed"),
        failed: before(line, "failed") + before(line, "error") + before(line, "errors"),
        skipped: before(line, "skipped"),
    }
}

/// Whether a line of pytest's is the last: it ends with the time, which past a minute comes twice, as
/// `93.12s (0:01:33)`.
fn is_summary(line: &str) -> bool {
    let end = line.trim_end_matches(['=', ' ']);
    let end = end.split_once(" (").map_or(end, |(seconds, _)| seconds);
    end.ends_with('s')
}

/// The number before a word.
fn before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line
        .split_whitespace()
        .map(|part| part.trim_matches([',', ';', '.']))
        .collect();
    words
        .windows(2)
        .find_map(|pair| match pair {
            [number, found] if *found == word => number.parse().ok(),
            _ => None,
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_counts_are_summed_over_its_programs() {
        let printed = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                       noise\n\
                       test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(
            of_cargo(printed),
            Tally {
                passed: 7,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn node_counts_what_was_cancelled_as_failed() {
        let printed = "✔ pass 7 is only a name\nℹ tests 6\nℹ suites 0\nℹ pass 3\nℹ fail 1\nℹ cancelled 1\nℹ skipped 1\nℹ todo 0\n";
        assert_eq!(
            of_node(printed),
            Tally {
                passed: 3,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn pytest_counts_errors_as_failed() {
        let printed =
            "....F\nshort summary\n=== 1 failed, 4 passed, 2 skipped, 1 error in 3.21s ===\n";
        assert_eq!(
            of_pytest(printed),
            Tally {
                passed: 4,
                failed: 2,
                skipped: 2
            }
        );
        assert_eq!(
            of_pytest("12 passed in 0.50s\n"),
            Tally {
                passed: 12,
                failed: 0,
                skipped: 0
            }
        );
        assert_eq!(of_pytest("25 passed in 93.12s (0:01:33)\n").passed, 25);
    }
}
