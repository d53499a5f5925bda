//! Approximate last use of each key. Kept in memory and written to D1 in batches, so that a request
//! needs no write for it. A restart loses what is not written yet.

use std::collections::BTreeMap;

use crate::ids::KeyId;
use crate::time::{Millis, Timestamp};

/// Precision of a key's last use. A key in constant use is written once per interval.
pub const KEY_USAGE_RESOLUTION: Millis = Millis::from_secs(5 * 60);

/// Recently used keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KeyUsage {
    /// Not written yet.
    pending: BTreeMap<KeyId, Timestamp>,
    /// Written; removed once older than the resolution.
    written: BTreeMap<KeyId, Timestamp>,
}

impl KeyUsage {
    /// Records that a key was used.
    pub(super) fn record(&mut self, key: &KeyId, now: Timestamp) {
        let is_recent = |at: &Timestamp| now.since(*at) < KEY_USAGE_RESOLUTION;
        if self.written.get(key).is_some_and(is_recent) || self.pending.contains_key(key) {
            return;
        }
        self.pending.insert(key.clone(), now);
    }

    /// The uses that are not written yet.
    pub(super) fn pending(&self) -> impl Iterator<Item = (&KeyId, Timestamp)> {
        self.pending.iter().map(|(key, at)| (key, *at))
    }

    /// Marks uses as written.
    pub(super) fn mark_written(&mut self, uses: &[(KeyId, Timestamp)]) {
        let newest = uses.iter().map(|(_, at)| *at).max().unwrap_or_default();
        self.written
            .retain(|_, at| newest.since(*at) < KEY_USAGE_RESOLUTION);
        for (key, at) in uses {
            self.pending.remove(key);
            self.written.insert(key.clone(), *at);
        }
    }
}
