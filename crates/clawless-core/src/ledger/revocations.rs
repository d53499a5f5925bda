//! Revoked and revised keys. Keys that never changed have no entry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::KeyId;

/// Row of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyRow {
    pub(super) key_id: KeyId,
    #[serde(flatten)]
    pub(super) state: KeyState,
}

/// State of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct KeyState {
    /// Lowest accepted version of the key record.
    pub(super) version: u64,
    /// Permanent; a newer key record does not undo it.
    pub(super) revoked: bool,
}

/// Keys that changed after creation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Revocations(BTreeMap<KeyId, KeyState>);

impl Revocations {
    /// State of the key; the default if it never changed.
    pub(super) fn state(&self, key: &KeyId) -> KeyState {
        self.0.get(key).copied().unwrap_or_default()
    }

    /// State of the key, if it ever changed.
    pub(super) fn get(&self, key: &KeyId) -> Option<KeyState> {
        self.0.get(key).copied()
    }

    /// Revokes the key permanently. Returns `false` if it was revoked already.
    pub(super) fn revoke(&mut self, key: KeyId) -> bool {
        let state = self.0.entry(key).or_default();
        !std::mem::replace(&mut state.revoked, true)
    }

    /// Rejects key records older than `version`. Returns `false` if they were rejected already.
    pub(super) fn revise(&mut self, key: KeyId, version: u64) -> bool {
        let state = self.0.entry(key).or_default();
        let newer = version > state.version;
        state.version = state.version.max(version);
        newer
    }

    /// Keys with an entry.
    pub(super) fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.keys()
    }

    /// Restores a row.
    pub(super) fn restore(&mut self, row: KeyRow) {
        self.0.insert(row.key_id, row.state);
    }
}
