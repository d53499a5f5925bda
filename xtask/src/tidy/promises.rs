//! The tables of faults, attacks, promises and provider cases, and the tests that they name.

use std::collections::BTreeMap;

use super::source_file::SourceFile;

/// Each document with a table, and its number of rows.
const TABLES: [(&str, usize); 4] = [
    ("docs/faults.md", 38),
    ("docs/attacks.md", 69),
    ("docs/security.md", 18),
    ("docs/provider-cases.md", 36),
];

/// The mark of a row without a test.
const OPEN: &str = "not yet tested";

/// Rows that are missing, that name a test which does not exist, or that have neither a test nor the
/// mark.
pub(super) fn broken(files: &[SourceFile]) -> Vec<String> {
    TABLES
        .into_iter()
        .flat_map(|(path, rows)| match find(files, path) {
            Some(document) => breaches(path, document, rows, files),
            None => vec![format!("{path} is missing")],
        })
        .collect()
}

fn breaches(path: &str, document: &str, rows: usize, files: &[SourceFile]) -> Vec<String> {
    let mut breaches = Vec::new();
    let table = document.split("\n## Tests\n").next().unwrap_or_default();
    if !table.lines().filter_map(row_number).eq(1..=rows) {
        breaches.push(format!("{path}: its rows are not numbered 1 to {rows}"));
    }
    let entries = entries(document);
    for number in 1..=rows {
        let Some(entry) = entries.get(&number) else {
            breaches.push(format!("{path}: row {number} is not listed under Tests"));
            continue;
        };
        if entry.tests.is_empty() != entry.is_open {
            breaches.push(format!(
                "{path}: row {number} names tests, or says \"{OPEN}\""
            ));
        }
        let absent = entry.tests.iter().filter(|test| !exists(test, files));
        breaches.extend(absent.map(|test| format!("{path}: row {number}: {test} does not exist")));
    }
    breaches
}

/// The number in the first cell of a table row.
fn row_number(line: &str) -> Option<usize> {
    let (number, _) = line.strip_prefix("| ")?.split_once(" | ")?;
    number.parse().ok()
}

/// The tests of one row.
#[derive(Default)]
struct Entry<'a> {
    tests: Vec<&'a str>,
    is_open: bool,
}

/// The list under the heading Tests: `- **N**`, and an indented line for each test.
fn entries(document: &str) -> BTreeMap<usize, Entry<'_>> {
    let list = document.split("\n## Tests\n").nth(1).unwrap_or_default();
    let list = list.split("\n## ").next().unwrap_or_default();
    let mut entries = BTreeMap::new();
    let mut current = None;
    for line in list.lines() {
        if let Some((number, rest)) = entry_head(line) {
            let is_open = rest.contains(OPEN);
            entries.insert(
                number,
                Entry {
                    tests: Vec::new(),
                    is_open,
                },
            );
            current = Some(number);
        } else if let Some(test) = line
            .strip_prefix("  - `")
            .and_then(|rest| rest.strip_suffix('`'))
            && let Some(entry) = current.and_then(|number| entries.get_mut(&number))
        {
            entry.tests.push(test);
        }
    }
    entries
}

fn entry_head(line: &str) -> Option<(usize, &str)> {
    let (number, rest) = line.strip_prefix("- **")?.split_once("**")?;
    Some((number.parse().ok()?, rest))
}

/// Whether the file contains the text by which a test is known.
fn exists(test: &str, files: &[SourceFile]) -> bool {
    test.split_once("::")
        .is_some_and(|(path, text)| find(files, path).is_some_and(|file| file.contains(text)))
}

fn find<'a>(files: &'a [SourceFile], path: &str) -> Option<&'a str> {
    let file = files.iter().find(|file| file.path == path)?;
    Some(&file.text)
}

#[cfg(test)]
mod tests {
    use super::{super::source_file::file, *};

    fn breaches_of(document: &str) -> Vec<String> {
        breaches("t.md", document, 2, &[file("a.rs", "fn it_holds() {}")])
    }

    #[test]
    fn a_document_is_complete_and_names_tests_that_exist() {
        let good = "| # | fault |\n|---|\n| 1 | a |\n| 2 | b |\n\n## Tests\n\n\
                    - **1**\n  - `a.rs::it_holds`\n- **2** not yet tested\n";
        assert_eq!(breaches_of(good), Vec::<String>::new());
        for (was, is) in [
            ("| 2 |", "| 3 |"),
            ("- **2**", "- **3**"),
            ("a.rs::", "b.rs::"),
            ("it_holds", "it_held"),
            ("not yet tested", "surely"),
            ("not yet tested", "not yet tested\n  - `a.rs::it_holds`"),
        ] {
            assert_eq!(breaches_of(&good.replace(was, is)).len(), 1, "{is}");
        }
    }
}
