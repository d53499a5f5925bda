//! What is on its way to D1: receipts, and turns that D1 refused at first.
//!
//! Both are sent at least once and acknowledged by id, so that sending twice is harmless.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quotas::{Amounts, Tally};
use super::{MAX_PARKED, MAX_PARKED_TURN, Period, RESERVATION_SPAN, ReceiptKey};
use crate::ids::{KeyId, RequestId, SessionId};
use crate::json::Json;
use crate::money::{Provenance, Tokens};
use crate::time::Timestamp;

/// What became of one reservation. D1 keeps one per request: a higher revision replaces a lower
/// one, a lower or equal one changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request.
    pub request_id: RequestId,
    /// 0, or 1 where a late settlement corrects what the sweep had written.
    pub revision: u32,
    /// The key that asked.
    pub key_id: KeyId,
    /// The session, if it was a turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The model that answered, or that was to answer.
    pub model: String,
    /// The month that is charged.
    pub period: Period,
    /// When the call was admitted.
    pub granted_at: Timestamp,
    /// When the call was closed.
    pub closed_at: Timestamp,
    /// What was reserved.
    pub reserved: Amounts,
    /// What is charged: all that was used, whether reserved or not.
    pub charged: Amounts,
    /// Tokens of the request among what is charged.
    pub tokens_in: Tokens,
    /// Tokens of the answers among what is charged.
    pub tokens_out: Tokens,
    /// How the usage is known.
    pub provenance: Provenance,
    /// What an earlier revision charged that D1 has taken already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Amounts>,
}

impl Receipt {
    /// How much was used beyond the reservation.
    pub fn excess(&self) -> Amounts {
        self.charged.minus(&self.reserved)
    }

    /// Adds the receipt to sums that hold what it replaces, if anything.
    pub(super) fn file(&self, sums: &Tally) -> Tally {
        let sums = sums.plus(&Tally::of(&self.reserved, &self.charged));
        match &self.replaces {
            Some(charged) => sums.minus(&Tally::of(&self.reserved, charged)),
            None => sums,
        }
    }
}

/// A turn that D1 refused at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedTurn {
    /// Its request.
    pub request_id: RequestId,
    /// Its session, which is held until D1 has the turn.
    pub session_id: SessionId,
    /// When it was parked.
    pub parked_at: Timestamp,
    /// All that the commit would have written.
    pub turn: Json,
}

/// Everything that is on its way to D1, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Outbox {
    receipts: BTreeMap<RequestId, Receipt>,
    turns: BTreeMap<RequestId, ParkedTurn>,
    parked_bytes: usize,
    /// Receipts of calls whose end the sweep did not find, until it looks again.
    swept: BTreeMap<RequestId, Receipt>,
}

impl Outbox {
    /// Whether the request is known to have ended. It may have and not be known: then D1 knows.
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

    /// Removes a receipt that D1 has, unless it was corrected meanwhile.
    pub(super) fn ack(&mut self, key: &ReceiptKey) -> Option<Receipt> {
        if self.receipts.get(&key.request_id)?.revision != key.revision {
            return None;
        }
        self.receipts.remove(&key.request_id)
    }

    /// Remembers a receipt whose call may yet tell its end.
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

    /// When the next second look is due.
    pub(super) fn second_look(&self) -> Option<Timestamp> {
        let due = self
            .swept
            .values()
            .map(|swept| swept.closed_at.plus(RESERVATION_SPAN));
        due.min()
    }

    /// The calls at which to look a second time.
    pub(super) fn second_looks(&self, now: Timestamp) -> impl Iterator<Item = &Receipt> {
        let due = move |swept: &&Receipt| swept.closed_at.plus(RESERVATION_SPAN) <= now;
        self.swept.values().filter(due)
    }

    /// Whether there is room for a turn.
    pub(super) fn has_room_for(&self, turn: &Json) -> bool {
        let bytes = turn.as_str().len();
        bytes <= MAX_PARKED_TURN && self.parked_bytes.saturating_add(bytes) <= MAX_PARKED
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
