//! Every Rust file is as rustfmt writes it, also those that `cargo fmt` does not find: modules that a
//! macro declares, and modules of other crates that a `path` attribute includes.

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result};

use super::source_file::SourceFile;

/// Files that rustfmt would change, and files that it can't parse.
pub(super) fn changed(files: &[SourceFile]) -> Result<Vec<String>> {
    let files: Vec<&SourceFile> = files.iter().filter(|file| file.is("rs")).collect();
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    let parts = files.chunks(files.len().div_ceil(at_once).max(1));
    let found: Vec<Result<Vec<String>>> = thread::scope(|scope| {
        let check = |part: &[&SourceFile]| {
            part.iter()
                .filter_map(|file| breach(file).transpose())
                .collect()
        };
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || check(part))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| Ok(Vec::new())))
            .collect()
    });
    found
        .into_iter()
        .collect::<Result<Vec<_>>>()
        .map(|parts| parts.concat())
}

fn breach(file: &SourceFile) -> Result<Option<String>> {
    let formatted = format(&file.text)?;
    Ok(match formatted {
        None => Some(format!("{} can't be parsed", file.path)),
        Some(formatted) if formatted != file.text => {
            let line = formatted
                .lines()
                .zip(file.text.lines())
                .take_while(|(formatted, line)| formatted == line)
                .count();
            Some(format!(
                "{}:{}: run `rustfmt --edition {EDITION} {0}`",
                file.path,
                line + 1
            ))
        }
        Some(_) => None,
    })
}

/// The edition of all crates.
const EDITION: &str = "2024";

/// What rustfmt makes of a text; nothing where it can't parse it. Given a file it would also follow the
/// file's modules; given a text it can't.
fn format(text: &str) -> Result<Option<String>> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", EDITION])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("can't start rustfmt: run `rustup component add rustfmt`")?;
    let mut input = rustfmt.stdin.take().context("rustfmt has no input")?;
    let output = thread::scope(|scope| {
        // It may stop reading where it can't parse the text.
        scope.spawn(move || input.write_all(text.as_bytes()));
        rustfmt.wait_with_output()
    })
    .context("lost rustfmt")?;
    let text = String::from_utf8(output.stdout).context("rustfmt wrote no text")?;
    Ok(output.status.success().then_some(text))
}

#[cfg(test)]
mod tests {
    use super::{super::source_file::file, *};

    #[test]
    fn a_file_that_rustfmt_would_change_is_a_breach() {
        let files = [
            file("a.rs", "mod elsewhere;\n\nfn f() {}\n"),
            file("b.rs", "fn f() {}\nfn  g() {}\n"),
            file("c.rs", "fn ("),
            file("d.md", "fn  g() {}"),
        ];
        let found = changed(&files).unwrap();
        assert_eq!(
            found,
            [
                "b.rs:2: run `rustfmt --edition 2024 b.rs`",
                "c.rs can't be parsed"
            ]
        );
    }
}
