//! The machine's own time, which never runs backwards.
//!
//! Clocks are set: a step back must neither refill a bucket nor reopen a month, and a step back
//! and forth must not count the same hour twice. So the machine's time stays where it is when the
//! clock steps back and goes on from there; a jump forward that only makes up for the step is
//! swallowed. Neither freezes anybody: between steps a second is a second.

use crate::time::{Millis, Timestamp};

/// While the clock is behind, a longer silence than this counts as the clock being put right. It is
/// as long as the slowest bucket needs for one request.
const JUMP: Millis = Millis::from_secs(60);

/// The machine's time.
#[derive(Debug, Clone, Default)]
pub(super) struct SteadyClock {
    /// The machine's time; never decreases.
    time: Timestamp,
    /// What the clock showed last; none since the machine was loaded.
    seen: Option<Timestamp>,
}

impl SteadyClock {
    /// A clock that has shown `time` before.
    pub(super) fn starting_at(time: Timestamp) -> Self {
        Self { time, seen: None }
    }

    /// Takes what the clock shows and gives the machine's time.
    pub(super) fn observe(&mut self, now: Timestamp) -> Timestamp {
        let elapsed = match self.seen {
            None => now.since(self.time),
            Some(seen) => {
                let moved = now.since(seen);
                let swallowed = if moved > JUMP {
                    self.ahead()
                } else {
                    Millis::new(0)
                };
                Millis::new(moved.get().saturating_sub(swallowed.get()))
            }
        };
        self.seen = Some(now);
        self.time = self.time.plus(elapsed);
        self.time
    }

    /// The machine's time.
    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    /// What the outer clock will show when the machine's time is `moment`.
    pub(super) fn outside(&self, moment: Timestamp) -> Timestamp {
        Timestamp::from_millis(moment.as_millis().saturating_sub(self.ahead().get()))
    }

    /// How far the machine's time is ahead of the clock.
    fn ahead(&self) -> Millis {
        self.seen
            .map_or(Millis::new(0), |seen| self.time.since(seen))
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
    fn an_hour_back_and_forth_is_no_time_at_all() {
        let mut clock = SteadyClock::default();
        assert_eq!(clock.observe(at(2 * HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(2 * HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(2 * HOUR + 5)), at(2 * HOUR + 5));
    }

    #[test]
    fn time_goes_on_while_the_clock_is_behind() {
        let mut clock = SteadyClock::default();
        clock.observe(at(2 * HOUR));
        clock.observe(at(HOUR));
        assert_eq!(clock.observe(at(HOUR + 1000)), at(2 * HOUR + 1000));
        assert_eq!(clock.outside(at(2 * HOUR + 3000)), at(HOUR + 3000));
    }

    #[test]
    fn a_restart_does_not_turn_time_back() {
        let mut clock = SteadyClock::starting_at(at(2 * HOUR));
        assert_eq!(clock.observe(at(HOUR)), at(2 * HOUR));
        assert_eq!(clock.observe(at(HOUR + 1)), at(2 * HOUR + 1));
        let mut clock = SteadyClock::starting_at(at(HOUR));
        assert_eq!(clock.observe(at(2 * HOUR)), at(2 * HOUR));
    }
}
