//! Model clients. Each provider's wire is a sans-IO [`protocol::Protocol`]: a request is encoded
//! into bytes, and bytes are decoded into [`clawless_core::llm::LlmEvent`]s. One async driver,
//! [`client::LlmClient`], carries them over the [`ports::Http`] port and keeps the time.

pub mod accumulate;
pub mod anthropic;
pub mod call;
mod call_id;
mod choice;
pub mod client;
pub mod egress;
pub mod error;
pub mod factory;
mod failure;
mod legacy_functions;
mod members;
pub mod openai;
mod plausible;
pub mod ports;
pub mod protocol;
mod retry_after;
mod secret;
pub mod sse;
pub mod stream;
pub mod tokens;
mod tolerant;
pub mod vocabulary;
pub mod window;
pub mod workers_ai;

pub use accumulate::{Accumulator, replay};
pub use call::{Answered, ChainCall, Failed, Target};
pub use client::{Io, LlmClient, Timeouts};
pub use error::LlmError;
pub use factory::{ConfigError, make_client};
pub use ports::{Headers, Http, HttpError, HttpRequest, HttpResponse, Method};
pub use stream::AnswerStream;
