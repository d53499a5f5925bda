//! Build script of the Workers that serve a description of their API: compresses it and its reference
//! page, so that they are stored and sent in their small form.

use std::path::Path;
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};

/// The files, as `cargo xtask openapi` names them.
const FILES: [&str; 2] = ["openapi.json", "reference.html"];

/// Compresses the files into the folder of the build.
pub(crate) fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=../compress.rs");
    let variable = |name: &str| env::var(name).map_err(io::Error::other);
    let prefix = match variable("CARGO_PKG_NAME")?.as_str() {
        "clawless-admin" => "admin-",
        _ => "",
    };
    // The program that writes the files links the Workers with this feature, and serves nothing.
    let is_writer = env::var_os("CARGO_FEATURE_SCHEMA").is_some();
    let output = variable("OUT_DIR")?;
    for file in FILES {
        let source = format!("../../docs/api/{prefix}{file}");
        let text = if is_writer {
            Vec::new()
        } else {
            println!("cargo::rerun-if-changed={source}");
            fs::read(&source)?
        };
        let target = fs::File::create(Path::new(&output).join(format!("{file}.gz")))?;
        // Without a time or a name, equal files are compressed equally.
        let mut encoder = GzBuilder::new().write(target, Compression::best());
        io::copy(&mut text.as_slice(), &mut encoder)?;
        encoder.finish()?;
    }
    Ok(())
}
