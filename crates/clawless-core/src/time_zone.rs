//! Time zones as fixed offsets from UTC. Names such as `Europe/Berlin` need a database of rules, which
//! changes several times a year and which a Worker does not have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::civil::Civil;
use crate::time::{Millis, Timestamp};

/// The largest offset, in minutes.
const MAX_OFFSET_MINUTES: u16 = 14 * 60;

/// An offset from UTC. Written as `UTC` or `+05:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone {
    minutes: u16,
    is_west: bool,
}

/// A text is not a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `UTC` or an offset from it such as `+05:30`, from -14:00 to +14:00")]
pub struct InvalidTimeZone;

impl TimeZone {
    /// The local date and time.
    pub fn local(self, now: Timestamp) -> Civil {
        let offset = Millis::from_secs(u64::from(self.minutes) * 60);
        Civil::from_timestamp(if self.is_west {
            now.minus(offset)
        } else {
            now.plus(offset)
        })
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.minutes == 0 {
            return f.write_str("UTC");
        }
        let sign = if self.is_west { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", self.minutes / 60, self.minutes % 60)
    }
}

impl FromStr for TimeZone {
    type Err = InvalidTimeZone;

    fn from_str(text: &str) -> Result<Self, InvalidTimeZone> {
        if text == "UTC" {
            return Ok(Self::default());
        }
        let is_west = text.starts_with('-');
        let offset = text.strip_prefix(['+', '-']).ok_or(InvalidTimeZone)?;
        let number = |digits: &str| {
            let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u16>().ok().filter(|_| is_number)
        };
        let (hours, minutes) = offset.split_once(':').ok_or(InvalidTimeZone)?;
        let (hours, minutes) = number(hours).zip(number(minutes)).ok_or(InvalidTimeZone)?;
        let total = hours * 60 + minutes;
        if minutes >= 60 || total > MAX_OFFSET_MINUTES {
            return Err(InvalidTimeZone);
        }
        Ok(Self {
            minutes: total,
            is_west: is_west && total > 0,
        })
    }
}

impl TryFrom<String> for TimeZone {
    type Error = InvalidTimeZone;

    fn try_from(text: String) -> Result<Self, InvalidTimeZone> {
        text.parse()
    }
}

impl From<TimeZone> for String {
    fn from(zone: TimeZone) -> Self {
        zone.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_is_parsed_and_written_in_one_form() {
        for (text, written) in [
            ("UTC", "UTC"),
            ("+00:00", "UTC"),
            ("-00:00", "UTC"),
            ("+05:30", "+05:30"),
            ("-03:30", "-03:30"),
            ("+14:00", "+14:00"),
            ("-14:00", "-14:00"),
        ] {
            let zone: TimeZone = text.parse().expect(text);
            assert_eq!(zone.to_string(), written);
            assert_eq!(written.parse(), Ok(zone));
        }
        for text in [
            "",
            "utc",
            "Z",
            "GMT",
            "Europe/Berlin",
            "5",
            "+5:30",
            "+0530",
            "+05:3",
            "+05:60",
            "+14:01",
            "-15:00",
            "+99:99",
            "++1:00",
            "+05:30 ",
            "+٠٥:٣٠",
        ] {
            assert_eq!(text.parse::<TimeZone>(), Err(InvalidTimeZone), "{text}");
        }
    }

    #[test]
    fn local_date_differs_around_midnight() {
        // 2025-12-31T23:30:00Z
        let now = Timestamp::from_millis(1_767_223_800_000);
        for (zone, local) in [
            ("UTC", "2025-12-31T23:30:00"),
            ("+00:30", "2026-01-01T00:00:00"),
            ("+05:30", "2026-01-01T05:00:00"),
            ("-12:00", "2025-12-31T11:30:00"),
        ] {
            let zone: TimeZone = zone.parse().expect(zone);
            assert_eq!(zone.local(now).to_string(), local);
        }
    }
}
