//! Embeds the widget's files: the released versions in `widget/releases/`, and the one that
//! `cargo xtask build` has built into `build/widget/cdn/`. A version that is released is never replaced. Embeds
//! the widget's themes for the configurator, and the API's reference too.

#[path = "../compress.rs"]
mod compress;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    compress::main()?;
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let mut files = BTreeMap::new();
    for (folder, is_released) in [("build/widget/cdn", false), ("widget/releases", true)] {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        // A clean checkout has neither before its first build.
        if let Ok(versions) = fs::read_dir(&folder) {
            for version in versions {
                let version = version?.path();
                // Beside the versions is the record of their hashes.
                if !version.is_dir() {
                    continue;
                }
                let name = version.file_name().unwrap_or_default().to_string_lossy();
                let name = name.into_owned();
                files.retain(|path: &String, _| !path.starts_with(&format!("{name}/")));
                collect(&version, &name, is_released, &mut files)?;
            }
        }
    }
    let theme = root.join("build/widget/theme.js");
    println!("cargo::rerun-if-changed={}", theme.display());
    let theme = fs::read_to_string(theme).unwrap_or_default();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("theme.js"), theme)?;
    let mut table = "&[\n".to_owned();
    for (name, (path, is_released)) in files {
        println!("cargo::rerun-if-changed={}", path.display());
        let path = path.canonicalize()?;
        let path = path.to_str().ok_or("a path that is not UTF-8")?;
        writeln!(
            table,
            "    ({name:?}, {is_released}, include_bytes!({path:?})),"
        )?;
    }
    table.push(']');
    fs::write(out.join("files.rs"), table)?;
    Ok(())
}

/// Adds the files of a folder, under `name/…`.
fn collect(
    folder: &Path,
    name: &str,
    is_released: bool,
    files: &mut BTreeMap<String, (PathBuf, bool)>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{name}/{file}");
        if path.is_dir() {
            collect(&path, &name, is_released, files)?;
        } else {
            files.insert(name, (path, is_released));
        }
    }
    Ok(())
}
