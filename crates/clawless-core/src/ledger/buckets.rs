//! The rate limiter: token buckets per tenant and endpoint class, and per key that has a rate of its own.
//!
//! Buckets are kept in memory only. A restart refills at most one burst; persisting them would cost
//! one storage write per request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::headers::Window;
use crate::ids::KeyId;
use crate::limits::{ClassShares, KeyLimits, Limits, Percent};
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
    /// Share of the tenant's rate that the class can use.
    const fn share(self, shares: ClassShares) -> Percent {
        match self {
            Self::Chat => shares.chat,
            Self::Read => shares.read,
            Self::Write => shares.write,
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

    /// The key's own rate; none if only the tenant's applies.
    fn from_key_limits(limits: &KeyLimits) -> Option<Self> {
        let per_minute = limits.requests_per_minute?;
        Some(Self {
            per_minute,
            capacity: limits
                .burst
                .unwrap_or(per_minute)
                .saturating_mul(UNITS_PER_REQUEST),
        })
    }

    /// The part of the rate that a class of endpoints can use.
    fn of_class(self, class: EndpointClass, shares: ClassShares) -> Self {
        self.share(class.share(shares).get().into())
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

/// A request that the rate limiter does not admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateExceeded {
    /// The time until it is admitted.
    pub(super) wait: Millis,
    /// Whether only the key's own rate is exceeded, and not the tenant's.
    pub(super) of_key: bool,
}

/// All buckets of a tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct RateLimiter {
    tenant: Option<Bucket>,
    chat: Option<Bucket>,
    read: Option<Bucket>,
    write: Option<Bucket>,
    /// The keys with a rate of their own.
    keys: BTreeMap<KeyId, (Rate, Bucket)>,
}

impl RateLimiter {
    /// Checks whether a request is admitted, without consuming.
    pub(super) fn check(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        (key, key_limits): (&KeyId, &KeyLimits),
        class: EndpointClass,
    ) -> Result<(), RateExceeded> {
        let of_tenant = self.check_tenant(now, limits, class);
        let of_key = self.check_key(now, key, key_limits);
        let of_key_only = of_tenant.is_ok();
        longer_wait(of_tenant, of_key).map_err(|wait| RateExceeded {
            wait,
            of_key: of_key_only,
        })
    }

    fn check_tenant(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        class: EndpointClass,
    ) -> Result<(), Millis> {
        let Some(rate) = Rate::from_limits(limits) else {
            return Ok(());
        };
        let class_rate = rate.of_class(class, limits.shares);
        let tenant = self.tenant.get_or_insert(Bucket::full(rate, now));
        let wait = tenant.refill(rate, now);
        let class = self
            .class(class)
            .get_or_insert(Bucket::full(class_rate, now));
        longer_wait(wait, class.refill(class_rate, now))
    }

    fn check_key(&mut self, now: Timestamp, key: &KeyId, limits: &KeyLimits) -> Result<(), Millis> {
        let Some(rate) = Rate::from_key_limits(limits) else {
            self.keys.remove(key);
            return Ok(());
        };
        if let Some((known, bucket)) = self.keys.get_mut(key) {
            *known = rate;
            return bucket.refill(rate, now);
        }
        if self.keys.len() >= MAX_KEYS {
            self.keys
                .retain(|_, (rate, bucket)| bucket.level(*rate, now) < rate.capacity);
        }
        let mut bucket = Bucket::full(rate, now);
        let wait = bucket.refill(rate, now);
        self.keys.insert(key.clone(), (rate, bucket));
        wait
    }

    /// Consumes one request from the buckets that [`Self::check`] accepted.
    pub(super) fn consume(&mut self, key: &KeyId, class: EndpointClass) {
        let consume =
            |bucket: &mut Bucket| bucket.level = bucket.level.saturating_sub(UNITS_PER_REQUEST);
        self.tenant.as_mut().map(consume);
        self.class(class).as_mut().map(consume);
        if let Some((_, bucket)) = self.keys.get_mut(key) {
            consume(bucket);
        }
    }

    /// State of the bucket with the fewest remaining requests.
    pub(super) fn window(
        &self,
        now: Timestamp,
        limits: &Limits,
        key: &KeyId,
        class: EndpointClass,
    ) -> Option<Window> {
        let window = |bucket: Option<Bucket>, rate: Rate| {
            bucket.unwrap_or(Bucket::full(rate, now)).window(rate, now)
        };
        let rate = Rate::from_limits(limits);
        let of_class = match class {
            EndpointClass::Chat => self.chat,
            EndpointClass::Read => self.read,
            EndpointClass::Write => self.write,
        };
        let tenant = rate.map(|rate| window(self.tenant, rate));
        let class = rate.map(|rate| window(of_class, rate.of_class(class, limits.shares)));
        let key = self.keys.get(key);
        let key = key.map(|(rate, bucket)| window(Some(*bucket), *rate));
        let windows = [tenant, key, class].into_iter().flatten();
        windows.min_by_key(|window| window.remaining)
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
        shares: ClassShares::DEFAULT,
    };

    const NO_LIMITS: KeyLimits = KeyLimits {
        requests_per_minute: None,
        burst: None,
        concurrent: None,
    };

    fn key(last: char) -> KeyId {
        format!("key_01ARZ3NDEKTSV4RRFFQ69G5FA{last}")
            .parse()
            .expect("id")
    }

    fn try_request(limiter: &mut RateLimiter, at: u64, limits: &Limits) -> Result<(), Millis> {
        try_with_key(limiter, at, limits, 'V', &NO_LIMITS).map_err(|exceeded| exceeded.wait)
    }

    fn try_with_key(
        limiter: &mut RateLimiter,
        at: u64,
        limits: &Limits,
        name: char,
        key_limits: &KeyLimits,
    ) -> Result<(), RateExceeded> {
        let now = Timestamp::from_millis(at);
        let caller = (&key(name), key_limits);
        limiter.check(now, limits, caller, EndpointClass::Chat)?;
        limiter.consume(&key(name), EndpointClass::Chat);
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
                limiter.check(now, &limits, (&key('V'), &NO_LIMITS), EndpointClass::Read),
                Ok(())
            );
            limiter.consume(&key('V'), EndpointClass::Read);
        }
        assert!(
            limiter
                .check(now, &limits, (&key('V'), &NO_LIMITS), EndpointClass::Read)
                .is_err()
        );
        assert_eq!(
            limiter.check(now, &limits, (&key('V'), &NO_LIMITS), EndpointClass::Chat),
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
    fn a_key_with_a_rate_of_its_own_leaves_the_rest_to_the_other_keys() {
        let own = KeyLimits {
            requests_per_minute: Some(6),
            burst: Some(1),
            concurrent: None,
        };
        let mut limiter = RateLimiter::default();
        let try_own = |limiter: &mut RateLimiter, at| try_with_key(limiter, at, &LIMITS, 'A', &own);
        assert_eq!(try_own(&mut limiter, 0), Ok(()));
        let exceeded = RateExceeded {
            wait: Millis::new(10_000),
            of_key: true,
        };
        for _ in 0..10 {
            assert_eq!(try_own(&mut limiter, 0), Err(exceeded));
        }
        let window = |limiter: &RateLimiter, name| {
            let now = Timestamp::default();
            let window = limiter.window(now, &LIMITS, &key(name), EndpointClass::Chat);
            window.map(|window| (window.limit, window.remaining, window.reset.get()))
        };
        assert_eq!(window(&limiter, 'A'), Some((1, 0, 10_000)));
        assert_eq!(window(&limiter, 'B'), Some((3, 2, 1000)));
        assert_eq!(try_request(&mut limiter, 0, &LIMITS), Ok(()));
        assert_eq!(try_request(&mut limiter, 0, &LIMITS), Ok(()));
        let exceeded = try_own(&mut limiter, 0).expect_err("both rates");
        assert_eq!((exceeded.wait.get(), exceeded.of_key), (10_000, false));
        assert_eq!(try_own(&mut limiter, 10_000), Ok(()));
        // Changed limits apply at once: a smaller burst, and none.
        let nothing = KeyLimits {
            requests_per_minute: Some(0),
            ..own
        };
        let denied = try_with_key(&mut limiter, 20_000, &LIMITS, 'C', &nothing);
        assert_eq!(denied.map_err(|it| it.of_key), Ok(()), "the burst");
        let denied = try_with_key(&mut limiter, 20_000, &LIMITS, 'C', &nothing);
        assert_eq!(denied.map_err(|it| it.of_key), Err(true), "no refill");
        assert_eq!(
            try_with_key(&mut limiter, 20_000, &LIMITS, 'C', &NO_LIMITS),
            Ok(())
        );
        assert!(!limiter.keys.contains_key(&key('C')));
    }

    #[test]
    fn the_burst_of_a_key_is_a_minute_of_its_rate_if_absent_even_without_a_limit_of_the_tenant() {
        let own = KeyLimits {
            requests_per_minute: Some(2),
            ..NO_LIMITS
        };
        let mut limiter = RateLimiter::default();
        let unlimited = Limits::UNLIMITED;
        for _ in 0..2 {
            assert_eq!(try_with_key(&mut limiter, 0, &unlimited, 'A', &own), Ok(()));
        }
        let exceeded = try_with_key(&mut limiter, 0, &unlimited, 'A', &own);
        assert_eq!(exceeded.map_err(|it| it.wait.get()), Err(30_000));
        assert_eq!(try_request(&mut limiter, 0, &unlimited), Ok(()));
    }

    #[test]
    fn the_share_of_a_class_is_the_tenants() {
        let shares =
            r#"{"requests_per_minute":60,"burst":100,"concurrent":null,"shares":{"read":3}}"#;
        let limits: Limits = serde_json::from_str(shares).expect("limits");
        let mut limiter = RateLimiter::default();
        let now = Timestamp::default();
        let mut admitted = |class, most: usize| {
            let caller = (&key('V'), &NO_LIMITS);
            let requests = (0..most).take_while(|_| {
                let checked = limiter.check(now, &limits, caller, class);
                limiter.consume(&key('V'), class);
                checked.is_ok()
            });
            requests.count()
        };
        assert_eq!(admitted(EndpointClass::Read, 50), 3);
        assert_eq!(admitted(EndpointClass::Write, 50), 50);
    }

    #[test]
    fn key_buckets_are_bounded() {
        let mut limiter = RateLimiter::default();
        for number in 0..5000_u64 {
            let id = ulid::Ulid::from_parts(number, 0);
            let key: KeyId = format!("key_{id}").parse().expect("id");
            let now = Timestamp::from_millis(number * 10_000);
            let limits = KeyLimits {
                requests_per_minute: Some(60),
                ..NO_LIMITS
            };
            assert_eq!(
                limiter.check(now, &LIMITS, (&key, &limits), EndpointClass::Chat),
                Ok(())
            );
            limiter.consume(&key, EndpointClass::Chat);
        }
        assert!(limiter.keys.len() <= MAX_KEYS);
    }
}
