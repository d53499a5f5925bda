//! The chat surface: `OpenAI`'s chat completions. Parses requests, writes responses and stream events.

mod activity;
mod carried;
mod chunk;
mod extensions;
mod request;
mod response;

pub use activity::ToolActivity;
pub use chunk::ChunkWriter;
pub use request::parse;
pub use response::ChatCompletionResponse;
