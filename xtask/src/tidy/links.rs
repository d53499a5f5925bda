//! Links between documents.

use std::path::{Component, Path, PathBuf};

use super::source_file::SourceFile;

/// Relative links of Markdown files to missing files.
pub(super) fn broken(files: &[SourceFile], exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.is("md")) {
        for (number, line) in prose(&file.text) {
            for target in targets(line) {
                if !is_relative(target) {
                    continue;
                }
                let path = target.split(['#', '?']).next().unwrap_or_default();
                if !exists(&resolve(&file.path, path)) {
                    breaches.push(format!("{}:{number}: {target} does not exist", file.path));
                }
            }
        }
    }
    breaches
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
        || target.starts_with(['#', '<'])
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
        let text = "See [one](../a.md#part), [two](missing.md), [site](https://example.com) and [here](#part).\n\
                    ```\n[code](nowhere.md)\n```\n";
        let found = broken(&[file("docs/x.md", text)], |path| path == Path::new("a.md"));
        assert_eq!(found, ["docs/x.md:1: missing.md does not exist"]);
    }
}
