//! How long to wait before a failed call is tried again.

use crate::time::Millis;

/// The first wait is drawn from zero to this; each further wait from twice as much.
const BASE: Millis = Millis::new(250);

/// No wait is drawn from more than this.
const CEILING: Millis = Millis::from_secs(4);

/// The longest wait that a provider may ask for and get. Whoever asks for more is better answered
/// by telling the client how long to wait.
pub const MAX_RETRY_AFTER: Millis = Millis::from_secs(3);

/// The wait before retry number `retry` (from 0), with full jitter: any span from zero to the
/// bound is as likely as any other, so that clients that failed together do not return together.
/// `random` is uniform. Where the provider said how long to wait, it is not asked sooner; `None`
/// where that, or the time that is `left`, forbids another try.
pub fn before_retry(
    retry: u32,
    retry_after: Option<Millis>,
    random: u32,
    left: Millis,
) -> Option<Millis> {
    let doubled = BASE.get().saturating_mul(1 << retry.min(16));
    let bound = doubled.min(CEILING.get());
    // `random` / 2^32 of the bound; the bound is far below 2^32, so nothing overflows.
    let jitter = (bound * u64::from(random)) >> 32;
    let asked = retry_after.unwrap_or_default();
    let wait = Millis::new(jitter.max(asked.get()));
    (asked <= MAX_RETRY_AFTER && wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: Millis = Millis::from_secs(600);

    #[test]
    fn waits_grow_to_a_ceiling_and_use_the_whole_range() {
        for (retry, bound) in [(0, 250), (1, 500), (2, 1000), (9, 4000), (u32::MAX, 4000)] {
            let wait = |random| {
                before_retry(retry, None, random, AGES)
                    .expect("a wait")
                    .get()
            };
            assert_eq!(wait(0), 0);
            assert_eq!(wait(u32::MAX), bound - 1);
            assert_eq!(wait(1 << 31), bound / 2);
        }
    }

    #[test]
    fn a_provider_is_not_asked_sooner_than_it_said_nor_waited_for_too_long() {
        let after = |millis| before_retry(0, Some(Millis::new(millis)), 0, AGES);
        assert_eq!(after(1500), Some(Millis::new(1500)));
        assert_eq!(after(3000), Some(Millis::new(3000)));
        assert_eq!(after(3001), None);
    }

    #[test]
    fn no_wait_outlasts_the_deadline() {
        assert_eq!(before_retry(0, None, u32::MAX, Millis::new(100)), None);
        assert_eq!(before_retry(0, None, 0, Millis::new(0)), None);
    }
}
