//! The machine's part of the storage quota: checks, changes and counts.

use super::admission::denied;
use super::input::{Input, StorageChange, StorageCount};
use super::machine::{Effects, Machine};
use super::output::{Denial, DenialReason, Event, LedgerAnswer, StorageReport, StorageUse};
use super::rows::RowKey;
use crate::ids::KeyId;
use crate::limits::StorageLimits;
use crate::storage::Storage;
use crate::time::{Millis, Timestamp};

/// Retry delay if running turns have reserved the rest of a storage quota.
const RETRY_AFTER_RESERVED: Millis = Millis::from_secs(1);

impl Machine {
    /// The stored content and its limits.
    pub fn storage(&self) -> StorageReport {
        StorageReport {
            used: self.storage.used(),
            reserved: self.storage.reserved(),
            limits: self.config.storage(),
        }
    }

    /// Whether D1 has to be counted before this input: the amounts are needed and unknown.
    pub fn needs_count(&self, input: &Input) -> bool {
        if self.storage.is_known() {
            return false;
        }
        let is_limited = self.config.storage() != StorageLimits::UNLIMITED;
        match input {
            Input::Admit(admit) => admit.session_id.is_some() && is_limited,
            Input::Forget { storage, .. } => storage.added != Storage::ZERO && is_limited,
            Input::Storage => true,
            _ => false,
        }
    }

    /// When D1 is to be counted next; a time in the past if it is due.
    pub fn next_count(&self) -> Option<Timestamp> {
        let due = self.storage.next_count()?;
        Some(self.clock.to_wall_clock(due))
    }

    /// Denies content that would exceed a storage quota.
    pub(super) fn check_storage(&mut self, added: &Storage) -> Result<(), LedgerAnswer> {
        let limits = self.config.storage();
        let Some((kind, is_used_up)) = self.storage.shortage(&limits, added) else {
            return Ok(());
        };
        // Expired or deleted content may still be counted.
        self.storage.request_count();
        let (reason, retry_after) = if is_used_up {
            (DenialReason::StorageUsedUp, None)
        } else {
            (DenialReason::StorageReserved, Some(RETRY_AFTER_RESERVED))
        };
        let LedgerAnswer::Denied(denial) = denied(reason, retry_after) else {
            return Ok(());
        };
        Err(LedgerAnswer::Denied(Denial {
            storage: Some(StorageUse {
                kind,
                used: self.storage.used().of(kind),
                reserved: self.storage.reserved().of(kind),
                requested: added.of(kind),
                limit: kind.limit(&limits).unwrap_or(u64::MAX),
            }),
            ..denial
        }))
    }

    /// Applies a change of content outside of turns. One that adds content may be denied.
    pub(super) fn change_storage(
        &mut self,
        change: &StorageChange,
        effects: &mut Effects,
    ) -> Result<(), LedgerAnswer> {
        if *change == StorageChange::default() {
            return Ok(());
        }
        self.check_storage(&change.added)?;
        self.storage.change(change);
        self.changed.push(RowKey::Config);
        self.emit_storage_warnings(None, effects);
        Ok(())
    }

    /// Sets the amounts to what D1 has, and to what changed since the count began.
    pub(super) fn set_storage(
        &mut self,
        now: Timestamp,
        count: &StorageCount,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        self.storage.set(now, count);
        self.changed.push(RowKey::Config);
        self.emit_storage_warnings(None, effects);
        LedgerAnswer::Done
    }

    /// Emits the warnings of storage quotas that are due. `key_id` is the key of the turn that added
    /// content.
    pub(super) fn emit_storage_warnings(&mut self, key_id: Option<&KeyId>, effects: &mut Effects) {
        let (warnings, is_changed) = self.storage.take_warnings(&self.config.storage());
        if is_changed {
            self.changed.push(RowKey::Config);
        }
        let events = warnings.into_iter().map(|(kind, percent, used, limit)| {
            let key_id = key_id.cloned();
            Event::StorageWarning {
                kind,
                percent,
                used,
                limit,
                key_id,
            }
        });
        effects.events.extend(events);
    }
}
