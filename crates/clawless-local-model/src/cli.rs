//! The command line.

use clap::{Args, Parser, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;

/// A small OpenAI-compatible server for one quantised model on this machine.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a GGUF file and answer `/v1/chat/completions` until SIGTERM or SIGINT.
    Serve(ServeOptions),
    /// Rewrite a GGUF file once so that it decodes faster: `Q5_0` and `Q4_1` tensors become `Q8_0`.
    Prepare(PrepareOptions),
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// The GGUF file (architectures: qwen2, llama).
    #[arg(long)]
    pub(crate) model: PathBuf,
    /// The TCP port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The address to listen on. There is no authentication: keep it on loopback.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The model's name on the wire; the file's stem without it.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// How many requests may wait while one decodes; the next one gets a 429.
    #[arg(long, default_value_t = 8)]
    pub(crate) queue: usize,
    /// Most tokens of prompt and answer together; the model's own window may be smaller.
    #[arg(long, default_value_t = 8192, value_parser = clap::value_parser!(u32).range(64..))]
    pub(crate) context: u32,
    /// Threads that compute; without it, see `docs/local-model.md`.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct PrepareOptions {
    /// The file as it was published.
    pub(crate) input: PathBuf,
    /// Where the faster file goes; it appears only when it is complete.
    pub(crate) output: PathBuf,
}
