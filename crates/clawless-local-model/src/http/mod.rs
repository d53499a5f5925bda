//! `OpenAI`'s API: parses requests and relays answers.

mod chunks;
mod fields;
mod messages;
mod reply;
mod request;
mod routes;
mod tools;

pub(crate) use routes::{App, router, unix_seconds};
