//! The command line of `dev`.

use std::path::PathBuf;

use clap::Args;

/// The text of `--help` after the options.
const AFTER_HELP: &str = "\
Ctrl-C stops the stack; after --detach, `cargo xtask down` does.

While the stack runs, changes to crates/, workers/, wrangler/, migrations/ and the root's Cargo files are
built and deployed to it. After a failed build the previous version keeps running.

Stored data and keys survive a restart; --fresh deletes them.

Programs find the stack in .clawless/dev.json (or DIR/dev.json), which exists while the stack is ready:
base_url, admin_url, admin_token, secret_key, public_key, demo_url, model, pids. Logs are in .clawless/logs/.

Environment:
  CLAWLESS_LOCAL_MODEL   a file with the local model's weights, instead of a download
  CLAWLESS_TEST_MODEL    the same for --model small
  CLAWLESS_UPSTREAM_KEY  same as --upstream-key, but not in the shell's history
  CLAWLESS_CACHE         the folder of tools and models, shared by all checkouts [default: ~/.cache/clawless]

See also docs/deployment.md.";

/// Arguments of `dev`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command line"
)]
pub(crate) struct Arguments {
    /// Delete stored data and the demo keys first
    #[arg(long)]
    pub(super) fresh: bool,
    /// Return when the stack is ready; `cargo xtask down` stops it
    #[arg(long)]
    pub(super) detach: bool,
    /// Print no keys and no examples; programs find them in dev.json
    #[arg(long)]
    pub(super) quiet: bool,
    /// Send all model traffic to this OpenAI-compatible server and start no local model
    #[arg(long, value_name = "URL")]
    pub(super) upstream: Option<String>,
    /// API key of that server
    #[arg(
        long,
        value_name = "KEY",
        requires = "upstream",
        env = "CLAWLESS_UPSTREAM_KEY",
        hide_env_values = true
    )]
    pub(super) upstream_key: Option<String>,
    /// Port of the gateway; 0 selects any free port [default: 8787]
    #[arg(long, value_name = "N")]
    pub(super) port: Option<u16>,
    /// Run the release build
    #[arg(long)]
    pub(super) release: bool,
    /// State folder; stacks with different folders can run at the same time [default: .clawless]
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Open workerd's inspector, for a debugger, on this port of the loopback interface. Through it every program
    /// of this machine can read the stack's secrets
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "9229")]
    pub(super) inspect: Option<u16>,
    /// Local model
    #[arg(long, value_enum, default_value_t = ModelChoice::Default, conflicts_with = "upstream")]
    pub(super) model: ModelChoice,
    /// Run as the background process of a detached start.
    #[arg(long, hide = true)]
    pub(super) supervise: bool,
}

/// The local models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ModelChoice {
    /// Qwen2.5-Coder-0.5B-Instruct
    Default,
    /// SmolLM2-135M-Instruct: fast, low quality
    Small,
}

impl Arguments {
    /// The command that stops the stack.
    pub(super) fn down_command(&self) -> String {
        match &self.state {
            Some(folder) => format!("cargo xtask down --state {}", folder.display()),
            None => "cargo xtask down".to_owned(),
        }
    }

    /// The message that tells how to stop the stack.
    pub(super) fn how_to_stop(&self) -> String {
        if self.detach {
            format!("Stop it with `{}`.", self.down_command())
        } else {
            "Ctrl-C stops it.".to_owned()
        }
    }
}
