//! Lists the migrations and the objects that each of them creates, for the health check.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("../../migrations");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "sql") {
            files.push(path);
        }
    }
    files.sort();
    let mut list = "&[\n".to_owned();
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let objects = objects(&fs::read_to_string(&file)?);
        if objects.is_empty() {
            let why = "creates no table, index, trigger or column that a health check could find";
            return Err(format!("migrations/{name} {why}").into());
        }
        writeln!(
            list,
            "    Migration {{ name: {name:?}, objects: &{objects:?} }},"
        )?;
    }
    list.push(']');
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("migrations.rs"), list)?;
    Ok(())
}

/// The names of the created tables, indexes and triggers, and the added columns as `table.column`.
fn objects(sql: &str) -> Vec<String> {
    let lines = sql.lines().map(|line| line.split("--").next());
    let code = lines.flatten().collect::<Vec<_>>().join(" ");
    let statements = code.split(';').map(|statement| {
        let words = statement
            .split_whitespace()
            .filter(|word| !["IF", "NOT", "EXISTS", "UNIQUE", "COLUMN"].contains(word));
        words.take(5).collect::<Vec<_>>()
    });
    let created = statements.filter_map(|words| match words.as_slice() {
        ["CREATE", "TABLE" | "INDEX" | "TRIGGER", name, ..] => Some((*name).to_owned()),
        ["ALTER", "TABLE", table, "ADD", column] => Some(format!("{table}.{column}")),
        _ => None,
    });
    created.collect()
}
