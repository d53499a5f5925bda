//! When keys were last used, roughly: kept in memory and written to D1 now and then, so that a
//! request costs no write for it. A restart forgets what was not written yet.

use std::collections::BTreeMap;

use crate::ids::KeyId;
use crate::time::{Millis, Timestamp};

/// How exactly a key's last use is known. A key in use all the time is written once in it.
pub const USE_RESOLUTION: Millis = Millis::from_secs(5 * 60);

/// The keys that were used lately.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Uses {
    /// Not written yet.
    fresh: BTreeMap<KeyId, Timestamp>,
    /// Written; forgotten once they are older than the resolution.
    written: BTreeMap<KeyId, Timestamp>,
}

impl Uses {
    /// Notes that a key was used.
    pub(super) fn note(&mut self, key: &KeyId, now: Timestamp) {
        let is_known = |at: &Timestamp| now.since(*at) < USE_RESOLUTION;
        if self.written.get(key).is_some_and(is_known) || self.fresh.contains_key(key) {
            return;
        }
        self.fresh.insert(key.clone(), now);
    }

    /// What is not written yet.
    pub(super) fn fresh(&self) -> impl Iterator<Item = (&KeyId, Timestamp)> {
        self.fresh.iter().map(|(key, at)| (key, *at))
    }

    /// These are written.
    pub(super) fn written(&mut self, uses: &[(KeyId, Timestamp)]) {
        let newest = uses.iter().map(|(_, at)| *at).max().unwrap_or_default();
        self.written
            .retain(|_, at| newest.since(*at) < USE_RESOLUTION);
        for (key, at) in uses {
            self.fresh.remove(key);
            self.written.insert(key.clone(), *at);
        }
    }
}
