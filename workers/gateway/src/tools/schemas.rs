//! Checks the names of the tools, which other crates read, and the schemas of their arguments.
//! schemars derives them from the types; they are files, because schemars would make the gateway's
//! bundle 24 KB larger. To write them:
//!
//! ```sh
//! CLAWLESS_WRITE_SCHEMAS=1 cargo test -p clawless-gateway --lib tools::schemas
//! ```

use std::{env, fs};

use super::registry::{TOOLS, derived_schemas};

/// Compares a text with a file, or writes the file.
fn check_file(file: &str, text: &str) {
    if env::var_os("CLAWLESS_WRITE_SCHEMAS").is_some() {
        fs::write(file, text).expect("written");
    }
    assert_eq!(fs::read_to_string(file).expect("a file"), text, "{file}");
}

#[test]
fn every_tool_except_the_test_tool_can_be_enabled() {
    let names = TOOLS.iter().map(|entry| entry.name);
    let names = names.filter(|name| *name != "misbehave");
    let names: String = names.flat_map(|name| [name, "\n"]).collect();
    let root = env!("CARGO_MANIFEST_DIR");
    check_file(
        &format!("{root}/../../crates/clawless-core/data/tools.txt"),
        &names,
    );
}

#[test]
fn every_schema_matches_the_type_of_the_arguments() {
    for (module, mut schema) in derived_schemas() {
        // The dialect and the names of types are of no use to a model.
        for member in ["$schema", "title", "description"] {
            schema.remove(member);
        }
        let derived = serde_json::to_string(&schema).expect("JSON") + "\n";
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tools");
        let file = format!("{folder}/{module}.schema.json");
        check_file(&file, &derived);
    }
}
