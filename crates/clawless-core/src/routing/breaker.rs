//! Circuit breakers: a model that failed again and again is left alone for a while, so that a dead
//! provider costs its callers nothing after the first few.

use std::collections::HashMap;

use crate::time::{Millis, Timestamp};

/// How many failures in a row open a breaker.
const THRESHOLD: u32 = 5;

/// Failures further apart than this are not in a row.
const WINDOW: Millis = Millis::from_secs(60);

/// How long a breaker stays open at first; each failed probe doubles it.
const FIRST_REST: Millis = Millis::from_secs(5);

/// The longest that a breaker stays open.
const MAX_REST: Millis = Millis::from_secs(120);

/// How long a probe may take before another one is let through: whoever sent it may be gone.
const PROBE_PATIENCE: Millis = Millis::from_secs(60);

/// How many breakers are kept. Beyond that the one that rested longest is forgotten.
const MAX_BREAKERS: usize = 256;

/// One breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Calls go through.
    Closed {
        /// Failures in a row.
        failures: u32,
        /// When the last one was.
        last: Timestamp,
    },
    /// No calls go through.
    Open {
        /// Until when.
        until: Timestamp,
        /// How long this rest is.
        rest: Millis,
    },
    /// One call is on its way to see whether things are better.
    HalfOpen {
        /// When it left.
        since: Timestamp,
        /// How long the rest before it was.
        rest: Millis,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed {
            failures: 0,
            last: Timestamp::default(),
        }
    }
}

impl Breaker {
    /// Whether a call may go through now. A yes after a rest makes the call a probe, and its
    /// outcome must be told.
    pub fn admit(&mut self, now: Timestamp) -> bool {
        match *self {
            Self::Closed { .. } => true,
            Self::Open { until, rest } if now >= until => {
                *self = Self::HalfOpen { since: now, rest };
                true
            }
            Self::HalfOpen { since, rest } if now.since(since) >= PROBE_PATIENCE => {
                *self = Self::HalfOpen { since: now, rest };
                true
            }
            Self::Open { .. } | Self::HalfOpen { .. } => false,
        }
    }

    /// A call went well.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// A call failed by the provider's fault.
    pub fn fail(&mut self, now: Timestamp) {
        *self = match *self {
            Self::Closed { failures, last } => {
                let in_a_row = failures > 0 && now.since(last) <= WINDOW;
                let failures = if in_a_row { failures + 1 } else { 1 };
                if failures >= THRESHOLD {
                    open(now, FIRST_REST)
                } else {
                    Self::Closed {
                        failures,
                        last: now,
                    }
                }
            }
            Self::HalfOpen { rest, .. } => open(now, rest.plus(rest).min(MAX_REST)),
            // A call that left before the breaker opened tells nothing new.
            still @ Self::Open { .. } => still,
        };
    }

    /// When something last happened to it: what is older is forgotten first.
    const fn age_key(self) -> Timestamp {
        match self {
            Self::Closed { last, .. } => last,
            Self::Open { until, .. } => until,
            Self::HalfOpen { since, .. } => since,
        }
    }
}

const fn open(now: Timestamp, rest: Millis) -> Breaker {
    Breaker::Open {
        until: now.plus(rest),
        rest,
    }
}

/// The breakers of all models that failed of late, by provider and model.
#[derive(Debug, Clone, Default)]
pub struct Breakers(HashMap<(String, String), Breaker>);

impl Breakers {
    /// Whether a call of this model may go through now; see [`Breaker::admit`].
    pub fn admit(&mut self, provider: &str, model: &str, now: Timestamp) -> bool {
        // Healthy models have no entry, so the common case allocates nothing but the key.
        if self.0.is_empty() {
            return true;
        }
        let breaker = self.0.get_mut(&key(provider, model));
        breaker.is_none_or(|breaker| breaker.admit(now))
    }

    /// A call of this model went well.
    pub fn succeed(&mut self, provider: &str, model: &str) {
        if !self.0.is_empty() {
            self.0.remove(&key(provider, model));
        }
    }

    /// A call of this model failed by the provider's fault.
    pub fn fail(&mut self, provider: &str, model: &str, now: Timestamp) {
        let key = key(provider, model);
        if self.0.len() >= MAX_BREAKERS && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, breaker)| breaker.age_key());
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.entry(key).or_default().fail(now);
    }
}

fn key(provider: &str, model: &str) -> (String, String) {
    (provider.to_owned(), model.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + secs * 1000)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..THRESHOLD {
            breaker.fail(at(0));
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_does_not() {
        let mut breaker = Breaker::default();
        for round in 0..50 {
            breaker.fail(at(round));
            if round % 4 == 3 {
                breaker.succeed();
            }
            assert!(breaker.admit(at(round)), "{round}");
        }
        assert!(!opened().admit(at(4)));
    }

    #[test]
    fn failures_far_apart_do_not_open_it() {
        let mut breaker = Breaker::default();
        for round in 0..50 {
            breaker.fail(at(round * 61));
            assert!(breaker.admit(at(round * 61)));
        }
    }

    #[test]
    fn one_probe_goes_through_after_the_rest_and_decides() {
        let mut breaker = opened();
        assert!(breaker.admit(at(5)));
        assert!(!breaker.admit(at(5)), "one probe at a time");
        breaker.succeed();
        assert!(breaker.admit(at(5)));

        let mut breaker = opened();
        assert!(breaker.admit(at(5)));
        breaker.fail(at(6));
        assert!(!breaker.admit(at(15)), "the rest has doubled");
        assert!(breaker.admit(at(16)));
    }

    #[test]
    fn a_probe_that_never_came_back_does_not_block_for_ever() {
        let mut breaker = opened();
        assert!(breaker.admit(at(5)));
        assert!(!breaker.admit(at(64)));
        assert!(breaker.admit(at(65)));
    }

    #[test]
    fn whatever_happens_it_opens_for_bounded_times_and_lets_at_most_one_probe_through() {
        // A small generator of its own: the same walk each time.
        let mut seed = 0x9e37_79b9_u32;
        let mut random = move |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        for _ in 0..200 {
            let (mut breaker, mut now) = (Breaker::default(), at(0));
            for _ in 0..500 {
                now = now.plus(Millis::new(u64::from(random(20_000))));
                match random(3) {
                    0 => breaker.fail(now),
                    1 => breaker.succeed(),
                    _ => {
                        let was_closed = matches!(breaker, Breaker::Closed { .. });
                        let admitted = breaker.admit(now);
                        assert!(admitted || !was_closed);
                        if admitted && !was_closed {
                            assert!(!breaker.admit(now), "one probe at a time");
                        }
                    }
                }
                if let Breaker::Open { until, rest } = breaker {
                    assert!(rest <= MAX_REST && until.since(now) <= MAX_REST);
                }
                let mut later = breaker;
                assert!(later.admit(now.plus(MAX_REST)), "never stuck");
            }
        }
    }

    #[test]
    fn breakers_are_bounded_and_apart() {
        let mut breakers = Breakers::default();
        for number in 0..1000_u64 {
            breakers.fail("p", &number.to_string(), at(number));
        }
        assert_eq!(breakers.0.len(), MAX_BREAKERS);
        for _ in 0..THRESHOLD {
            breakers.fail("p", "m", at(1000));
        }
        assert!(!breakers.admit("p", "m", at(1001)));
        assert!(breakers.admit("q", "m", at(1001)));
        assert!(breakers.admit("p", "n", at(1001)));
        assert!(breakers.admit("p", "m", at(1005)));
        breakers.succeed("p", "m");
        assert!(breakers.admit("p", "m", at(1005)));
    }
}
