//! Parses a provider's retry delay, from headers or from an error body.

use clawless_core::{Millis, Timestamp};
use serde_json::Value;

use crate::ports::Headers;

/// The maximum plausible delay: one day.
const MAX_RETRY_AFTER: Millis = Millis::from_secs(86_400);

/// The maximum depth of the search in a body.
const MAX_LEVELS: usize = 8;

/// Words that precede a delay in an error message, in lower case.
const PHRASES: [&str; 16] = [
    "again in ",
    "again after ",
    "retry in ",
    "retry after ",
    "retry-after: ",
    "retry_after: ",
    "request after ",
    "requests after ",
    "available in ",
    "available again in ",
    "resets in ",
    "reset in ",
    "reset after ",
    "wait for ",
    "wait ",
    "wait at least ",
];

/// Kinds of limits in reset headers: for one of them, the reset time counts only if nothing remains.
const LIMITS: [(&str, &str); 2] = [
    (
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
];

/// Parses `retry-after-ms` (milliseconds) or, if absent, `retry-after` (seconds, with or without a
/// fraction, or an HTTP date).
pub(crate) fn parse(headers: &Headers, now: Timestamp) -> Option<Millis> {
    let exact = headers.get("retry-after-ms");
    let coarse = headers.get("retry-after");
    let wait = exact
        .and_then(|text| parse_number(text, 1.0))
        .or_else(|| parse_number(coarse?, 1000.0))
        .or_else(|| Some(parse_date(coarse?.trim())?.since(now)))?;
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Parses the reset time of the limit that is reached, for a rate limit error without a delay: a
/// duration, seconds, or a Unix time in seconds or milliseconds.
pub(crate) fn reset(headers: &Headers, now: Timestamp) -> Option<Millis> {
    let is_reached = |remaining: &str| {
        let remaining = headers.get(remaining).map(str::trim);
        remaining.is_none_or(|it| it.parse::<f64>().is_ok_and(|it| it <= 0.0))
    };
    let limits = LIMITS
        .into_iter()
        .filter(|(remaining, _)| is_reached(remaining));
    let resets = limits.filter_map(|(_, reset)| parse_reset(headers.get(reset)?, now));
    let general = ["x-ratelimit-reset", "ratelimit-reset"];
    let general = general
        .iter()
        .find_map(|name| parse_reset(headers.get(name)?, now));
    let wait = resets.max().or(general)?;
    Some(wait.min(MAX_RETRY_AFTER))
}

fn parse_reset(text: &str, now: Timestamp) -> Option<Millis> {
    let Some(number) = parse_number(text, 1.0) else {
        return parse_span(text);
    };
    match number.get() {
        // Before the year 2001 in seconds: a duration.
        ..1_000_000_000 => parse_number(text, 1000.0),
        seconds @ ..1_000_000_000_000 => {
            Some(Timestamp::from_millis(seconds.saturating_mul(1000)).since(now))
        }
        millis => Some(Timestamp::from_millis(millis).since(now)),
    }
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

/// Finds the delay in an error body: a member such as `retryDelay` or `retry_after`, or a message
/// such as "Please try again in 1m20.5s.".
pub(crate) fn in_body(body: &Value) -> Option<Millis> {
    let wait = find(body, MAX_LEVELS, &member)
        .or_else(|| find(body, MAX_LEVELS, &sentence))
        .or_else(|| sentence("", body))?;
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The first result of `read` for `value` or its descendants.
fn find(
    value: &Value,
    levels: usize,
    read: &impl Fn(&str, &Value) -> Option<Millis>,
) -> Option<Millis> {
    let levels = levels.checked_sub(1)?;
    match value {
        Value::Object(members) => {
            let mut own = members.iter();
            own.find_map(|(name, value)| read(name, value))
                .or_else(|| members.values().find_map(|it| find(it, levels, read)))
        }
        Value::Array(items) => items.iter().find_map(|it| find(it, levels, read)),
        _ => None,
    }
}

fn member(name: &str, value: &Value) -> Option<Millis> {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let millis_per_unit = match name.to_ascii_lowercase().as_str() {
        "retrydelay"
        | "retryafter"
        | "retryafterseconds"
        | "retryafterinseconds"
        | "retryaftersecs"
        | "retryaftersec"
        | "retryin"
        | "retryinseconds"
        | "retrydelayseconds"
        | "resetafter"
        | "resetsin"
        | "resetinseconds"
        | "resetsinseconds"
        | "waitseconds" => 1000.0,
        "retryafterms"
        | "retryaftermillis"
        | "retryaftermilliseconds"
        | "retrydelayms"
        | "retrydelaymillis"
        | "retryinms"
        | "resetafterms"
        | "resetinms" => 1.0,
        _ => return None,
    };
    match value {
        Value::Number(number) => parse_number(&number.to_string(), millis_per_unit),
        Value::String(text) => parse_number(text, millis_per_unit).or_else(|| parse_span(text)),
        // A protobuf duration.
        Value::Object(parts) => {
            let seconds = match parts.get("seconds")? {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            parse_number(&seconds, 1000.0)
        }
        _ => None,
    }
}

fn sentence(_: &str, value: &Value) -> Option<Millis> {
    let text = value.as_str()?.to_ascii_lowercase();
    PHRASES.iter().find_map(|phrase| {
        let mut rests = text.match_indices(phrase);
        rests.find_map(|(at, _)| parse_span(text.get(at + phrase.len()..)?))
    })
}

/// Parses a duration such as `20s`, `1m20.5s`, `250ms`, `2 minutes` or `7.66 seconds` at the start
/// of a text.
fn parse_span(text: &str) -> Option<Millis> {
    let (mut rest, mut sum) = (text.trim_start(), None);
    while rest.starts_with(|c: char| c.is_ascii_digit()) {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic());
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let millis = match unit {
            "ms" | "millisecond" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1000.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000.0,
            "d" | "day" | "days" => 86_400_000.0,
            // "Retry after 20."
            "" if sum.is_none() => 1000.0,
            _ => break,
        };
        let part = parse_number(number.trim_end_matches('.'), millis)?;
        sum = Some(sum.map_or(part, |sum: Millis| {
            Millis::new(sum.get().saturating_add(part.get()))
        }));
        rest = after.trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    sum
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
    fn delay_in_a_body_is_parsed_from_members_and_messages() {
        for (body, expected) in [
            (
                r#"{"error":{"details":[{"retryDelay":"34s"}]}}"#,
                Some(34_000),
            ),
            (
                r#"{"error":{"details":[{"retryDelay":"34.074824224s"}]}}"#,
                Some(34_075),
            ),
            (
                r#"{"error":{"details":[{"retryDelay":{"seconds":7}}]}}"#,
                Some(7000),
            ),
            (r#"{"retry_after":3}"#, Some(3000)),
            (
                r#"{"error":{"metadata":{"retry_after_ms":250}}}"#,
                Some(250),
            ),
            (
                r#"{"error":{"message":"Please try again in 20s."}}"#,
                Some(20_000),
            ),
            (
                r#"{"error":{"message":"Rate limit reached. Please try again in 1m20.5s. Visit x."}}"#,
                Some(80_500),
            ),
            (
                r#"{"error":{"message":"Please try again in 250ms."}}"#,
                Some(250),
            ),
            (
                r#"{"error":{"message":"Please retry after 26 seconds."}}"#,
                Some(26_000),
            ),
            (
                r#"{"error":{"message":"Try again in 7.66 seconds"}}"#,
                Some(7660),
            ),
            (r#"{"message":"Please wait 2 minutes"}"#, Some(120_000)),
            (r#""try again in 9s""#, Some(9000)),
            (
                r#"{"error":{"message":"Please try again in 1m2.5s."}}"#,
                Some(62_500),
            ),
            (
                r#"{"error":{"message":"Please try again in 7h30m0s."}}"#,
                Some(27_000_000),
            ),
            (
                r#"{"error":{"message":"Please try again in 2m59.56s. Need more tokens?"}}"#,
                Some(179_560),
            ),
            (r#"{"error":"Rate limited. Retry after 20."}"#, Some(20_000)),
            (r#"{"error":"Rate limited. Retry-After: 20"}"#, Some(20_000)),
            (
                r#"{"detail":"Please retry your request after 1 minute and 5 seconds"}"#,
                Some(65_000),
            ),
            (
                r#"{"message":"Your limit resets in 1 hour, 30 minutes."}"#,
                Some(5_400_000),
            ),
            (
                r#"{"message":"Wait for approval, then try again in 3 secs"}"#,
                Some(3000),
            ),
            (
                r#"{"message":"available again in 1 day"}"#,
                Some(86_400_000),
            ),
            (r#"{"message":"Retry after 3 attempts"}"#, None),
            (r#"{"retryAfter":"3"}"#, Some(3000)),
            (r#"{"retryAfter":"3s"}"#, Some(3000)),
            (r#"{"retry-after":3}"#, Some(3000)),
            (r#"{"retry_after_seconds":2.5}"#, Some(2500)),
            (r#"{"error":{"retryAfterMs":"250"}}"#, Some(250)),
            (r#"{"error":{"retry_after_milliseconds":250}}"#, Some(250)),
            (
                r#"{"errors":[{"metadata":{"headers":{"Retry-After":"9"}}}]}"#,
                Some(9000),
            ),
            (r#"{"details":[{"retryDelay":"0.250s"}]}"#, Some(250)),
            (
                r#"{"details":[{"retryDelay":{"seconds":"7","nanos":1}}]}"#,
                Some(7000),
            ),
            (r#"{"message":"Please try again in a moment"}"#, None),
            (
                r#"{"message":"Please try again in 999999999999h"}"#,
                Some(86_400_000),
            ),
            (r#"{"retry_after":-1}"#, None),
            (r#"{"retry_after":null}"#, None),
        ] {
            let value = serde_json::from_str(body).expect("JSON");
            assert_eq!(in_body(&value), expected.map(Millis::new), "{body}");
        }
    }

    #[test]
    fn every_form_is_parsed_and_invalid_values_are_ignored() {
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

    #[test]
    fn reset_headers_count_for_the_limit_that_is_reached() {
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<u64>);
        let now = Timestamp::from_millis(1_764_374_400_000);
        let requests = "x-ratelimit-reset-requests";
        let tokens = "x-ratelimit-reset-tokens";
        let cases: [Case<'_>; 13] = [
            (&[(requests, "12s")], Some(12_000)),
            (&[(requests, "1m2.5s")], Some(62_500)),
            (&[(requests, "20ms"), (tokens, "6m0s")], Some(360_000)),
            (
                &[
                    (requests, "20ms"),
                    (tokens, "6m0s"),
                    ("x-ratelimit-remaining-requests", "0"),
                    ("x-ratelimit-remaining-tokens", "149984"),
                ],
                Some(20),
            ),
            (&[(requests, "12")], Some(12_000)),
            (&[("x-ratelimit-reset", "1764374430")], Some(30_000)),
            (&[("x-ratelimit-reset", "1764374430000")], Some(30_000)),
            (&[("x-ratelimit-reset", "1764374300000")], Some(0)),
            (&[("RateLimit-Reset", "5")], Some(5000)),
            (&[("x-ratelimit-reset", "9999999999999")], Some(86_400_000)),
            (&[("x-ratelimit-reset", "soon")], None),
            (&[("x-ratelimit-reset", "-5")], None),
            (&[], None),
        ];
        for (headers, expected) in cases {
            let headers: Headers = headers.iter().copied().collect();
            assert_eq!(
                reset(&headers, now),
                expected.map(Millis::new),
                "{headers:?}"
            );
        }
    }
}
