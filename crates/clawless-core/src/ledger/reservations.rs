//! Open reservations: admitted calls that have not ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::buckets::EndpointClass;
use super::constants::{RESERVATION_LEASE, RESERVATION_TTL};
use super::input::Ticket;
use super::period::Period;
use super::price::Price;
use super::quotas::{AllocationRequest, Amounts};
use crate::ids::{KeyId, RequestId, SessionId};
use crate::money::Tokens;
use crate::storage::Storage;
use crate::time::Timestamp;

/// An admitted call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reservation {
    pub(super) request_id: RequestId,
    pub(super) ticket: Ticket,
    pub(super) key_id: KeyId,
    pub(super) class: EndpointClass,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) session_id: Option<SessionId>,
    pub(super) model: String,
    /// The month that is charged, independent of when the call ends.
    pub(super) period: Period,
    pub(super) granted_at: Timestamp,
    /// When the call last showed that it runs. Absent in rows of a version without renewals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) renewed_at: Option<Timestamp>,
    pub(super) reserved: Amounts,
    pub(super) tokens_in: Tokens,
    /// Output limit per answer.
    pub(super) tokens_out: Tokens,
    pub(super) answers: u32,
    pub(super) price: Price,
    /// What the turn may add to the stored content, its answer aside.
    #[serde(default)]
    pub(super) storage: Storage,
    /// The session was changed while the turn ran. The state that the turn reports is ignored: it may
    /// have been read before or after the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) session_changed: bool,
}

impl Reservation {
    /// When the call must have ended.
    pub(super) fn end(&self) -> Timestamp {
        self.granted_at.plus(RESERVATION_TTL)
    }

    /// When the sweep closes it unless it is renewed.
    pub(super) fn deadline(&self) -> Timestamp {
        let lease = self.renewed_at.map(|at| at.plus(RESERVATION_LEASE));
        lease.map_or(self.end(), |lease| lease.min(self.end()))
    }

    /// The allocation request of the current reservation.
    pub(super) fn allocation_request(&self) -> AllocationRequest {
        AllocationRequest {
            tokens_in: self.tokens_in,
            tokens_out: self.tokens_out,
            answers: self.answers,
            price: self.price,
        }
    }
}

/// All open reservations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reservations {
    open: BTreeMap<RequestId, Reservation>,
    /// Lower bound of all deadlines. Exact after each sweep, so that after an alarm without overdue
    /// calls the next alarm is set to a real deadline.
    earliest: Option<Timestamp>,
}

impl Reservations {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Number of a key's open reservations.
    pub(super) fn count_of_key(&self, key: &KeyId) -> u64 {
        let of_key = self.open.values().filter(|open| open.key_id == *key);
        u64::try_from(of_key.count()).unwrap_or(u64::MAX)
    }

    pub(super) fn get(&self, id: &RequestId) -> Option<&Reservation> {
        self.open.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &RequestId) -> Option<&mut Reservation> {
        self.open.get_mut(id)
    }

    pub(super) fn insert(&mut self, reservation: Reservation) {
        let deadline = reservation.deadline();
        self.earliest = Some(
            self.earliest
                .map_or(deadline, |earliest| earliest.min(deadline)),
        );
        self.open
            .insert(reservation.request_id.clone(), reservation);
    }

    /// Whether the grant with this ticket is open.
    pub(super) fn holds(&self, id: &RequestId, ticket: Ticket) -> bool {
        self.open.get(id).is_some_and(|open| open.ticket == ticket)
    }

    pub(super) fn remove(&mut self, id: &RequestId) -> Option<Reservation> {
        let removed = self.open.remove(id);
        if self.open.is_empty() {
            self.earliest = None;
        }
        removed
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Reservation> {
        self.open.values()
    }

    /// Lower bound of all deadlines; none without open reservations.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.earliest
    }

    /// Reservations past their deadline, oldest first.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Vec<&Reservation> {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return Vec::new();
        }
        self.earliest = self.open.values().map(Reservation::deadline).min();
        let past = self.open.values().filter(|open| open.deadline() <= now);
        let mut overdue: Vec<_> = past.collect();
        overdue.sort_by_key(|reservation| reservation.granted_at);
        overdue
    }
}
