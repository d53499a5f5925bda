//! How long a provider wants us to wait.

use clawless_core::{Millis, Timestamp};

use crate::ports::Headers;

/// The longest wait that is believed: a day. What is longer is a mistake or an attack.
const MAX_RETRY_AFTER: Millis = Millis::from_secs(86_400);

/// Reads `retry-after-ms` (milliseconds) or, where there is none, `retry-after` (seconds, with or
/// without a fraction, or an HTTP date).
pub(crate) fn parse(headers: &Headers, now: Timestamp) -> Option<Millis> {
    let exact = headers.get("retry-after-ms");
    let coarse = headers.get("retry-after");
    let wait = exact
        .and_then(|text| parse_number(text, 1.0))
        .or_else(|| parse_number(coarse?, 1000.0))
        .or_else(|| Some(parse_date(coarse?.trim())?.since(now)))?;
    Some(wait.min(MAX_RETRY_AFTER))
}

/// A number of units of `millis` milliseconds each.
fn parse_number(text: &str, millis: f64) -> Option<Millis> {
    let number: f64 = text.trim().parse().ok()?;
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite and not negative, and the cast saturates"
    )]
    Some(Millis::new((number * millis).ceil() as u64))
}

fn parse_date(text: &str) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(
        u64::try_from(since.as_millis()).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_nonsense_is_not() {
        // 1994-11-06T08:49:37Z, the example of RFC 9110.
        let now = Timestamp::from_millis(784_111_777_000 - 2500);
        let cases = [
            ("retry-after", "7", Some(7000)),
            ("retry-after", " 0 ", Some(0)),
            ("retry-after", "1.5", Some(1500)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", Some(2500)),
            ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("retry-after", "1e300", Some(86_400_000)),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after", "soon", None),
            ("retry-after-ms", "1250", Some(1250)),
            ("x-other", "7", None),
        ];
        for (name, value, expected) in cases {
            let headers: Headers = [(name, value)].into_iter().collect();
            let expected = expected.map(Millis::new);
            assert_eq!(parse(&headers, now), expected, "{name}: {value}");
        }
        let both: Headers = [("retry-after", "9"), ("retry-after-ms", "20")]
            .into_iter()
            .collect();
        assert_eq!(parse(&both, now), Some(Millis::new(20)));
    }
}
