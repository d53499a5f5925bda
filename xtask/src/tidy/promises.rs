//! The tables of faults, attacks and promises, and the tests that they name.

use super::SourceFile;

/// The tables, and how many rows each has.
const TABLES: [(&str, usize); 2] = [("docs/faults.md", 31), ("docs/attacks.md", 57)];

/// What a row says that names no test.
const OPEN: &str = "not yet tested";

/// Rows that are missing, that name a test which is not there, or that name none without saying so.
pub(super) fn broken(files: &[SourceFile]) -> Vec<String> {
    TABLES
        .into_iter()
        .flat_map(|(path, rows)| match find(files, path) {
            Some(table) => breaches(path, table, rows, files),
            None => vec![format!("{path} is missing")],
        })
        .collect()
}

fn breaches(path: &str, table: &str, rows: usize, files: &[SourceFile]) -> Vec<String> {
    let found: Vec<(usize, &str)> = table.lines().filter_map(row).collect();
    let mut breaches = Vec::new();
    if !found.iter().map(|(number, _)| *number).eq(1..=rows) {
        breaches.push(format!("{path}: its rows are not numbered 1 to {rows}"));
    }
    for (number, shown_by) in found {
        let tests: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() != shown_by.contains(OPEN) {
            breaches.push(format!(
                "{path}: row {number} names tests, or says \"{OPEN}\""
            ));
        }
        let absent = tests.iter().filter(|test| !is_there(test, files));
        breaches.extend(absent.map(|test| format!("{path}: row {number}: {test} is not there")));
    }
    breaches
}

/// The number and the last cell of a row.
fn row(line: &str) -> Option<(usize, &str)> {
    let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let (number, _) = cells.split_once(" | ")?;
    let (_, last) = cells.rsplit_once(" | ")?;
    Some((number.parse().ok()?, last))
}

/// Whether a file has the words that a test is known by.
fn is_there(test: &str, files: &[SourceFile]) -> bool {
    test.split_once("::")
        .is_some_and(|(path, words)| find(files, path).is_some_and(|text| text.contains(words)))
}

fn find<'a>(files: &'a [SourceFile], path: &str) -> Option<&'a str> {
    let file = files.iter().find(|file| file.path == path)?;
    Some(&file.text)
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    fn of(table: &str) -> Vec<String> {
        breaches("t.md", table, 2, &[file("a.rs", "fn it_holds() {}")])
    }

    #[test]
    fn a_table_is_whole_and_names_tests_that_are_there() {
        let good = "| # | fault |\n|---|\n| 1 | a | `a.rs::it_holds` |\n| 2 | b | not yet tested |";
        assert_eq!(of(good), Vec::<String>::new());
        for (was, is) in [
            ("| 2 |", "| 3 |"),
            ("a.rs::", "b.rs::"),
            ("it_holds", "it_held"),
            ("not yet tested", "surely"),
            ("not yet tested", "not yet tested `a.rs::it_holds`"),
        ] {
            assert_eq!(of(&good.replace(was, is)).len(), 1, "{is}");
        }
    }
}
