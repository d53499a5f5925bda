//! Test counts, read from the output of the test runners.

use std::{fmt, iter::Sum, ops::Add};

/// Numbers of tests by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TestCounts {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed, or could not be run.
    pub(crate) failed: u64,
    /// Skipped by the runner.
    pub(crate) skipped: u64,
}

impl Add for TestCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl Sum for TestCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

/// A failed step, with the counts of the tests that ran.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The tests that ran.
    pub(crate) counts: TestCounts,
    /// The error.
    pub(crate) message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; …`, one line per test binary.
pub(crate) fn of_cargo(output: &str) -> TestCounts {
    let lines = output
        .lines()
        .filter(|line| line.starts_with("test result:"));
    lines
        .map(|line| TestCounts {
            passed: before(line, "passed"),
            failed: before(line, "failed"),
            skipped: before(line, "ignored"),
        })
        .sum()
}

/// Reads `ℹ pass 3`, `ℹ fail 0` and so on at the end.
pub(crate) fn of_node(output: &str) -> TestCounts {
    let after = |word: &str| {
        let mut counts = output.lines().filter_map(|line| {
            line.strip_prefix("ℹ ")?
                .strip_prefix(word)?
                .trim()
                .parse::<u64>()
                .ok()
        });
        counts.next_back().unwrap_or(0)
    };
    TestCounts {
        passed: after("pass "),
        failed: after("fail ") + after("cancelled "),
        skipped: after("skipped ") + after("todo "),
    }
}

/// Reads `3 passed, 1 failed, 1 error in 2.00s`, the last line.
pub(crate) fn of_pytest(output: &str) -> TestCounts {
    let last = output
        .lines()
        .rev()
        .find(|line| line.contains(" in ") && is_summary(line));
    let line = last.unwrap_or_default();
    TestCounts {
        passed: before(line, "passed"),
        failed: before(line, "failed") + before(line, "error") + before(line, "errors"),
        skipped: before(line, "skipped"),
    }
}

/// Whether a line is pytest's summary: it ends with the duration, above a minute in two forms:
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
    fn cargo_counts_are_summed_over_test_binaries() {
        let output = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
                       noise\n\
                       test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(
            of_cargo(output),
            TestCounts {
                passed: 7,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn node_counts_cancelled_tests_as_failed() {
        let output = "✔ pass 7 is only a name\nℹ tests 6\nℹ suites 0\nℹ pass 3\nℹ fail 1\nℹ cancelled 1\nℹ skipped 1\nℹ todo 0\n";
        assert_eq!(
            of_node(output),
            TestCounts {
                passed: 3,
                failed: 2,
                skipped: 1
            }
        );
    }

    #[test]
    fn pytest_counts_errors_as_failed() {
        let output =
            "....F\nshort summary\n=== 1 failed, 4 passed, 2 skipped, 1 error in 3.21s ===\n";
        assert_eq!(
            of_pytest(output),
            TestCounts {
                passed: 4,
                failed: 2,
                skipped: 2
            }
        );
        assert_eq!(
            of_pytest("12 passed in 0.50s\n"),
            TestCounts {
                passed: 12,
                failed: 0,
                skipped: 0
            }
        );
        assert_eq!(of_pytest("25 passed in 93.12s (0:01:33)\n").passed, 25);
    }
}
