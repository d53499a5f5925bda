//! The schemas of the tools' arguments: derived from their types by schemars, and kept as files,
//! because schemars would make the gateway's bundle 24 KB larger. To write them anew:
//!
//! ```sh
//! CLAWLESS_WRITE_SCHEMAS=1 cargo test -p clawless-gateway --lib tools::schemas
//! ```

use std::{env, fs};

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
        if env::var_os("CLAWLESS_WRITE_SCHEMAS").is_some() {
            fs::write(&file, &derived).expect("written");
        }
        assert_eq!(
            fs::read_to_string(&file).expect("a file"),
            derived,
            "{file}"
        );
    }
}
