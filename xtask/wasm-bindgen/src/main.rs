//! The `wasm-bindgen` command for worker-build, with the library version of the lockfile.
//!
//! The published tool is installed separately and rejects modules of another version of the library that
//! the Workers link. Built here, both always have the same version.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;
use wasm_bindgen_cli_support::Bindgen;

/// Generates the JavaScript bindings of a Worker's wasm module.
#[derive(Debug, Parser)]
#[command(name = "wasm-bindgen", version = BINDGEN_VERSION)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the options of the published tool"
)]
struct Arguments {
    /// The module that Cargo built.
    input: PathBuf,
    /// The folder that the bindings and the module are written to.
    #[arg(long)]
    out_dir: PathBuf,
    /// The stem of the files' names.
    #[arg(long)]
    out_name: Option<String>,
    /// The kind of JavaScript module: `module` (source phase import) or `bundler`.
    #[arg(long, default_value = "module")]
    target: String,
    /// Write no TypeScript declarations.
    #[arg(long)]
    no_typescript: bool,
    /// Write TypeScript declarations (the default).
    #[arg(long, conflicts_with = "no_typescript")]
    typescript: bool,
    /// Add assertions to the generated JavaScript.
    #[arg(long)]
    debug: bool,
    /// Keep Rust's mangled symbol names.
    #[arg(long)]
    no_demangle: bool,
    /// Keep debug sections.
    #[arg(long)]
    keep_debug: bool,
    /// Leave out the default path of the module.
    #[arg(long)]
    omit_default_module_path: bool,
    /// Write linked modules to separate files.
    #[arg(long)]
    split_linked_modules: bool,
    /// Export a function that resets the instance; the Workers shim calls it after a panic.
    #[arg(long)]
    experimental_reset_state_function: bool,
    /// Mark the instance as dead when it aborts.
    #[arg(long)]
    force_enable_abort_handler: bool,
}

/// The version of `wasm-bindgen-cli-support` named in this crate's manifest.
const BINDGEN_VERSION: &str = "0.2.130";

/// Set for releases: function names are a fifth of a module, and panics report file and line without
/// them. A variable, because worker-build passes no additional options.
const STRIP_NAMES: &str = "CLAWLESS_STRIP_NAMES";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut bindgen = Bindgen::new();
    match arguments.target.as_str() {
        "module" => bindgen.module(true)?,
        "bundler" => bindgen.bundler(true)?,
        other => bail!("unsupported target {other}: use module or bundler"),
    };
    if let Some(name) = &arguments.out_name {
        bindgen.out_name(name);
    }
    bindgen
        .input_path(&arguments.input)
        .typescript(!arguments.no_typescript)
        .debug(arguments.debug)
        .demangle(!arguments.no_demangle)
        .keep_debug(arguments.keep_debug)
        .remove_name_section(std::env::var_os(STRIP_NAMES).is_some())
        .omit_default_module_path(arguments.omit_default_module_path)
        .split_linked_modules(arguments.split_linked_modules)
        .reset_state_function(arguments.experimental_reset_state_function)
        .force_enable_abort_handler(arguments.force_enable_abort_handler);
    bindgen
        .generate(&arguments.out_dir)
        .with_context(|| format!("can't generate bindings for {}", arguments.input.display()))
}
