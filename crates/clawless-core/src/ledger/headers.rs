//! The `x-ratelimit-*` headers of a response.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// State of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Maximum value.
    pub limit: u64,
    /// Remaining value.
    pub remaining: u64,
    /// Time until the full value is available again.
    pub reset: Millis,
}

/// State of a caller's limits. An unlimited one is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateHeaders {
    /// The tightest of the request limits: tenant, key, endpoint class. `limit` is the burst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Window>,
    /// The monthly token quota minus used and reserved tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Window>,
}

impl RateHeaders {
    /// Header names and values; durations use `OpenAI`'s notation.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::with_capacity(6);
        if let Some(window) = self.requests {
            pairs.push(("x-ratelimit-limit-requests", window.limit.to_string()));
            pairs.push((
                "x-ratelimit-remaining-requests",
                window.remaining.to_string(),
            ));
            pairs.push(("x-ratelimit-reset-requests", duration(window.reset)));
        }
        if let Some(window) = self.tokens {
            pairs.push(("x-ratelimit-limit-tokens", window.limit.to_string()));
            pairs.push(("x-ratelimit-remaining-tokens", window.remaining.to_string()));
            pairs.push(("x-ratelimit-reset-tokens", duration(window.reset)));
        }
        pairs
    }
}

/// A duration as `12ms`, `1s`, `1.5s`, `6m0s` or `26h0m0s`.
fn duration(span: Millis) -> String {
    let (secs, millis) = (span.get() / 1000, span.get() % 1000);
    let (hours, minutes) = (secs / 3600, secs / 60 % 60);
    // Above one minute, round up to whole seconds: the stated time is still sufficient.
    let rounded = span.ceil_secs();
    match (hours, minutes) {
        _ if secs == 0 => format!("{millis}ms"),
        (0, 0) if millis == 0 => format!("{secs}s"),
        (0, 0) => format!("{}s", format!("{secs}.{millis:03}").trim_end_matches('0')),
        _ if rounded < 3600 => format!("{}m{}s", rounded / 60, rounded % 60),
        _ => format!("{}h{}m{}s", rounded / 3600, rounded / 60 % 60, rounded % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_use_openai_notation() {
        let cases = [
            (0, "0ms"),
            (12, "12ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (10_050, "10.05s"),
            (59_999, "59.999s"),
            (360_000, "6m0s"),
            (60_001, "1m1s"),
            (3_599_001, "1h0m0s"),
            (93_600_000, "26h0m0s"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration(Millis::new(millis)), text);
        }
    }

    #[test]
    fn an_unlimited_window_sends_no_header() {
        assert!(RateHeaders::default().pairs().is_empty());
    }
}
