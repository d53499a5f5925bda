//! Sets the number of compute threads and how they wait for each other.
//!
//! candle reads both from the environment before its first product, and changing the environment of
//! the running process is not safe in Rust. So the process replaces itself once (`exec`: same process
//! id, same streams) with the variables set. Variables that are set already are left alone.

use crate::error::Failure;
use std::process::Command;

const THREADS: [&str; 2] = ["CANDLE_NUM_THREADS", "RAYON_NUM_THREADS"];
const SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

/// Turns of the waiting loop before a thread sleeps. candle's default of 25,000 keeps a core busy
/// that others need.
const FEW_SPINS: &str = "200";

/// More threads than this wait for memory, not for each other.
const MAX_THREADS: usize = 8;

/// Returns at once if the environment is complete. Otherwise restarts the process, and returns only if
/// that fails.
pub(crate) fn settle(wanted: Option<u16>) -> Result<(), Failure> {
    if std::env::var_os(SPINS).is_some() {
        return Ok(());
    }
    let threads = wanted.map_or_else(default_threads, usize::from);
    let mut again = Command::new(std::env::current_exe()?);
    again
        .args(std::env::args_os().skip(1))
        .env(SPINS, FEW_SPINS);
    for name in THREADS {
        if wanted.is_some() || std::env::var_os(name).is_none() {
            again.env(name, threads.to_string());
        }
    }
    replace(again)
}

/// All cores but one: the threads wait for each other at every product, so one that has to share its
/// core with another process slows down all.
fn default_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.saturating_sub(1).clamp(1, MAX_THREADS)
}

#[cfg(unix)]
fn replace(mut again: Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;
    Err(again.exec().into())
}

#[cfg(not(unix))]
fn replace(_again: Command) -> Result<(), Failure> {
    eprintln!("threads: set CANDLE_NUM_THREADS yourself on this system");
    Ok(())
}
