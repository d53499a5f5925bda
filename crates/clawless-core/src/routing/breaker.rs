//! Circuit breakers per provider and model: a model that failed repeatedly is skipped for a while.
//!
//! A failure may be caused by the request of one tenant, for example by content that makes the
//! provider fail. Therefore each tenant has its own breaker, and the breaker that all tenants share
//! counts at most [`MAX_FAILURES_PER_TENANT`] failures of each tenant, fewer than it needs to open.

use std::collections::HashMap;

use crate::time::{Millis, Timestamp};

/// Consecutive failures that open a breaker.
const MAX_FAILURES: u32 = 5;

/// Failures of one tenant that the shared breaker counts at most. Below [`MAX_FAILURES`], so that
/// one tenant cannot open it.
const MAX_FAILURES_PER_TENANT: u32 = 3;

/// Failures further apart than this are not consecutive.
const FAILURE_WINDOW: Millis = Millis::from_secs(60);

/// Time that a breaker stays open at first; each failed probe doubles it.
const MIN_OPEN_TIME: Millis = Millis::from_secs(5);

/// Longest time that a breaker stays open.
const MAX_OPEN_TIME: Millis = Millis::from_secs(120);

/// Time after which another probe is admitted: the first one may have been cancelled.
const PROBE_TIMEOUT: Millis = Millis::from_secs(60);

/// Most models with breaker state. Above it, the least recently failed one is removed.
const MAX_MODELS: usize = 256;

/// Most tenants with their own breaker per model. Above it, the least recently failed one is removed.
const MAX_TENANTS: usize = 64;

/// One breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Calls are admitted.
    Closed {
        /// Consecutive failures.
        failures: u32,
        /// Time of the last failure.
        last: Timestamp,
    },
    /// No calls are admitted.
    Open {
        /// Until when.
        until: Timestamp,
        /// Duration of this open phase.
        duration: Millis,
    },
    /// One call, the probe, tests the provider.
    HalfOpen {
        /// Start of the probe.
        since: Timestamp,
        /// Duration of the previous open phase.
        duration: Millis,
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
    /// Whether [`admit`](Self::admit) would admit a call.
    fn is_ready(&self, now: Timestamp) -> bool {
        match *self {
            Self::Closed { .. } => true,
            Self::Open { until, .. } => now >= until,
            Self::HalfOpen { since, .. } => now.since(since) >= PROBE_TIMEOUT,
        }
    }

    /// Whether a call is admitted. A call admitted after an open phase is a probe; its outcome must
    /// be reported.
    pub fn admit(&mut self, now: Timestamp) -> bool {
        let is_ready = self.is_ready(now);
        if let Self::Open { duration, .. } | Self::HalfOpen { duration, .. } = *self
            && is_ready
        {
            *self = Self::HalfOpen {
                since: now,
                duration,
            };
        }
        is_ready
    }

    /// Records a successful call.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// Ends a probe that was not sent: the next call is one.
    pub fn release(&mut self, now: Timestamp) {
        if let Self::HalfOpen { duration, .. } = *self {
            let until = now;
            *self = Self::Open { until, duration };
        }
    }

    /// Records a failure of the provider.
    pub fn fail(&mut self, now: Timestamp) {
        *self = match *self {
            Self::Closed { failures, last } => {
                let is_consecutive = failures > 0 && now.since(last) <= FAILURE_WINDOW;
                let failures = if is_consecutive { failures + 1 } else { 1 };
                if failures >= MAX_FAILURES {
                    open(now, MIN_OPEN_TIME)
                } else {
                    Self::Closed {
                        failures,
                        last: now,
                    }
                }
            }
            Self::HalfOpen { duration, .. } => {
                open(now, duration.plus(duration).min(MAX_OPEN_TIME))
            }
            // A call that started before the breaker opened.
            open @ Self::Open { .. } => open,
        };
    }
}

const fn open(now: Timestamp, duration: Millis) -> Breaker {
    Breaker::Open {
        until: now.plus(duration),
        duration,
    }
}

/// A breaker and the time of its last failure.
#[derive(Debug, Clone, Copy, Default)]
struct TenantBreaker {
    breaker: Breaker,
    failed_at: Timestamp,
}

