//! Spans of time as people write them: `90s`, `15m`, `12h`, `30d`.

use std::str::FromStr;

/// A span in whole seconds.
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
            .ok_or_else(|| "a number and s, m, h or d, as 30d".to_owned())
    }
}

/// The moment after so many seconds from now, in seconds since 1970.
pub(crate) fn end_after(seconds: u64) -> u64 {
    let now = chrono::Utc::now().timestamp().unsigned_abs();
    now.saturating_add(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        assert_eq!("0s".parse(), Ok(Span(0)));
        assert_eq!("30d".parse(), Ok(Span(2_592_000)));
        for other in ["", "5", "d", "-1d", "1.5h", "1w", "99999999999999999999d"] {
            assert!(other.parse::<Span>().is_err(), "{other}");
        }
    }
}
