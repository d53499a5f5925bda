//! Checks the properties for each input in the fuzz corpus (`fuzz/corpus`). `docs/fuzzing.md`
//! describes its origin.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

#[path = "common/decoding.rs"]
mod decoding;

use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let entries = std::fs::read_dir(folder.join(target)).expect("the folder");
    let mut count = 0;
    for entry in entries {
        let path = entry.expect("an entry").path();
        // Printed only if the check fails.
        println!("{}", path.display());
        check(&std::fs::read(path).expect("an input"));
        count += 1;
    }
    assert!(count > 0, "{target} has no inputs");
}

#[test]
fn events_do_not_depend_on_chunk_boundaries() {
    replay("sse", decoding::check_sse);
}

#[test]
fn openai_input_results_in_a_response_or_an_error() {
    replay("openai", decoding::check_openai);
}

#[test]
fn anthropic_input_results_in_a_response_or_an_error() {
    replay("anthropic", decoding::check_anthropic);
}

#[test]
fn platform_input_results_in_a_response_or_an_error() {
    replay("workers_ai", decoding::check_workers_ai);
}
