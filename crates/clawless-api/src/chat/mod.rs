//! The chat surface, `OpenAI`'s chat completions: parses requests, writes responses and stream events.

mod chunk;
pub(crate) mod extensions;
mod rendering;
mod request;
mod response;
pub(crate) mod unparsed_json;

pub use chunk::{ChatChunk, ChunkWriter, KEEP_ALIVE, failure_event};
pub use rendering::ChatRendering;
pub use request::{ChatRequest, parse};
pub use response::ChatCompletionResponse;
