//! Durations on the command line: `90s`, `15m`, `12h`, `30d`.

use std::str::FromStr;

/// A duration in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u64);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
        let seconds = units.into_iter().find_map(|(unit, seconds)| {
            let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
            count.checked_mul(seconds)
        });
        seconds
            .map(Self)
            .ok_or_else(|| "expected a number and s, m, h or d, such as 30d".to_owned())
    }
}

/// The Unix time, in seconds, `seconds` from now.
pub(crate) fn timestamp_after(seconds: u64) -> u64 {
    now().saturating_add(seconds)
}

/// The Unix time, in seconds, `seconds` ago.
pub(crate) fn timestamp_before(seconds: u64) -> u64 {
    now().saturating_sub(seconds)
}

fn now() -> u64 {
    chrono::Utc::now().timestamp().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!("0s".parse(), Ok(Span(0)));
        assert_eq!("30d".parse(), Ok(Span(2_592_000)));
        for other in ["", "5", "d", "-1d", "1.5h", "1w", "99999999999999999999d"] {
            assert!(other.parse::<Span>().is_err(), "{other}");
        }
    }
}