/// The breakers of one model.
#[derive(Debug, Clone, Default)]
struct ModelBreakers {
    shared: Breaker,
    /// Failures of each tenant that the closed shared breaker has counted.
    counted: HashMap<String, u32>,
    tenants: HashMap<String, TenantBreaker>,
    failed_at: Timestamp,
}

impl ModelBreakers {
    fn admit(&mut self, tenant: &str, now: Timestamp) -> bool {
        let own = self.tenants.get_mut(tenant).map(|it| &mut it.breaker);
        // Checked before admission: a probe that one breaker admits must not be stopped by the other.
        let is_ready =
            self.shared.is_ready(now) && own.as_ref().is_none_or(|own| own.is_ready(now));
        if is_ready {
            self.shared.admit(now);
            if let Some(own) = own {
                own.admit(now);
            }
        }
        is_ready
    }

    fn succeed(&mut self, tenant: &str) {
        self.shared.succeed();
        self.counted.clear();
        self.tenants.remove(tenant);
    }

    fn release(&mut self, tenant: &str, now: Timestamp) {
        self.shared.release(now);
        if let Some(own) = self.tenants.get_mut(tenant) {
            own.breaker.release(now);
        }
    }

    fn fail(&mut self, tenant: &str, now: Timestamp) {
        self.failed_at = now;
        self.fail_tenant(tenant, now);
        match self.shared {
            Breaker::Closed { last, .. } => {
                if now.since(last) > FAILURE_WINDOW {
                    self.counted.clear();
                }
                let counted = self.counted.entry(tenant.to_owned()).or_default();
                if *counted < MAX_FAILURES_PER_TENANT {
                    *counted += 1;
                    self.shared.fail(now);
                }
            }
            Breaker::Open { .. } | Breaker::HalfOpen { .. } => {
                self.counted.clear();
                self.shared.fail(now);
            }
        }
    }

    fn fail_tenant(&mut self, tenant: &str, now: Timestamp) {
        if self.tenants.len() >= MAX_TENANTS && !self.tenants.contains_key(tenant) {
            let oldest = self.tenants.iter().min_by_key(|(_, it)| it.failed_at);
            if let Some(oldest) = oldest.map(|(tenant, _)| tenant.clone()) {
                self.tenants.remove(&oldest);
            }
        }
        let own = self.tenants.entry(tenant.to_owned()).or_default();
        own.failed_at = now;
        own.breaker.fail(now);
    }
}

/// The breakers of all recently failed models, by provider and model.
#[derive(Debug, Clone, Default)]
pub struct Breakers(HashMap<(String, String), ModelBreakers>);

impl Breakers {
    /// Whether a call of a tenant to this model is admitted; see [`Breaker::admit`].
    pub fn admit(&mut self, provider: &str, model: &str, tenant: &str, now: Timestamp) -> bool {
        // Healthy models have no entry.
        if self.0.is_empty() {
            return true;
        }
        let breakers = self.0.get_mut(&key(provider, model));
        breakers.is_none_or(|breakers| breakers.admit(tenant, now))
    }

    /// Records a successful call of this model.
    pub fn succeed(&mut self, provider: &str, model: &str, tenant: &str) {
        if self.0.is_empty() {
            return;
        }
        let key = key(provider, model);
        if let Some(breakers) = self.0.get_mut(&key) {
            breakers.succeed(tenant);
            if breakers.tenants.is_empty() {
                self.0.remove(&key);
            }
        }
    }

    /// Records that an admitted call of this model was not sent.
    pub fn release(&mut self, provider: &str, model: &str, tenant: &str, now: Timestamp) {
        if let Some(breakers) = self.0.get_mut(&key(provider, model)) {
            breakers.release(tenant, now);
        }
    }

    /// Records a failure of the provider in a call of this model.
    pub fn fail(&mut self, provider: &str, model: &str, tenant: &str, now: Timestamp) {
        let key = key(provider, model);
        if self.0.len() >= MAX_MODELS && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, it)| it.failed_at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.entry(key).or_default().fail(tenant, now);
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

