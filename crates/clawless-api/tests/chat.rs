//! Property tests of the chat surface and of the bodies of conversations and sessions.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "common/chat.rs"]
mod chat;
#[path = "common/responses.rs"]
mod responses;

use proptest::prelude::*;

/// Messages, from which random requests are built.
const MESSAGES: [&str; 9] = [
    r#"{"role":"user","content":"a"}"#,
    r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:x"}}]}"#,
    r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}},{"type":"x"}]}"#,
    r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
    r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"reasoning_content":"hm"}"#,
    r#"{"role":"assistant","content":"b","function_call":{"name":"f","arguments":""}}"#,
    r#"{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"1"}]}"#,
    r#"{"role":"function","name":"f","content":"1"}"#,
    r#"{"role":"wizard","content":"1"}"#,
];

/// Members of the bodies of conversations and sessions.
const SETTINGS: [&str; 8] = [
    r#""metadata":{"a":"b"}"#,
    r#""metadata":{"a":1}"#,
    r#""metadata":null"#,
    r#""items":[]"#,
    r#""title":"t""#,
    r#""system_prompt":"{{date}}""#,
    r#""ttl":60"#,
    r#""tools":["now"]"#,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_list_of_messages_is_parsed_or_rejected(order in prop::collection::vec(0..MESSAGES.len(), 0..8)) {
        let messages: Vec<_> = order.iter().map(|&at| MESSAGES[at]).collect();
        let body = format!(r#"{{"model":"m","messages":[{}],"x":1}}"#, messages.join(","));
        chat::check_parser(body.as_bytes());
    }

    #[test]
    fn every_body_of_settings_is_parsed_or_rejected(order in prop::collection::vec(0..SETTINGS.len(), 0..4)) {
        let members: Vec<_> = order.iter().map(|&at| SETTINGS[at]).collect();
        chat::check_settings(format!("{{{}}}", members.join(",")).as_bytes());
    }

    #[test]
    fn every_stream_is_well_formed_however_it_ends(settings in any::<u8>(), script in prop::collection::vec(any::<u8>(), 0..80)) {
        chat::check_writer(settings, &responses::events_of(&script));
    }
}
