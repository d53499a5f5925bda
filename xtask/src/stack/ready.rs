//! Ports, and whether a server responds on them.

use std::{
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::wait;

/// Timeout of one health check.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The gateway's port unless another is requested.
pub(crate) const DEFAULT_PORT: u16 = 8787;

/// The requested port, by default [`DEFAULT_PORT`]. Port 0 selects any free port.
pub(crate) fn free_port(requested: Option<u16>) -> Result<u16> {
    let port = requested.unwrap_or(DEFAULT_PORT);
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => Ok(listener
            .local_addr()
            .context("a port without a number")?
            .port()),
        Err(_) => bail!(
            "port {port} is in use: stop the program that listens there, or choose another with `--port N` (0: any free port)"
        ),
    }
}

/// The status of a GET of `url`, or none without a response.
pub(crate) fn status_of(url: &str) -> Option<u16> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(REQUEST_TIMEOUT))
        .http_status_as_error(false)
        .build()
        .into();
    let response = agent.get(url).call().ok()?;
    Some(response.status().as_u16())
}

/// Waits until `is_ready`. An error of `check` ends the wait early.
pub(crate) fn wait(
    timeout: Duration,
    mut is_ready: impl FnMut() -> bool,
    mut check: impl FnMut() -> Result<()>,
) -> Result<()> {
    let is_ready = wait::try_until(timeout, || {
        let is_ready = is_ready();
        if !is_ready {
            check()?;
        }
        anyhow::Ok(is_ready)
    })?;
    if !is_ready {
        bail!("not ready after {} seconds", timeout.as_secs());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_a_port_in_use_says_what_to_do() {
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
        let result = wait(Duration::from_mins(1), || false, || bail!("it crashed"));
        assert_eq!(result.unwrap_err().to_string(), "it crashed");
    }
}
