//! Validation of members that several bodies have.

use clawless_core::{ApiError, Timestamp};

use crate::fields::invalid;

/// The maximum length of the name of a tenant, a key or a token, in characters; the database has the
/// same limit.
const MAX_NAME_CHARS: usize = 200;

/// The end of the year 9999. A later time is a mistake: milliseconds, for example.
const MAX_EXPIRY_SECS: u64 = 253_402_300_799;

/// Validates a name.
///
/// # Errors
/// 400 if it is empty, too long or contains control characters.
pub(super) fn check_name(text: String) -> Result<String, ApiError> {
    let fits = (1..=MAX_NAME_CHARS).contains(&text.chars().count());
    if fits && !text.contains(char::is_control) {
        return Ok(text);
    }
    Err(invalid(
        "name",
        format!("`name` has 1 to {MAX_NAME_CHARS} characters and no control characters."),
    ))
}

/// Parses the time of an expiry, in seconds since 1970.
///
/// # Errors
/// 400 if it is in the past.
pub(super) fn parse_expiry(
    secs: Option<u64>,
    now: Timestamp,
) -> Result<Option<Timestamp>, ApiError> {
    let Some(secs) = secs else { return Ok(None) };
    let expiry = Timestamp::from_millis(secs.saturating_mul(1000));
    if expiry <= now || secs > MAX_EXPIRY_SECS {
        return Err(invalid(
            "expires_at",
            "`expires_at` is a future time, in seconds since 1970 (UTC).",
        ));
    }
    Ok(Some(expiry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_has_1_to_200_characters_and_no_control_characters() {
        for valid in ["a", "Ünïcode 🌍", &"é".repeat(200)] {
            assert_eq!(check_name(valid.to_owned()).as_deref(), Ok(valid));
        }
        for bad in ["", "a\0", "a\n", &"x".repeat(201)] {
            let error = check_name(bad.to_owned()).expect_err(bad);
            assert_eq!(error.param.as_deref(), Some("name"));
        }
    }

    #[test]
    fn expiry_is_a_future_time_in_seconds() {
        let now = Timestamp::from_millis(1_767_225_600_500);
        assert_eq!(parse_expiry(None, now), Ok(None));
        let valid = parse_expiry(Some(1_767_225_601), now);
        assert_eq!(valid, Ok(Some(Timestamp::from_millis(1_767_225_601_000))));
        for bad in [0, 1_767_225_600, 1_767_225_601_000, u64::MAX] {
            let error = parse_expiry(Some(bad), now).expect_err("not a future time");
            assert_eq!(error.param.as_deref(), Some("expires_at"), "{bad}");
        }
    }
}
