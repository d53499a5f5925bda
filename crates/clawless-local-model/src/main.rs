//! `clawless-local-model`: a small OpenAI-compatible server for one quantised model on this machine.
//!
//! The path of a request: `http` parses and checks it, `chat` turns it into a prompt, `queue` gives it a
//! place or refuses it, `engine` decodes it on a thread of its own with `model`, `text` turns tokens into
//! text, and `http` relays that as it comes. One request decodes at a time.
#![allow(
    clippy::disallowed_methods,
    reason = "a native process: the clock ban is for Worker code, where the wall clock panics"
)]

mod chat;
mod cli;
mod engine;
mod error;
mod event;
mod generate;
mod http;
mod model;
mod prepare;
mod queue;
mod sampling;
mod serve;
mod text;
mod threads;
mod work;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().command {
        cli::Command::Serve(options) => serve::run(&options),
        cli::Command::Prepare(options) => prepare::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clawless-local-model: {error}");
            ExitCode::FAILURE
        }
    }
}
