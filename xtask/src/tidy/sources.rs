//! What can be read off the text of a file.

use super::SourceFile;

/// The most lines that a file of code has.
const MAX_LINES: usize = 600;

/// The most lines of ARCHITECTURE.md.
const MAX_ARCHITECTURE_LINES: usize = 150;

/// Endings of files that people write and read as code.
const CODE: [&str; 8] = ["rs", "ts", "js", "mjs", "py", "sql", "css", "html"];

/// Folders of the code that runs inside a Worker.
const IN_WORKERS: [&str; 6] = [
    "crates/clawless-core/src/",
    "crates/clawless-llm/src/",
    "crates/clawless-store/src/",
    "crates/clawless-edge/src/",
    "workers/",
    "widget/",
];

/// Programs there that time the Workers' code from outside.
const NATIVE: &str = "/benches/";

/// Calls that panic in a Worker.
const CLOCKS: [&str; 4] = [
    "SystemTime::now",
    "Instant::now",
    "thread::sleep",
    "thread::spawn",
];

/// Signs of work that was left for later. They are put together here, so that this file has none.
const UNDONE: [&str; 3] = [
    concat!("todo", "!("),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
];

fn is_code(file: &SourceFile) -> bool {
    CODE.iter().any(|extension| file.is(extension))
}

/// Files of code that have grown too long.
pub(super) fn long_files(files: &[SourceFile]) -> Vec<String> {
    let long = |file: &&SourceFile| is_code(file) && file.text.lines().count() > MAX_LINES;
    let describe = |file: &SourceFile| {
        format!(
            "{} has {} lines: {MAX_LINES} is the most, split it by what it does",
            file.path,
            file.text.lines().count()
        )
    };
    files.iter().filter(long).map(describe).collect()
}

/// Whether ARCHITECTURE.md is there and short.
pub(super) fn long_architecture(files: &[SourceFile]) -> Vec<String> {
    let Some(file) = files.iter().find(|file| file.path == "ARCHITECTURE.md") else {
        return vec!["ARCHITECTURE.md is missing".to_owned()];
    };
    let lines = file.text.lines().count();
    if lines > MAX_ARCHITECTURE_LINES {
        return vec![format!(
            "ARCHITECTURE.md has {lines} lines: {MAX_ARCHITECTURE_LINES} is the most"
        )];
    }
    Vec::new()
}

/// Calls of the wall clock and of threads in code that runs inside a Worker.
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
        .flat_map(|file| matches(file, &CLOCKS, is_no_comment, "panics in a Worker"))
        .collect()
}

/// Work that was left for later.
pub(super) fn undone(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| is_code(file))
        .flat_map(|file| matches(file, &UNDONE, |_| true, "is work left undone"))
        .collect()
}

/// What is said about a call is not the call.
fn is_no_comment(line: &str) -> bool {
    !line.trim_start().starts_with("//")
}

fn matches(
    file: &SourceFile,
    needles: &[&str],
    counts: fn(&str) -> bool,
    why: &str,
) -> Vec<String> {
    let lines = file
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| counts(line));
    lines
        .flat_map(|(number, line)| {
            let found = needles.iter().filter(move |needle| line.contains(**needle));
            found.map(move |needle| format!("{}:{}: {needle} {why}", file.path, number + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::file, *};

    #[test]
    fn long_file_of_code_is_a_breach_and_long_data_is_none() {
        let text = "line\n".repeat(MAX_LINES + 1);
        assert_eq!(long_files(&[file("crates/a/src/lib.rs", &text)]).len(), 1);
        assert!(long_files(&[file("package-lock.json", &text)]).is_empty());
    }

    #[test]
    fn architecture_must_exist_and_be_short() {
        assert_eq!(long_architecture(&[]).len(), 1);
        assert_eq!(
            long_architecture(&[file("ARCHITECTURE.md", &"line\n".repeat(151))]).len(),
            1
        );
        assert!(long_architecture(&[file("ARCHITECTURE.md", &"line\n".repeat(150))]).is_empty());
    }

    #[test]
    fn wall_clock_is_a_breach_only_inside_workers() {
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
    fn work_left_for_later_is_a_breach() {
        for sign in UNDONE {
            assert_eq!(
                undone(&[file("a.rs", &format!("// {sign}"))]).len(),
                1,
                "{sign}"
            );
        }
    }
}
