//! The rate limiter: token buckets per tenant, per key and per endpoint class.
//!
//! Buckets are kept in memory only. A restart refills at most one burst; persisting them would cost
//! one storage write per request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::headers::Window;
use crate::ids::KeyId;
use crate::limits::Limits;
use crate::time::{Millis, Timestamp};

/// Groups of routes that share a bucket, independent of how a path is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointClass {
    /// Model calls.
    Chat,
    /// Reads.
    Read,
    /// Changes of sessions and messages.
    Write,
}

impl EndpointClass {
    /// Share of the tenant's rate that the class can use, in percent. Half of it is reserved for
    /// chat, so that a polling dashboard cannot block it.
    const fn share(self) -> u64 {
        match self {
            Self::Chat => 100,
            Self::Read | Self::Write => 50,
        }
    }
}

/// Units that one request consumes. A bucket gains `requests_per_minute` units per millisecond, so
/// one request is 60,000 units and all arithmetic is integral.
const UNITS_PER_REQUEST: u64 = 60_000;
/// Reported wait if the rate admits no request at all.
const RETRY_AFTER_ZERO_RATE: Millis = Millis::from_secs(60);
/// Number of key buckets above which full buckets are dropped. A full bucket equals a missing one.
const MAX_KEYS: usize = 1024;

/// Refill rate and capacity of a bucket.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_minute: u64,
    capacity: u64,
}

impl Rate {
    /// The tenant's rate; none if it is unlimited.
    fn from_limits(limits: &Limits) -> Option<Self> {
        Some(Self {
            per_minute: limits.requests_per_minute?,
            capacity: limits.burst?.saturating_mul(UNITS_PER_REQUEST),
        })
    }

    /// A share of the rate; at least one request unless the whole rate admits none.
    fn share(self, percent: u64) -> Self {
        let scale = |whole: u64| {
            let exact = u128::from(whole) * u128::from(percent) / 100;
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        Self {
            per_minute: scale(self.per_minute).max(self.per_minute.min(1)),
            capacity: scale(self.capacity).max(self.capacity.min(UNITS_PER_REQUEST)),
        }
    }
}

/// A token bucket.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: u64,
    at: Timestamp,
}

impl Bucket {
    const fn full(rate: Rate, now: Timestamp) -> Self {
        Self {
            level: rate.capacity,
            at: now,
        }
    }

    /// The level now.
    fn level(&self, rate: Rate, now: Timestamp) -> u64 {
        let gained = now.since(self.at).get().saturating_mul(rate.per_minute);
        self.level.saturating_add(gained).min(rate.capacity)
    }

    /// Refills the bucket up to `now`. Fails with the time until a request is admitted.
    fn refill(&mut self, rate: Rate, now: Timestamp) -> Result<(), Millis> {
        self.level = self.level(rate, now);
        self.at = now;
        match UNITS_PER_REQUEST.checked_sub(self.level) {
            None | Some(0) => Ok(()),
            Some(_) if rate.per_minute == 0 || rate.capacity < UNITS_PER_REQUEST => {
                Err(RETRY_AFTER_ZERO_RATE)
            }
            Some(missing) => Err(Millis::new(missing.div_ceil(rate.per_minute))),
        }
    }

    fn window(&self, rate: Rate, now: Timestamp) -> Window {
        let level = self.level(rate, now);
        let missing = rate.capacity - level;
        Window {
            limit: rate.capacity / UNITS_PER_REQUEST,
            remaining: level / UNITS_PER_REQUEST,
            reset: match (missing, rate.per_minute) {
                (0, _) => Millis::new(0),
                (_, 0) => RETRY_AFTER_ZERO_RATE,
                (missing, per_minute) => Millis::new(missing.div_ceil(per_minute)),
            },
        }
    }
}

/// All buckets of a tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct RateLimiter {
    tenant: Option<Bucket>,
    chat: Option<Bucket>,
    read: Option<Bucket>,
    write: Option<Bucket>,
    keys: BTreeMap<KeyId, Bucket>,
}

impl RateLimiter {
    /// Checks whether a request is admitted, without consuming. Fails with the time to wait.
    pub(super) fn check(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        key: &KeyId,
        class: EndpointClass,
    ) -> Result<(), Millis> {
        let Some(rate) = Rate::from_limits(limits) else {
            return Ok(());
        };
        let class_rate = rate.share(class.share());
        let tenant = self.tenant.get_or_insert(Bucket::full(rate, now));
        let mut wait = tenant.refill(rate, now);
        let class = self
            .class(class)
            .get_or_insert(Bucket::full(class_rate, now));
        wait = longer_wait(wait, class.refill(class_rate, now));
        if let Some(bucket) = self.keys.get_mut(key) {
            return longer_wait(wait, bucket.refill(rate, now));
        }
        if self.keys.len() >= MAX_KEYS {
            self.keys
                .retain(|_, bucket| bucket.level(rate, now) < rate.capacity);
        }
        self.keys.insert(key.clone(), Bucket::full(rate, now));
        wait
    }

    /// Consumes one request from the buckets that [`Self::check`] accepted.
    pub(super) fn consume(&mut self, key: &KeyId, class: EndpointClass) {
        let consume =
            |bucket: &mut Bucket| bucket.level = bucket.level.saturating_sub(UNITS_PER_REQUEST);
        self.tenant.as_mut().map(consume);
        self.class(class).as_mut().map(consume);
        self.keys.get_mut(key).map(consume);
    }

