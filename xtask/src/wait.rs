//! Polling with a timeout.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Polls until `condition` holds. Returns whether it did so before the timeout.
pub(crate) fn until(timeout: Duration, condition: impl FnMut() -> bool) -> bool {
    let mut condition = condition;
    matches!(
        try_until(timeout, || Ok::<_, std::convert::Infallible>(condition())),
        Ok(true)
    )
}

/// Polls until `condition` holds or fails. Returns whether it held before the timeout.
pub(crate) fn try_until<E>(
    timeout: Duration,
    mut condition: impl FnMut() -> Result<bool, E>,
) -> Result<bool, E> {
    const INTERVAL: Duration = Duration::from_millis(50);
    let deadline = Instant::now() + timeout;
    while !condition()? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        thread::sleep(INTERVAL);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_ends_with_the_condition_an_error_or_the_timeout() {
        let mut polls = 0;
        assert!(until(Duration::from_mins(1), || {
            polls += 1;
            polls == 2
        }));
        assert!(!until(Duration::from_millis(1), || false));
        assert_eq!(
            try_until(Duration::from_mins(1), || Err("crashed")),
            Err("crashed")
        );
    }
}
