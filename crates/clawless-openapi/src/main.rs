//! Writes or checks the API's description: `cargo xtask openapi`.

#[cfg(test)]
mod agreement;
mod document;
mod errors;
mod example;
mod headers;
mod page;
mod parameters;
mod samples;
mod schemas;
mod surface;
mod texts;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::surface::Surface;

/// Where the generated files are, below the root of the repository.
const FOLDER: &str = "docs/api";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `write ROOT` writes the files; `check ROOT` fails if one of them differs.
fn run() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [command, root] = arguments.as_slice() else {
        bail!("usage: clawless-openapi write|check ROOT");
    };
    let folder = Path::new(root).join(FOLDER);
    let mut outdated = Vec::new();
    for (name, text) in files(&folder.join("examples"))? {
        let path = folder.join(name);
        match command.as_str() {
            "write" => write(&path, &text)?,
            _ if fs::read_to_string(&path).ok().as_deref() != Some(&*text) => outdated.push(path),
            _ => {}
        }
    }
    if outdated.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = outdated
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    bail!(
        "{} differ from the routes tables: run `cargo xtask openapi`",
        names.join(", ")
    )
}

/// The generated files. `examples` is the folder with the samples.
fn files(examples: &Path) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for surface in [Surface::gateway()?, Surface::admin()?] {
        let mut document = document::build(&surface)?;
        let paths = document.get_mut("paths").into_iter();
        for operation in paths.flat_map(document::operations) {
            samples::add(operation, examples);
        }
        let text = serde_json::to_string_pretty(&document)? + "\n";
        let page = page::render(&document, &surface);
        files.push((format!("{}.json", surface.file), text));
        files.push((format!("{}.html", surface.page), page.html));
        files.push((format!("{}.csp", surface.page), page.policy));
    }
    Ok(files)
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}