    /// State of the bucket with the fewest remaining requests.
    pub(super) fn window(
        &self,
        now: Timestamp,
        limits: &Limits,
        key: &KeyId,
        class: EndpointClass,
    ) -> Option<Window> {
        let rate = Rate::from_limits(limits)?;
        let class_rate = rate.share(class.share());
        let of_class = match class {
            EndpointClass::Chat => self.chat,
            EndpointClass::Read => self.read,
            EndpointClass::Write => self.write,
        };
        let window = |bucket: Option<Bucket>, rate: Rate| {
            bucket.unwrap_or(Bucket::full(rate, now)).window(rate, now)
        };
        let tenant = window(self.tenant, rate);
        let class = window(of_class, class_rate);
        let key = window(self.keys.get(key).copied(), rate);
        let fewer = |one: Window, other: Window| {
            if other.remaining < one.remaining {
                other
            } else {
                one
            }
        };
        Some(fewer(fewer(tenant, key), class))
    }

    fn class(&mut self, class: EndpointClass) -> &mut Option<Bucket> {
        match class {
            EndpointClass::Chat => &mut self.chat,
            EndpointClass::Read => &mut self.read,
            EndpointClass::Write => &mut self.write,
        }
    }
}

fn longer_wait(one: Result<(), Millis>, other: Result<(), Millis>) -> Result<(), Millis> {
    match (one, other) {
        (Err(one), Err(other)) => Err(one.max(other)),
        (Err(wait), Ok(())) | (Ok(()), Err(wait)) => Err(wait),
        (Ok(()), Ok(())) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        requests_per_minute: Some(60),
        burst: Some(3),
        concurrent: None,
    };

    fn key(last: char) -> KeyId {
        format!("key_01ARZ3NDEKTSV4RRFFQ69G5FA{last}")
            .parse()
            .expect("id")
    }

    fn try_request(limiter: &mut RateLimiter, at: u64, limits: &Limits) -> Result<(), Millis> {
        let now = Timestamp::from_millis(at);
        limiter.check(now, limits, &key('V'), EndpointClass::Chat)?;
        limiter.consume(&key('V'), EndpointClass::Chat);
        Ok(())
    }

    #[test]
    fn a_burst_is_admitted_then_one_request_per_second() {
        let mut limiter = RateLimiter::default();
        for _ in 0..3 {
            assert_eq!(try_request(&mut limiter, 0, &LIMITS), Ok(()));
        }
        assert_eq!(
            try_request(&mut limiter, 0, &LIMITS),
            Err(Millis::new(1000))
        );
        assert_eq!(try_request(&mut limiter, 999, &LIMITS), Err(Millis::new(1)));
        assert_eq!(try_request(&mut limiter, 1000, &LIMITS), Ok(()));
        assert_eq!(
            try_request(&mut limiter, 1000, &LIMITS),
            Err(Millis::new(1000))
        );
    }

    #[test]
    fn the_reported_wait_is_exact_for_any_rate() {
        for per_minute in [1, 7, 59, 61, 1000, 59_999, 60_000, 100_000] {
            let limits = Limits {
                requests_per_minute: Some(per_minute),
                burst: Some(1),
                ..LIMITS
            };
            let mut limiter = RateLimiter::default();
            assert_eq!(try_request(&mut limiter, 0, &limits), Ok(()));
            let wait = try_request(&mut limiter, 0, &limits)
                .expect_err("empty")
                .get();
            assert!(try_request(&mut limiter, wait - 1, &limits).is_err());
            assert_eq!(try_request(&mut limiter, wait, &limits), Ok(()));
        }
    }

    #[test]
    fn reads_use_at_most_half_of_the_rate() {
        let limits = Limits {
            burst: Some(4),
            ..LIMITS
        };
        let mut limiter = RateLimiter::default();
        let now = Timestamp::default();
        for _ in 0..2 {
            assert_eq!(
                limiter.check(now, &limits, &key('V'), EndpointClass::Read),
                Ok(())
            );
            limiter.consume(&key('V'), EndpointClass::Read);
        }
        assert!(
            limiter
                .check(now, &limits, &key('V'), EndpointClass::Read)
                .is_err()
        );
        assert_eq!(
            limiter.check(now, &limits, &key('V'), EndpointClass::Chat),
            Ok(())
        );
        let window = limiter.window(now, &limits, &key('V'), EndpointClass::Read);
        assert_eq!(
            window.map(|window| (window.limit, window.remaining)),
            Some((2, 0))
        );
    }

    #[test]
    fn zero_rejects_everything_and_null_admits_everything() {
        let mut limiter = RateLimiter::default();
        assert_eq!(
            try_request(&mut limiter, 0, &Limits::NOTHING),
            Err(RETRY_AFTER_ZERO_RATE)
        );
        assert_eq!(
            try_request(&mut limiter, u64::MAX, &Limits::NOTHING),
            Err(RETRY_AFTER_ZERO_RATE)
        );
        for _ in 0..10_000 {
            assert_eq!(try_request(&mut limiter, 0, &Limits::UNLIMITED), Ok(()));
        }
    }

    #[test]
    fn key_buckets_are_bounded() {
        let mut limiter = RateLimiter::default();
        for number in 0..5000_u64 {
            let id = ulid::Ulid::from_parts(number, 0);
            let key: KeyId = format!("key_{id}").parse().expect("id");
            let now = Timestamp::from_millis(number * 10_000);
            assert_eq!(
                limiter.check(now, &LIMITS, &key, EndpointClass::Chat),
                Ok(())
            );
            limiter.consume(&key, EndpointClass::Chat);
        }
        assert!(limiter.keys.len() <= MAX_KEYS);
    }
}
