//! Model clients. Each wire is a sans-IO [`protocol::Protocol`] that encodes requests and decodes
//! responses into [`clawless_core::llm::LlmEvent`]s. A [`profile::Profile`] describes how one
//! provider differs from the others of its wire. One async driver, [`client::LlmClient`], performs
//! the I/O through the [`ports::Http`] port and applies timeouts.

pub mod accumulate;
pub mod anthropic;
mod betas;
mod body_form;
mod cache_writes;
pub mod call;
mod call_id;
mod call_id_map;
mod chat_form;
mod choice;
pub mod client;
pub mod egress;
pub mod error;
pub mod factory;
mod failure;
mod legacy_functions;
mod media;
pub mod openai;
mod options;
mod origin;
pub mod plausible;
pub mod ports;
pub mod profile;
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
pub use call::{Answered, CallError, ChainCall, Failed, Target};
pub use client::{Io, LlmClient, Timeouts};
pub use error::LlmError;
pub use factory::{ConfigError, make_client};
pub use ports::{Headers, Http, HttpError, HttpRequest, HttpResponse, Method};
pub use stream::AnswerStream;
