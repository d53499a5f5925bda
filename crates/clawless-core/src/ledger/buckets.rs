//! The rate limiter: token buckets per tenant, per key and per endpoint class.
//!
//! Buckets live in memory only. A restart forgets them, which at most refills one burst; writing
//! them down would cost a storage write per request.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::headers::Window;
use crate::ids::KeyId;
use crate::limits::Limits;
use crate::time::{Millis, Timestamp};

/// Kinds of routes that share a bucket. One per route, however its path is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointClass {
    /// Calls of a model.
    Chat,
    /// Lists and gets.
    Read,
    /// Changes of sessions and messages.
    Write,
}

impl EndpointClass {
    /// The share of the tenant's rate that routes of the class may take, in percent. Chat may have
    /// all of it; a dashboard that polls leaves half of it to chat.
    const fn share(self) -> u64 {
        match self {
            Self::Chat => 100,
            Self::Read | Self::Write => 50,
        }
    }
}

/// What one request takes from a bucket. A bucket gains `requests_per_minute` units a millisecond,
/// so that a request a minute is 60,000 units and all sums are whole.
const REQUEST: u64 = 60_000;
/// What a caller is told to wait where no request will ever pass.
const NEVER: Millis = Millis::from_secs(60);
/// How many keys' buckets are kept before the full ones, which are as good as none, are dropped.
const MAX_KEYS: usize = 1024;

/// How fast a bucket fills and how much it holds.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_minute: u64,
    capacity: u64,
}

impl Rate {
    /// The tenant's rate; none if it is unlimited.
    fn of(limits: &Limits) -> Option<Self> {
        Some(Self {
            per_minute: limits.requests_per_minute?,
            capacity: limits.burst?.saturating_mul(REQUEST),
        })
    }

