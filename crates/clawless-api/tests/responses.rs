//! Property tests of the Responses surface.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "common/responses.rs"]
mod common;

use proptest::prelude::*;

/// Fragments of request bodies, from which random ones are built.
const FRAGMENTS: [&str; 16] = [
    r#"{"model":"m","input":"#,
    r#""hi"}"#,
    "[",
    "]",
    "}",
    ",",
    r#"{"role":"user","content":"a"}"#,
    r#"{"role":"assistant","content":[{"type":"output_text","text":"b"}]}"#,
    r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#,
    r#"{"type":"function_call_output","call_id":"c","output":"1"}"#,
    r#"{"type":"custom_tool_call","call_id":"c","name":"p","input":"x"}"#,
    r#"{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"hm"}]}"#,
    r#"{"type":"item_reference","id":"msg_1_0"}"#,
    r#","tools":[{"type":"function","name":"f"}]"#,
    r#","text":{"format":{"type":"json_object"}}"#,
    r#","reasoning":{"effort":"low"}"#,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_stream_is_well_formed_however_it_ends(script in prop::collection::vec(any::<u8>(), 0..80)) {
        common::check_writer(&script);
    }

    #[test]
    fn every_body_is_parsed_or_rejected(order in prop::collection::vec(0..16_usize, 0..24)) {
        let body: String = order.iter().map(|&at| FRAGMENTS[at]).collect();
        common::check_parser(body.as_bytes());
    }

    #[test]
    fn every_list_of_items_is_parsed_or_rejected(order in prop::collection::vec(6..13_usize, 0..12)) {
        let items: Vec<_> = order.iter().map(|&at| FRAGMENTS[at]).collect();
        let body = format!(r#"{{"model":"m","input":[{}]}}"#, items.join(","));
        common::check_parser(body.as_bytes());
    }
}
