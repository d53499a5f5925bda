//! Conversion of timestamps to calendar dates.

use std::fmt;

use crate::time::Timestamp;

const SECS_PER_DAY: u64 = 86_400;
/// Days from 0000-03-01 to 1970-01-01. Years that start in March have their leap day at the end.
pub(crate) const DAYS_TO_EPOCH: u64 = 719_468;
/// Days in 400 years.
pub(crate) const DAYS_PER_ERA: u64 = 146_097;

/// A date and time in UTC, to the second. Displayed as `2026-01-31T23:59:59`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// The year.
    pub year: u64,
    /// The month, from 1.
    pub month: u64,
    /// The day of the month, from 1.
    pub day: u64,
    days: u64,
    second_of_day: u64,
}

impl Civil {
    /// The date and time of a timestamp.
    pub const fn from_timestamp(timestamp: Timestamp) -> Self {
        let secs = timestamp.as_secs();
        let days = secs / SECS_PER_DAY;
        let (era, day_of_era) = (
            (days + DAYS_TO_EPOCH) / DAYS_PER_ERA,
            (days + DAYS_TO_EPOCH) % DAYS_PER_ERA,
        );
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From March, the lengths of months repeat every five months (153 days).
        let month_from_march = (5 * day_of_year + 2) / 153;
        // January and February belong to the year that started in March before.
        let month_from_january = month_from_march + 2;
        Self {
            year: era * 400 + year_of_era + month_from_january / 12,
            month: month_from_january % 12 + 1,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            days,
            second_of_day: secs % SECS_PER_DAY,
        }
    }

    /// The day of the week.
    pub const fn weekday(self) -> &'static str {
        // 1970-01-01 was a Thursday.
        match self.days % 7 {
            0 => "Thursday",
            1 => "Friday",
            2 => "Saturday",
            3 => "Sunday",
            4 => "Monday",
            5 => "Tuesday",
            _ => "Wednesday",
        }
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (minutes, second) = (self.second_of_day / 60, self.second_of_day % 60);
        let (year, month, day) = (self.year, self.month, self.day);
        let (hour, minute) = (minutes / 60, minutes % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_calendar_dates() {
        for (secs, text, weekday) in [
            (0, "1970-01-01T00:00:00", "Thursday"),
            (951_782_399, "2000-02-28T23:59:59", "Monday"),
            (951_782_400, "2000-02-29T00:00:00", "Tuesday"),
            (951_868_800, "2000-03-01T00:00:00", "Wednesday"),
            (1_767_225_599, "2025-12-31T23:59:59", "Wednesday"),
            (1_767_225_600, "2026-01-01T00:00:00", "Thursday"),
            (1_772_323_199, "2026-02-28T23:59:59", "Saturday"),
            (1_772_323_200, "2026-03-01T00:00:00", "Sunday"),
            (4_107_542_400, "2100-03-01T00:00:00", "Monday"),
        ] {
            let civil = Civil::from_timestamp(Timestamp::from_millis(secs * 1000 + 999));
            assert_eq!(
                (civil.to_string().as_str(), civil.weekday()),
                (text, weekday)
            );
        }
    }
}
