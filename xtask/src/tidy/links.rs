//! Links between documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::source_file::SourceFile;

/// Relative links of Markdown files to missing files, and to headings that a document does not have.
pub(super) fn broken(files: &[SourceFile], exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let documents = || files.iter().filter(|file| file.is("md"));
    let anchors: BTreeMap<PathBuf, BTreeSet<String>> = documents()
        .map(|file| (PathBuf::from(&file.path), anchors(&file.text)))
        .collect();
    let mut breaches = Vec::new();
    for file in documents() {
        for (number, line) in prose(&file.text) {
            for target in targets(line).filter(|target| is_relative(target)) {
                let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
                let path = path.split('?').next().unwrap_or_default();
                let path = if path.is_empty() {
                    PathBuf::from(&file.path)
                } else {
                    resolve(&file.path, path)
                };
                let document = anchors.get(&path).filter(|_| !anchor.is_empty());
                if !exists(&path) {
                    breaches.push(format!("{}:{number}: {target} does not exist", file.path));
                } else if document.is_some_and(|anchors| !anchors.contains(anchor)) {
                    breaches.push(format!(
                        "{}:{number}: {target}: the document has no such heading",
                        file.path
                    ));
                }
            }
        }
    }
    breaches
}

/// The anchors of a document's headings, as code hosts make them: lowercase, spaces become hyphens,
/// other punctuation is removed, and a repeated heading gets a number.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let headings = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.strip_prefix(' '))?
    });
    for title in headings {
        let anchor: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
            .map(|letter| if letter == ' ' { '-' } else { letter })
            .collect();
        let mut unique = anchor.clone();
        let mut number = 0;
        while !found.insert(unique) {
            number += 1;
            unique = format!("{anchor}-{number}");
        }
    }
    found
}

/// Lines outside of fenced code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
            return None;
        }
        (!in_code).then_some((index + 1, line))
    })
}

fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
}

fn is_relative(target: &str) -> bool {
    !(target.is_empty()
        || target.starts_with('<')
        || target.contains("://")
        || target.starts_with("mailto:"))
}

/// A link's path from the root of the checkout.
fn resolve(document: &str, target: &str) -> PathBuf {
    let folder = Path::new(document)
        .parent()
        .unwrap_or_else(|| Path::new(""));
    let joined = match target.strip_prefix('/') {
        Some(from_root) => PathBuf::from(from_root),
        None => folder.join(target),
    };
    let mut path = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{super::source_file::file, *};

    #[test]
    fn link_to_a_missing_file_is_a_breach() {
        let text = "See [one](../a.md#part), [two](missing.md) and [site](https://example.com).\n\
                    ```\n[code](nowhere.md)\n```\n";
        let found = broken(&[file("docs/x.md", text)], |path| path == Path::new("a.md"));
        assert_eq!(found, ["docs/x.md:1: missing.md does not exist"]);
    }

    #[test]
    fn link_to_a_missing_heading_is_a_breach() {
        let files = [
            file(
                "docs/x.md",
                "# X\n[a](../a.md#add-a-tool) [b](../a.md#add-a-tool-1) [c](../a.md#other)\n\
                 [d](#x) [e](#y) [f](../main.rs#L10)\n",
            ),
            file(
                "a.md",
                "## Add a `tool`!\n```\n# other\n```\n### Add a tool\n#other\n",
            ),
        ];
        assert_eq!(
            broken(&files, |_| true),
            [
                "docs/x.md:2: ../a.md#other: the document has no such heading",
                "docs/x.md:3: #y: the document has no such heading"
            ]
        );
    }
}
