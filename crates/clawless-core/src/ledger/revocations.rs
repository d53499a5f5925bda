//! What the ledger knows of keys: only of those that changed after they were made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::KeyId;

/// What the ledger knows of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyRow {
    pub(super) key_id: KeyId,
    #[serde(flatten)]
    pub(super) state: KeyState,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct KeyState {
    /// The lowest version of the record that may be gone by.
    pub(super) version: u64,
    /// A revoked key stays revoked, whatever a record says.
    pub(super) revoked: bool,
}

/// The keys that changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Revocations(BTreeMap<KeyId, KeyState>);

impl Revocations {
    /// How the key stands.
    pub(super) fn state(&self, key: &KeyId) -> KeyState {
        self.0.get(key).copied().unwrap_or_default()
    }

    /// How the key stands, if it ever changed.
    pub(super) fn get(&self, key: &KeyId) -> Option<KeyState> {
        self.0.get(key).copied()
    }

    /// Refuses the key for ever. `false`: it was refused already.
    pub(super) fn revoke(&mut self, key: KeyId) -> bool {
        let state = self.0.entry(key).or_default();
        !std::mem::replace(&mut state.revoked, true)
    }

    /// Refuses copies of the record older than `version`. `false`: they were refused already.
    pub(super) fn revise(&mut self, key: KeyId, version: u64) -> bool {
        let state = self.0.entry(key).or_default();
        let newer = version > state.version;
        state.version = state.version.max(version);
        newer
    }

    /// The keys that ever changed.
    pub(super) fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.0.keys()
    }

    /// Takes back a row.
    pub(super) fn restore(&mut self, row: KeyRow) {
        self.0.insert(row.key_id, row.state);
    }
}
