//! The checks of the fuzz targets are in the tests that also replay what the targets found.

#[path = "../../crates/clawless-api/tests/common/chat.rs"]
pub mod chat;
#[path = "../../crates/clawless-llm/tests/common/decoding.rs"]
pub mod decoding;
#[path = "../../crates/clawless-api/tests/common/messages.rs"]
pub mod messages;
#[path = "../../crates/clawless-api/tests/common/responses.rs"]
pub mod responses;
