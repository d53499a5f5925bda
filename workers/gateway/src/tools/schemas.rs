//! The names of the tools, for whoever checks a configuration, and the schemas of their arguments:
//! derived from their types by schemars, and kept as files, because schemars would make the
//! gateway's bundle 24 KB larger. To write them anew:
//!
//! ```sh
//! CLAWLESS_WRITE_SCHEMAS=1 cargo test -p clawless-gateway --lib tools::schemas
//! ```

use std::{env, fs};

/// Compares a text with a file's, or writes the file.
fn stands_in(file: &str, text: &str) {
    if env::var_os("CLAWLESS_WRITE_SCHEMAS").is_some() {
        fs::write(file, text).expect("written");
    }
    assert_eq!(fs::read_to_string(file).expect("a file"), text, "{file}");
}

#[test]
fn every_tool_but_that_of_the_tests_can_be_switched_on() {
    let names = super::TOOLS.iter().map(|entry| entry.name);
    let names = names.filter(|name| *name != "misbehave");
    let names: String = names.flat_map(|name| [name, "\n"]).collect();
    let root = env!("CARGO_MANIFEST_DIR");
    stands_in(
        &format!("{root}/../../crates/clawless-core/data/tools.txt"),
        &names,
    );
}

#[test]
fn every_schema_is_that_of_the_tools_arguments() {
    for (module, mut schema) in super::derived() {
        // What the dialect and the type are called is of no use to a model.
        for member in ["$schema", "title", "description"] {
            schema.remove(member);
        }
        let derived = serde_json::to_string(&schema).expect("JSON") + "\n";
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tools");
        let file = format!("{folder}/{module}.schema.json");
        stands_in(&file, &derived);
    }
}
