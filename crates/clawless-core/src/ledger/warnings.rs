//! Warnings before a quota is used up: each is sent once when the usage reaches a percentage.

use serde::{Deserialize, Serialize};

/// The percentages of a quota that are reported.
const PERCENTAGES: [u8; 2] = [80, 100];

/// How far the usage has to fall below a percentage, in points, until it is reported again.
const REARM_POINTS: u8 = 10;

/// Warnings that were sent: one bit per quota and percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Warned(u8);

impl Warned {
    /// The most quotas of one account: each has a bit per percentage.
    pub(super) const MAX_QUOTAS: usize = u8::BITS as usize / PERCENTAGES.len();

    /// Marks the warnings of a quota that are due as sent and returns their percentages. `at` is the
    /// position of the quota among those of the account.
    pub(super) fn take(&mut self, at: usize, used: u64, limit: u64) -> Vec<u8> {
        let mut due = Vec::new();
        for (step, percent) in PERCENTAGES.into_iter().enumerate() {
            let bit = bit(at, step);
            if used > 0 && reaches(used, limit, percent) && self.0 & bit == 0 {
                self.0 |= bit;
                due.push(percent);
            }
        }
        due
    }

    /// Lets the warnings of a quota be sent again whose usage has fallen clearly below them.
    pub(super) fn rearm(&mut self, at: usize, used: u64, limit: Option<u64>) {
        for (step, percent) in PERCENTAGES.into_iter().enumerate() {
            let is_near = |limit| used > 0 && reaches(used, limit, percent - REARM_POINTS);
            if !limit.is_some_and(is_near) {
                self.0 &= !bit(at, step);
            }
        }
    }

    /// The warnings of two rows of the same account.
    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no warning was sent.
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

const fn bit(at: usize, step: usize) -> u8 {
    1 << (PERCENTAGES.len() * at + step)
}

fn reaches(used: u64, limit: u64, percent: u8) -> bool {
    u128::from(used) * 100 >= u128::from(limit) * u128::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_percentage_is_due_once_for_each_quota() {
        let mut warned = Warned::default();
        assert!(warned.take(0, 79, 100).is_empty());
        assert_eq!(warned.take(0, 80, 100), [80]);
        assert_eq!(warned.take(2, 200, 100), [80, 100]);
        assert_eq!(warned.take(0, 100, 100), [100]);
        assert!(warned.take(0, 100, 100).is_empty());
        assert!(
            warned.take(1, 0, 0).is_empty(),
            "an unused quota of zero is not reported"
        );
    }

    #[test]
    fn a_warning_is_repeated_only_after_the_usage_has_clearly_fallen() {
        let mut warned = Warned::default();
        assert_eq!(warned.take(1, 85, 100), [80]);
        warned.rearm(1, 75, Some(100));
        assert!(warned.take(1, 85, 100).is_empty());
        warned.rearm(1, 69, Some(100));
        assert_eq!(warned.take(1, 85, 100), [80]);
        warned.rearm(1, 85, None);
        assert_eq!(warned.take(1, 85, 100), [80]);
    }
}