    /// A share of the rate; at least one request where the whole lets any pass.
    fn share(self, percent: u64) -> Self {
        let part = |whole: u64| {
            let exact = u128::from(whole) * u128::from(percent) / 100;
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        Self {
            per_minute: part(self.per_minute).max(self.per_minute.min(1)),
            capacity: part(self.capacity).max(self.capacity.min(REQUEST)),
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

    /// Brings the bucket up to now. An error is the time until a request passes.
    fn ready(&mut self, rate: Rate, now: Timestamp) -> Result<(), Millis> {
        self.level = self.level(rate, now);
        self.at = now;
        match REQUEST.checked_sub(self.level) {
            None | Some(0) => Ok(()),
            Some(_) if rate.per_minute == 0 || rate.capacity < REQUEST => Err(NEVER),
            Some(missing) => Err(Millis::new(missing.div_ceil(rate.per_minute))),
        }
    }

    fn window(&self, rate: Rate, now: Timestamp) -> Window {
        let level = self.level(rate, now);
        let missing = rate.capacity - level;
        Window {
            limit: rate.capacity / REQUEST,
            remaining: level / REQUEST,
            reset: match (missing, rate.per_minute) {
                (0, _) => Millis::new(0),
                (_, 0) => NEVER,
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
    /// Whether a request may pass now; takes nothing. An error is the time until it may.
    pub(super) fn check(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        key: &KeyId,
        class: EndpointClass,
    ) -> Result<(), Millis> {
        let Some(rate) = Rate::of(limits) else {
            return Ok(());
        };
        let part = rate.share(class.share());
        let tenant = self.tenant.get_or_insert(Bucket::full(rate, now));
        let mut wait = tenant.ready(rate, now);
        let class = self.class(class).get_or_insert(Bucket::full(part, now));
        wait = longer(wait, class.ready(part, now));
        if let Some(bucket) = self.keys.get_mut(key) {
            return longer(wait, bucket.ready(rate, now));
        }
        if self.keys.len() >= MAX_KEYS {
            self.keys
                .retain(|_, kept| kept.level(rate, now) < rate.capacity);
        }
        self.keys.insert(key.clone(), Bucket::full(rate, now));
        wait
    }

    /// Takes a request from the buckets that [`Self::check`] found ready.
    pub(super) fn take(&mut self, key: &KeyId, class: EndpointClass) {
        let take = |bucket: &mut Bucket| bucket.level = bucket.level.saturating_sub(REQUEST);
        self.tenant.as_mut().map(take);
        self.class(class).as_mut().map(take);
        self.keys.get_mut(key).map(take);
    }

    /// How the tightest of the buckets stands.
    pub(super) fn window(
        &self,
        now: Timestamp,
        limits: &Limits,
        key: &KeyId,
        class: EndpointClass,
    ) -> Option<Window> {
        let rate = Rate::of(limits)?;
        let part = rate.share(class.share());
        let of_class = match class {
            EndpointClass::Chat => self.chat,
            EndpointClass::Read => self.read,
            EndpointClass::Write => self.write,
        };
        let stands = |bucket: Option<Bucket>, rate: Rate| {
            bucket.unwrap_or(Bucket::full(rate, now)).window(rate, now)
        };
        let tenant = stands(self.tenant, rate);
        let class = stands(of_class, part);
        let key = stands(self.keys.get(key).copied(), rate);
        let tighter = |one: Window, other: Window| {
            if other.remaining < one.remaining {
                other
            } else {
                one
            }
        };
        Some(tighter(tighter(tenant, key), class))
    }

    fn class(&mut self, class: EndpointClass) -> &mut Option<Bucket> {
        match class {
            EndpointClass::Chat => &mut self.chat,
            EndpointClass::Read => &mut self.read,
            EndpointClass::Write => &mut self.write,
        }
    }
}

fn longer(one: Result<(), Millis>, other: Result<(), Millis>) -> Result<(), Millis> {
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

    fn pass(limiter: &mut RateLimiter, at: u64, limits: &Limits) -> Result<(), Millis> {
        let now = Timestamp::from_millis(at);
        limiter.check(now, limits, &key('V'), EndpointClass::Chat)?;
        limiter.take(&key('V'), EndpointClass::Chat);
        Ok(())
    }

    #[test]
    fn a_burst_passes_and_then_one_request_a_second() {
        let mut limiter = RateLimiter::default();
        for _ in 0..3 {
            assert_eq!(pass(&mut limiter, 0, &LIMITS), Ok(()));
        }
        assert_eq!(pass(&mut limiter, 0, &LIMITS), Err(Millis::new(1000)));
        assert_eq!(pass(&mut limiter, 999, &LIMITS), Err(Millis::new(1)));
        assert_eq!(pass(&mut limiter, 1000, &LIMITS), Ok(()));
        assert_eq!(pass(&mut limiter, 1000, &LIMITS), Err(Millis::new(1000)));
    }

    #[test]
    fn the_time_to_wait_is_true_for_any_rate() {
        for per_minute in [1, 7, 59, 61, 1000, 59_999, 60_000, 100_000] {
            let limits = Limits {
                requests_per_minute: Some(per_minute),
                burst: Some(1),
                ..LIMITS
            };
            let mut limiter = RateLimiter::default();
            assert_eq!(pass(&mut limiter, 0, &limits), Ok(()));
            let wait = pass(&mut limiter, 0, &limits).expect_err("empty").get();
            assert!(pass(&mut limiter, wait - 1, &limits).is_err());
            assert_eq!(pass(&mut limiter, wait, &limits), Ok(()));
        }
    }

    #[test]
    fn reads_leave_half_of_the_rate_to_chat() {
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
            limiter.take(&key('V'), EndpointClass::Read);
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
    fn zero_lets_nothing_pass_and_null_everything() {
        let mut limiter = RateLimiter::default();
        assert_eq!(pass(&mut limiter, 0, &Limits::NOTHING), Err(NEVER));
        assert_eq!(pass(&mut limiter, u64::MAX, &Limits::NOTHING), Err(NEVER));
        for _ in 0..10_000 {
            assert_eq!(pass(&mut limiter, 0, &Limits::UNLIMITED), Ok(()));
        }
    }

    #[test]
    fn many_keys_do_not_fill_the_memory() {
        let mut limiter = RateLimiter::default();
        for number in 0..5000_u64 {
            let id = ulid::Ulid::from_parts(number, 0);
            let key: KeyId = format!("key_{id}").parse().expect("id");
            let now = Timestamp::from_millis(number * 10_000);
            assert_eq!(
                limiter.check(now, &LIMITS, &key, EndpointClass::Chat),
                Ok(())
            );
            limiter.take(&key, EndpointClass::Chat);
        }
        assert!(limiter.keys.len() <= MAX_KEYS);
    }
}
