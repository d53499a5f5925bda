//! Receipts and parked turns that are not in D1 yet.
//!
//! Both are sent at least once and acknowledged by id; sending twice is harmless.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::constants::{MAX_PARKED_BYTES, MAX_PARKED_TURN_BYTES, RESERVATION_TTL};
use super::input::ReceiptKey;
use super::period::Period;
use super::quotas::{Amounts, Tally};
use crate::ids::{KeyId, RequestId, SessionId};
use crate::json::Json;
use crate::money::{Provenance, Tokens};
use crate::storage::Storage;
use crate::time::Timestamp;

/// Outcome of one reservation. D1 stores one per request: a higher revision replaces a lower one, a
/// lower or equal one is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request.
    pub request_id: RequestId,
    /// 0, or 1 if a late settlement corrects the receipt of the sweep.
    pub revision: u32,
    /// The key of the request.
    pub key_id: KeyId,
    /// The session of a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The model that answered, or that was selected.
    pub model: String,
    /// The charged month.
    pub period: Period,
    /// When the call was admitted.
    pub granted_at: Timestamp,
    /// When the call was closed.
    pub closed_at: Timestamp,
    /// The reserved amounts.
    pub reserved: Amounts,
    /// The charged amounts: the whole usage, even beyond the reservation.
    pub charged: Amounts,
    /// Charged input tokens.
    pub tokens_in: Tokens,
    /// Charged output tokens.
    pub tokens_out: Tokens,
    /// Source of the usage.
    pub provenance: Provenance,
    /// Amounts charged by an earlier revision that D1 has stored already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Amounts>,
    /// What the turn has added to the stored content.
    #[serde(default)]
    pub stored: Storage,
}

impl Receipt {
    /// Usage beyond the reservation.
    pub fn excess(&self) -> Amounts {
        self.charged.minus(&self.reserved)
    }

    /// Adds the receipt to sums that include the revision it replaces, if any.
    pub(super) fn add_to(&self, sums: &Tally) -> Tally {
        let sums = sums.plus(&Tally::of(&self.reserved, &self.charged));
        match &self.replaces {
            Some(charged) => sums.minus(&Tally::of(&self.reserved, charged)),
            None => sums,
        }
    }
}

/// A turn whose commit D1 rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedTurn {
    /// Its request.
    pub request_id: RequestId,
    /// Its session; locked until D1 has the turn.
    pub session_id: SessionId,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// The content of the failed commit.
    pub turn: Json,
}

/// Everything that is not in D1 yet, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Outbox {
    receipts: BTreeMap<RequestId, Receipt>,
    turns: BTreeMap<RequestId, ParkedTurn>,
    parked_bytes: usize,
    /// Receipts of calls that the sweep closed without finding an outcome, until the recheck.
    swept: BTreeMap<RequestId, Receipt>,
}

impl Outbox {
    /// Whether the request is known to have ended. `false` is not proof: D1 may have its receipt.
    pub(super) fn has_ended(&self, id: &RequestId) -> bool {
        self.receipts.contains_key(id) || self.swept.contains_key(id)
    }

    pub(super) fn push(&mut self, receipt: Receipt) {
        self.receipts.insert(receipt.request_id.clone(), receipt);
    }

    pub(super) fn receipt(&self, id: &RequestId) -> Option<&Receipt> {
        self.receipts.get(id)
    }

    pub(super) fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts.values()
    }

    /// Removes a receipt that D1 has stored, unless it was corrected since.
    pub(super) fn ack(&mut self, key: &ReceiptKey) -> Option<Receipt> {
        if self.receipts.get(&key.request_id)?.revision != key.revision {
            return None;
        }
        self.receipts.remove(&key.request_id)
    }

    /// Remembers a receipt whose call may still report its outcome.
    pub(super) fn remember_swept(&mut self, receipt: Receipt) {
        self.swept.insert(receipt.request_id.clone(), receipt);
    }

    pub(super) fn take_swept(&mut self, id: &RequestId) -> Option<Receipt> {
        self.swept.remove(id)
    }

    pub(super) fn swept(&self, id: &RequestId) -> Option<&Receipt> {
        self.swept.get(id)
    }

    pub(super) fn all_swept(&self) -> impl Iterator<Item = &Receipt> {
        self.swept.values()
    }

    /// Time of the next recheck of a swept call.
    pub(super) fn next_recheck(&self) -> Option<Timestamp> {
        let due = self
            .swept
            .values()
            .map(|swept| swept.closed_at.plus(RESERVATION_TTL));
        due.min()
    }

    /// Swept calls that are due for a recheck.
    pub(super) fn rechecks_due(&self, now: Timestamp) -> impl Iterator<Item = &Receipt> {
        let due = move |swept: &&Receipt| swept.closed_at.plus(RESERVATION_TTL) <= now;
        self.swept.values().filter(due)
    }

    /// Whether there is room for a turn.
    pub(super) fn has_room_for(&self, turn: &Json) -> bool {
        let bytes = turn.as_str().len();
        bytes <= MAX_PARKED_TURN_BYTES
            && self.parked_bytes.saturating_add(bytes) <= MAX_PARKED_BYTES
    }

    pub(super) fn park(&mut self, turn: ParkedTurn) {
        self.parked_bytes = self.parked_bytes.saturating_add(turn.turn.as_str().len());
        self.turns.insert(turn.request_id.clone(), turn);
    }

    pub(super) fn unpark(&mut self, id: &RequestId) -> Option<ParkedTurn> {
        let turn = self.turns.remove(id)?;
        self.parked_bytes = self.parked_bytes.saturating_sub(turn.turn.as_str().len());
        Some(turn)
    }

    pub(super) fn turn(&self, id: &RequestId) -> Option<&ParkedTurn> {
        self.turns.get(id)
    }

    pub(super) fn turns(&self) -> impl Iterator<Item = &ParkedTurn> {
        self.turns.values()
    }
}
