//! Rules on the text of single files.

use super::source_file::SourceFile;

/// Maximum lines of a code file.
const MAX_LINES: usize = 600;

/// Maximum lines of ARCHITECTURE.md.
const MAX_ARCHITECTURE_LINES: usize = 200;

/// Extensions of code files.
const CODE: [&str; 8] = ["rs", "ts", "js", "mjs", "py", "sql", "css", "html"];

/// Folders with code that runs in a Worker.
const IN_WORKERS: [&str; 6] = [
    "crates/clawless-api/src/",
    "crates/clawless-core/src/",
    "crates/clawless-llm/src/",
    "crates/clawless-store/src/",
    "crates/clawless-edge/src/",
    "workers/",
];

/// Native benchmarks in these folders.
const NATIVE: &str = "/benches/";

/// Functions that panic in a Worker.
const CLOCKS: [&str; 4] = [
    "SystemTime::now",
    "Instant::now",
    "thread::sleep",
    "thread::spawn",
];

/// Markers of unfinished work. Split here, so that this file has none.
const UNFINISHED: [&str; 3] = [
    concat!("todo", "!("),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
];

/// Pages that `cargo xtask openapi` writes.
const GENERATED: [&str; 2] = ["docs/api/reference.html", "docs/api/admin-reference.html"];

fn is_code(file: &SourceFile) -> bool {
    CODE.iter().any(|extension| file.is(extension)) && !GENERATED.contains(&&*file.path)
}

/// Code files that are too long.
pub(super) fn long_files(files: &[SourceFile]) -> Vec<String> {
    let long = |file: &&SourceFile| is_code(file) && file.text.lines().count() > MAX_LINES;
    let describe = |file: &SourceFile| {
        format!(
            "{} has {} lines, the maximum is {MAX_LINES}: split it by purpose",
            file.path,
            file.text.lines().count()
        )
    };
    files.iter().filter(long).map(describe).collect()
}

/// Whether ARCHITECTURE.md exists and is short.
pub(super) fn long_architecture(files: &[SourceFile]) -> Vec<String> {
    let Some(file) = files.iter().find(|file| file.path == "ARCHITECTURE.md") else {
        return vec!["ARCHITECTURE.md is missing".to_owned()];
    };
    let lines = file.text.lines().count();
    if lines > MAX_ARCHITECTURE_LINES {
        return vec![format!(
            "ARCHITECTURE.md has {lines} lines, the maximum is {MAX_ARCHITECTURE_LINES}"
        )];
    }
    Vec::new()
}

/// Uses of wall clocks and threads in code that runs in a Worker.
pub(super) fn wall_clocks(files: &[SourceFile]) -> Vec<String> {
    let in_workers = |file: &&SourceFile| {
        file.is("rs")
            && !file.path.contains(NATIVE)
            && IN_WORKERS
                .iter()
                .any(|folder| file.path.starts_with(folder))
    };
    files
        .iter()
        .filter(in_workers)
        .flat_map(|file| matches(file, &CLOCKS, is_not_comment, "panics in a Worker"))
        .collect()
}

/// Markers of unfinished work.
pub(super) fn unfinished(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| is_code(file))
        .flat_map(|file| matches(file, &UNFINISHED, |_| true, "is unfinished work"))
        .collect()
}

fn is_not_comment(line: &str) -> bool {
    !line.trim_start().starts_with("//")
}

fn matches(
    file: &SourceFile,
    needles: &[&str],
    is_relevant: fn(&str) -> bool,
    why: &str,
) -> Vec<String> {
    let lines = file
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| is_relevant(line));
    lines
        .flat_map(|(number, line)| {
            let found = needles.iter().filter(move |needle| line.contains(**needle));
            found.map(move |needle| format!("{}:{}: {needle} {why}", file.path, number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::source_file::file, *};

    #[test]
    fn long_code_file_is_a_breach_but_long_data_is_not() {
        let text = "line\n".repeat(MAX_LINES + 1);
        assert_eq!(long_files(&[file("crates/a/src/lib.rs", &text)]).len(), 1);
        assert!(long_files(&[file("package-lock.json", &text)]).is_empty());
    }

    #[test]
    fn architecture_must_exist_and_be_short() {
        assert_eq!(long_architecture(&[]).len(), 1);
        assert_eq!(
            long_architecture(&[file(
                "ARCHITECTURE.md",
                &"line\n".repeat(MAX_ARCHITECTURE_LINES + 1)
            )])
            .len(),
            1
        );
        assert!(
            long_architecture(&[file(
                "ARCHITECTURE.md",
                &"line\n".repeat(MAX_ARCHITECTURE_LINES)
            )])
            .is_empty()
        );
    }

    #[test]
    fn wall_clock_is_a_breach_in_workers_only() {
        let text = "fn f() {\n    let now = SystemTime::now();\n}\n";
        let found = wall_clocks(&[
            file("crates/clawless-core/src/time.rs", text),
            file("workers/gateway/benches/turns.rs", text),
            file("xtask/src/main.rs", text),
        ]);
        assert_eq!(
            found,
            ["crates/clawless-core/src/time.rs:2: SystemTime::now panics in a Worker"]
        );
    }

    #[test]
    fn folders_of_worker_code_exist() {
        let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        for folder in IN_WORKERS {
            assert!(root.join(folder).is_dir(), "{folder}");
        }
    }

    #[test]
    fn unfinished_work_is_a_breach() {
        for marker in UNFINISHED {
            assert_eq!(
                unfinished(&[file("a.rs", &format!("// {marker}"))]).len(),
                1,
                "{marker}"
            );
        }
    }
}