    fn open_breaker() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..MAX_FAILURES {
            breaker.fail(at(0));
        }
        breaker
    }

    #[test]
    fn five_consecutive_failures_open_a_breaker() {
        let mut breaker = Breaker::default();
        for round in 0..50 {
            breaker.fail(at(round));
            if round % 4 == 3 {
                breaker.succeed();
            }
            assert!(breaker.admit(at(round)), "{round}");
        }
        assert!(!open_breaker().admit(at(4)));
    }

    #[test]
    fn failures_far_apart_do_not_open_a_breaker() {
        let mut breaker = Breaker::default();
        for round in 0..50 {
            breaker.fail(at(round * 61));
            assert!(breaker.admit(at(round * 61)));
        }
    }

    #[test]
    fn one_probe_decides_after_the_open_phase() {
        let mut breaker = open_breaker();
        assert!(breaker.admit(at(5)));
        assert!(!breaker.admit(at(5)), "one probe at a time");
        breaker.succeed();
        assert!(breaker.admit(at(5)));

        let mut breaker = open_breaker();
        assert!(breaker.admit(at(5)));
        breaker.fail(at(6));
        assert!(!breaker.admit(at(15)), "the open phase has doubled");
        assert!(breaker.admit(at(16)));
    }

    #[test]
    fn a_lost_probe_does_not_block_permanently() {
        let mut breaker = open_breaker();
        assert!(breaker.admit(at(5)));
        assert!(!breaker.admit(at(64)));
        assert!(breaker.admit(at(65)));
    }

    #[test]
    fn open_phases_are_bounded_and_admit_one_probe_under_random_events() {
        // A small deterministic generator: the same sequence in every run.
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
                if let Breaker::Open { until, duration } = breaker {
                    assert!(duration <= MAX_OPEN_TIME && until.since(now) <= MAX_OPEN_TIME);
                }
                let mut later = breaker;
                assert!(later.admit(now.plus(MAX_OPEN_TIME)), "never stuck");
            }
        }
    }

    #[test]
    fn breakers_are_bounded_and_separate_per_provider_and_model() {
        let mut breakers = Breakers::default();
        for number in 0..1000_u64 {
            breakers.fail("p", &number.to_string(), "a", at(number));
        }
        assert_eq!(breakers.0.len(), MAX_MODELS);
        for tenant in ["a", "b", "a", "b", "a"] {
            breakers.fail("p", "m", tenant, at(1000));
        }
        assert!(!breakers.admit("p", "m", "c", at(1001)));
        assert!(breakers.admit("q", "m", "c", at(1001)));
        assert!(breakers.admit("p", "n", "c", at(1001)));
        assert!(breakers.admit("p", "m", "c", at(1005)));
        breakers.succeed("p", "m", "c");
        assert!(breakers.admit("p", "m", "c", at(1005)));
    }

    #[test]
    fn failures_of_one_tenant_open_its_own_breaker_only() {
        let mut breakers = Breakers::default();
        for _ in 0..100 {
            breakers.fail("p", "m", "a", at(0));
        }
        assert!(!breakers.admit("p", "m", "a", at(1)));
        assert!(breakers.admit("p", "m", "b", at(1)));
        breakers.fail("p", "m", "b", at(2));
        assert!(breakers.admit("p", "m", "b", at(2)), "4 counted failures");
        breakers.fail("p", "m", "c", at(2));
        assert!(!breakers.admit("p", "m", "b", at(2)), "5 counted failures");
    }

    #[test]
    fn a_tenant_with_an_open_breaker_does_not_take_the_shared_probe() {
        let mut breakers = Breakers::default();
        for tenant in ["b", "b", "b", "a", "a"] {
            breakers.fail("p", "m", tenant, at(0));
        }
        // The own breaker of `a` opens later than the shared one.
        for _ in 0..3 {
            breakers.fail("p", "m", "a", at(3));
        }
        assert!(!breakers.admit("p", "m", "a", at(6)));
        assert!(breakers.admit("p", "m", "b", at(6)));
    }

    #[test]
    fn a_success_of_one_tenant_keeps_the_breaker_of_another() {
        let mut breakers = Breakers::default();
        for _ in 0..MAX_FAILURES {
            breakers.fail("p", "m", "a", at(0));
        }
        breakers.succeed("p", "m", "b");
        assert!(!breakers.admit("p", "m", "a", at(1)));
        for number in 0..1000_u64 {
            breakers.fail("p", "m", &number.to_string(), at(number * 61));
            assert!(
                breakers
                    .0
                    .values()
                    .all(|it| it.tenants.len() <= MAX_TENANTS)
            );
        }
    }
}
