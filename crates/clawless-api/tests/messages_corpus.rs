//! Checks the properties of the messages surface for each input in the fuzz corpus (`fuzz/corpus`) and
//! for random answers. `docs/fuzzing.md` describes the corpus.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code: what is not as expected must stop the test"
)]

#[path = "common/messages.rs"]
mod messages;

use std::path::Path;

use proptest::prelude::*;

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
fn request_is_rejected_or_readable() {
    replay("messages_request", messages::check_request);
}

#[test]
fn answer_is_a_well_formed_stream() {
    replay("messages_events", messages::check_script);
}

proptest! {
    #[test]
    fn any_answer_is_a_well_formed_stream(script in prop::collection::vec(any::<u8>(), 0..64)) {
        messages::check_script(&script);
    }
}
