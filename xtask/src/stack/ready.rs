//! Ports, and whether something answers on them.

use std::{
    net::{Ipv4Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often a server that is starting is asked.
const INTERVAL: Duration = Duration::from_millis(150);

/// Takes the port that was asked for, else 8787; 0 stands for any that is free.
pub(crate) fn free_port(wanted: Option<u16>) -> Result<u16> {
    const DEFAULT: u16 = 8787;
    let port = wanted.unwrap_or(DEFAULT);
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => Ok(listener
            .local_addr()
            .context("a port without a number")?
            .port()),
        Err(_) => bail!(
            "port {port} is taken: stop what listens there, or choose another with `--port N` (0: any that is free)"
        ),
    }
}

/// The status that a GET of `address` gets, if any.
pub(crate) fn status_of(address: &str) -> Option<u16> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(10)))
        .http_status_as_error(false)
        .build()
        .into();
    agent
        .get(address)
        .call()
        .ok()
        .map(|answer| answer.status().as_u16())
}

/// Waits until `is_ready`; `check` may give up earlier.
pub(crate) fn wait(
    limit: Duration,
    mut is_ready: impl FnMut() -> bool,
    mut check: impl FnMut() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !is_ready() {
        check()?;
        if Instant::now() >= deadline {
            bail!("not ready after {} seconds", limit.as_secs());
        }
        thread::sleep(INTERVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_port_is_one_line_that_says_what_to_do() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = free_port(Some(port)).unwrap_err().to_string();
        assert!(
            error.contains(&port.to_string()) && error.contains("--port"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }

    #[test]
    fn waiting_ends_when_the_check_fails() {
        let outcome = wait(Duration::from_mins(1), || false, || bail!("it crashed"));
        assert_eq!(outcome.unwrap_err().to_string(), "it crashed");
    }
}
