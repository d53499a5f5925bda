//! A monotonic clock derived from the wall clock.
//!
//! Wall clocks can be adjusted. A step back must neither refill a bucket nor reopen a month, and a
//! step back and forth must not count the same hour twice. When the wall clock steps back, this clock
//! keeps its time and continues from there; a later jump forward that corrects the step is ignored.
//! Between steps, time advances normally.

use crate::time::{Millis, Timestamp};

/// While the wall clock is behind, a longer gap than this counts as a correction of the clock. Equals
/// the time that the slowest bucket needs for one request.
const CORRECTION_THRESHOLD: Millis = Millis::from_secs(60);

/// A clock that never runs backwards.
#[derive(Debug, Clone, Default)]
pub(super) struct MonotonicClock {
    /// The monotonic time.
    time: Timestamp,
    /// Last observed wall-clock time; none since the machine was loaded.
    last_observed: Option<Timestamp>,
}

impl MonotonicClock {
    /// A clock that continues from `time`.
    pub(super) fn starting_at(time: Timestamp) -> Self {
        Self {
            time,
            last_observed: None,
        }
    }

    /// Reads the wall clock and returns the monotonic time.
    pub(super) fn observe(&mut self, now: Timestamp) -> Timestamp {
        let elapsed = match self.last_observed {
            None => now.since(self.time),
            Some(last_observed) => {
                let moved = now.since(last_observed);
                let ignored = if moved > CORRECTION_THRESHOLD {
                    self.ahead()
                } else {
                    Millis::new(0)
                };
                Millis::new(moved.get().saturating_sub(ignored.get()))
            }
        };
        self.last_observed = Some(now);
        self.time = self.time.plus(elapsed);
        self.time
    }

    /// The monotonic time.
    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    /// The wall-clock time that corresponds to the monotonic time `moment`.
    pub(super) fn to_wall_clock(&self, moment: Timestamp) -> Timestamp {
        Timestamp::from_millis(moment.as_millis().saturating_sub(self.ahead().get()))
    }

    /// How far the monotonic time is ahead of the wall clock.
    fn ahead(&self) -> Millis {
        self.last_observed.map_or(Millis::new(0), |last_observed| {
            self.time.since(last_observed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_step_back_and_forth_does_not_advance_time() {
        let mut clock = MonotonicClock::default();
        assert_eq!(clock.observe(at(2 * HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(2 * HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(2 * HOUR + 5)), at(2 * HOUR + 5));
    }

    #[test]
    fn time_advances_while_the_wall_clock_is_behind() {
        let mut clock = MonotonicClock::default();
        clock.observe(at(2 * HOUR));
        clock.observe(at(HOUR));
        assert_eq!(clock.observe(at(HOUR + 1000)), at(2 * HOUR + 1000));
        assert_eq!(clock.to_wall_clock(at(2 * HOUR + 3000)), at(HOUR + 3000));
    }

    #[test]
    fn a_restart_does_not_turn_time_back() {
        let mut clock = MonotonicClock::starting_at(at(2 * HOUR));
        assert_eq!(clock.observe(at(HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(HOUR + 1)), at(2 * HOUR + 1));
        let mut clock = MonotonicClock::starting_at(at(HOUR));
        assert_eq!(clock.observe(at(2 * HOUR)), at(2 * HOUR));
    }
}
