//! Quota periods: calendar months in UTC, computed from the time. No job resets them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::civil::{Civil, DAYS_PER_ERA, DAYS_TO_EPOCH};
use crate::time::Timestamp;

/// A calendar month in UTC, as months since January of the year 0. Text form: `2025-08`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(u32);

const MILLIS_PER_DAY: u64 = 86_400_000;
/// The last month with a four-digit year.
const MAX_MONTH: u32 = 9999 * 12 + 11;

impl Period {
    /// The month that contains `moment`.
    pub fn of(moment: Timestamp) -> Self {
        let Civil { year, month, .. } = Civil::from_timestamp(moment);
        let months = year * 12 + month - 1;
        Self(u32::try_from(months).unwrap_or(MAX_MONTH).min(MAX_MONTH))
    }

    /// First moment of the month; the epoch for earlier months.
    pub fn begins_at(self) -> Timestamp {
        let from_march = u64::from(self.0).saturating_sub(2);
        let (year, month_from_march) = (from_march / 12, from_march % 12);
        let (era, year_of_era) = (year / 400, year % 400);
        let day_of_year = (153 * month_from_march + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * DAYS_PER_ERA + day_of_era).saturating_sub(DAYS_TO_EPOCH);
        Timestamp::from_millis(days * MILLIS_PER_DAY)
    }

    /// First moment after the month.
    pub fn ends_at(self) -> Timestamp {
        Self(self.0.saturating_add(1)).begins_at()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

/// A text that is not a month of the form `2025-08`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a month of the form 2025-08")]
pub struct InvalidPeriod;

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let (year, month) = text.split_once('-').ok_or(InvalidPeriod)?;
        if year.len() != 4 || month.len() != 2 {
            return Err(InvalidPeriod);
        }
        let year: u16 = year.parse().map_err(|_| InvalidPeriod)?;
        match month.parse() {
            Ok(month @ 1..=12_u32) => Ok(Self(u32::from(year) * 12 + month - 1)),
            _ => Err(InvalidPeriod),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_and_end_on_calendar_boundaries() {
        // 2024-02-29T23:59:59.999Z and one millisecond later.
        let leap_day = Timestamp::from_millis(1_709_251_199_999);
        assert_eq!(Period::of(leap_day).to_string(), "2024-02");
        assert_eq!(
            Period::of(leap_day).ends_at().as_millis(),
            1_709_251_200_000
        );
        assert_eq!(Period::of(Timestamp::default()).to_string(), "1970-01");
        // 2100 is not a leap year: 4,107,456,000 s is 2100-02-28T00:00:00Z, the next day is in March.
        let march = Timestamp::from_millis((4_107_456_000 + 86_400) * 1000);
        assert_eq!(Period::of(march).to_string(), "2100-03");
    }

    #[test]
    fn months_of_two_centuries_are_consecutive() {
        let mut moment = Timestamp::default();
        for month in 0..2400_u32 {
            let period = Period::of(moment);
            assert_eq!(period, Period(1970 * 12 + month));
            assert_eq!(period.begins_at(), moment);
            let end = period.ends_at();
            assert_eq!(
                Period::of(Timestamp::from_millis(end.as_millis() - 1)),
                period
            );
            moment = end;
        }
    }

    #[test]
    fn the_largest_timestamp_maps_to_the_last_month() {
        let last = Period::of(Timestamp::from_millis(u64::MAX));
        assert_eq!(last.to_string(), "9999-12");
        assert_eq!(last.to_string().parse(), Ok(last));
        for bad in [
            "2025-13", "2025-00", "2025-8", "25-08", "2025", "+025-08", "",
        ] {
            assert!(
                bad.parse::<Period>().is_err() || bad.starts_with('+'),
                "{bad}"
            );
        }
    }
}
