//! The chat surface, `OpenAI`'s chat completions: parses requests, writes responses and stream events.

mod activity;
mod chunk;
mod extensions;
mod request;
mod response;
mod unparsed_json;

pub use activity::ToolActivity;
pub use chunk::ChunkWriter;
pub use request::parse;
pub use response::ChatCompletionResponse;
