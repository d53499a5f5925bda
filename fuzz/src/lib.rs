//! What the fuzz targets check stands with the tests that replay what they found.

#[path = "../../crates/clawless-llm/tests/common/decoding.rs"]
pub mod decoding;
#[path = "../../crates/clawless-api/tests/common/messages.rs"]
pub mod messages;
#[path = "../../crates/clawless-api/tests/common/responses.rs"]
pub mod responses;
