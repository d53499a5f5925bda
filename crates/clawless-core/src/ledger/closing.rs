//! Closing: settle, release, park, and the sweep of overdue calls.
//!
//! Only the first outcome of a request counts, because only an open reservation can be closed. The
//! exception is a call that the sweep closed without finding its outcome: a late settlement corrects
//! the receipt.

use super::admission::denied;
use super::constants::MAX_CALL_AMOUNT;
use super::input::{Park, ReceiptKey, Resolution, Resolve, Settle, Spent};
use super::lanes::TurnEnd;
use super::machine::{Effects, Machine};
use super::outbox::{ParkedTurn, Receipt};
use super::output::{Closing, DenialReason, Event, LedgerAnswer, Overdue};
use super::quotas::Amounts;
use super::reservations::Reservation;
use super::rows::RowKey;
use crate::ids::{RequestId, SessionId};
use crate::money::{MicroDollars, Provenance, Tokens};
use crate::storage::Storage;
use crate::time::Timestamp;

/// Outcome of a call, for its receipt.
struct Outcome {
    charged: Amounts,
    spent: Spent,
    provenance: Provenance,
    model: Option<String>,
    /// What the turn has added to the stored content.
    stored: Storage,
}

impl Outcome {
    /// A call with usage. Impossible numbers are capped, so that no sum can overflow.
    fn used(spent: Spent, provenance: Provenance, model: Option<String>) -> Self {
        let cap = |count: u64| count.min(MAX_CALL_AMOUNT);
        let spent = Spent {
            tokens_in: Tokens::new(cap(spent.tokens_in.get())),
            tokens_out: Tokens::new(cap(spent.tokens_out.get())),
            cost: MicroDollars::new(cap(spent.cost.get())),
        };
        Self {
            charged: Amounts {
                messages: 1,
                tokens: spent.tokens_in.plus(spent.tokens_out),
                micro_dollars: spent.cost,
            },
            spent,
            provenance,
            model,
            stored: Storage::ZERO,
        }
    }

    /// A call without cost.
    fn free() -> Self {
        Self {
            charged: Amounts::ZERO,
            spent: Spent::default(),
            provenance: Provenance::Released,
            model: None,
            stored: Storage::ZERO,
        }
    }
}

impl Machine {
    /// Charges the usage of a call.
    pub(super) fn settle(
        &mut self,
        now: Timestamp,
        settle: Settle,
        effects: &mut Effects,
    ) -> Closing {
        let mut outcome = Outcome::used(settle.spent, settle.provenance, settle.model);
        outcome.stored = settle.stored;
        if !self.reservations.holds(&settle.request_id, settle.ticket) {
            return self.correct_receipt(now, &settle.request_id, outcome, effects);
        }
        let Some(open) = self.reservations.remove(&settle.request_id) else {
            return Closing::NotOpen;
        };
        self.close(now, &open, outcome, effects);
        // Without a state the turn may or may not be stored, so the session state is unknown.
        let turn = settle.session.map_or(TurnEnd::Unknown, TurnEnd::Stored);
        self.release_lane(now, &open, turn, effects);
        Closing::Booked
    }

    /// Releases the reservation of a call without cost. A call that still waits stops waiting.
    pub(super) fn release(
        &mut self,
        now: Timestamp,
        id: &RequestId,
        effects: &mut Effects,
    ) -> Closing {
        let Some(open) = self.reservations.remove(id) else {
            self.lanes.remove_waiter(id);
            return Closing::NotOpen;
        };
        self.close(now, &open, Outcome::free(), effects);
        self.release_lane(now, &open, TurnEnd::Unchanged, effects);
        Closing::Booked
    }

    /// Settles a turn and stores it until D1 accepts it. Its session stays locked until then.
    pub(super) fn park(
        &mut self,
        now: Timestamp,
        park: Park,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        let Park { mut settle, turn } = park;
        let open = self.reservations.get(&settle.request_id);
        let open = open.filter(|open| open.ticket == settle.ticket);
        let session_id = open.and_then(|open| open.session_id.clone());
        let Some(session_id) = session_id.filter(|_| self.outbox.has_room_for(&turn)) else {
            settle.session = None;
            return LedgerAnswer::Closed(self.settle(now, settle, effects));
        };
        let request_id = settle.request_id.clone();
        self.lanes.lane(&session_id).parked_at = Some(now);
        self.settle(now, settle, effects);
        self.changed.push(RowKey::Turn(request_id.clone()));
        self.outbox.park(ParkedTurn {
            request_id,
            session_id,
            parked_at: now,
            turn,
        });
        LedgerAnswer::Parked
    }

    /// Lists the calls past their deadline and expires waiters.
    pub(super) fn sweep(&mut self, now: Timestamp, effects: &mut Effects) -> LedgerAnswer {
        self.expire_waiters(now, effects);
        let overdue = self.reservations.overdue(now).into_iter();
        let overdue = overdue.map(|open| Overdue {
            request_id: open.request_id.clone(),
            session_id: open.session_id.clone(),
            granted_at: open.granted_at,
            again: false,
            ticket: Some(open.ticket),
        });
        let rechecks = self.outbox.rechecks_due(now).map(|swept| Overdue {
            request_id: swept.request_id.clone(),
            session_id: swept.session_id.clone(),
            granted_at: swept.granted_at,
            again: true,
            ticket: None,
        });
        LedgerAnswer::Overdue(overdue.chain(rechecks).collect())
    }

    /// Closes an overdue call according to its records in D1.
    pub(super) fn resolve(
        &mut self,
        now: Timestamp,
        resolve: Resolve,
        effects: &mut Effects,
    ) -> Closing {
        if resolve.again {
            return self.resolve_recheck(now, resolve, effects);
        }
        let open = self.reservations.get(&resolve.request_id);
        let is_due = open.is_some_and(|open| {
            let is_meant = resolve.ticket.is_none_or(|ticket| ticket == open.ticket);
            is_meant && open.deadline() <= now
        });
        if !is_due {
            return Closing::NotOpen;
        }
        let Some(open) = self.reservations.remove(&resolve.request_id) else {
            return Closing::NotOpen;
        };
        match resolve.resolution {
            Resolution::Receipted => self.drop_duplicate(&open),
            Resolution::Turn {
                spent,
                provenance,
                model,
            } => {
                self.close(now, &open, Outcome::used(spent, provenance, model), effects);
                // The turn has added content, and the record does not say how much.
                self.storage.request_count();
            }
            Resolution::NotFound => {
                let outcome = if open.session_id.is_some() {
                    Outcome::free()
                } else {
                    let spent = Spent {
                        tokens_in: open.tokens_in,
                        tokens_out: Tokens::ZERO,
                        cost: open.price.cost(open.tokens_in, Tokens::ZERO),
                    };
                    Outcome::used(spent, Provenance::Swept, None)
                };
                let receipt = self.close(now, &open, outcome, effects);
                self.changed.push(RowKey::Swept(receipt.request_id.clone()));
                self.outbox.remember_swept(receipt);
            }
        }
        self.release_lane(now, &open, TurnEnd::Unknown, effects);
        Closing::Booked
    }

    /// Handles the recheck of a call that the sweep closed without an outcome. Corrects its receipt
    /// if its turn was stored in the meantime.
    fn resolve_recheck(
        &mut self,
        now: Timestamp,
        recheck: Resolve,
        effects: &mut Effects,
    ) -> Closing {
        let id = recheck.request_id;
        if let Resolution::Turn {
            spent,
            provenance,
            model,
        } = recheck.resolution
        {
            let outcome = Outcome::used(spent, provenance, model);
            return self.correct_receipt(now, &id, outcome, effects);
        }
        if self.outbox.take_swept(&id).is_some() {
            self.changed.push(RowKey::Swept(id));
        }
        Closing::NotOpen
    }

    /// Moves a closed reservation to the closed part of the account and records its receipt.
    fn close(
        &mut self,
        now: Timestamp,
        open: &Reservation,
        outcome: Outcome,
        effects: &mut Effects,
    ) -> Receipt {
        let receipt = Receipt {
            request_id: open.request_id.clone(),
            revision: 0,
            key_id: open.key_id.clone(),
            session_id: open.session_id.clone(),
            model: outcome.model.unwrap_or_else(|| open.model.clone()),
            period: open.period,
            granted_at: open.granted_at,
            closed_at: now,
            reserved: open.reserved,
            charged: outcome.charged,
            tokens_in: outcome.spent.tokens_in,
            tokens_out: outcome.spent.tokens_out,
            provenance: outcome.provenance,
            replaces: None,
            stored: outcome.stored,
        };
        self.storage.release(&open.storage);
        let account = self.quotas.account(open.period);
        account.open = account.open.minus(&open.reserved);
        account.closed = receipt.add_to(&account.closed);
        self.record_receipt(&receipt, effects);
        receipt
    }

    /// Replaces the receipt of a call that the sweep closed without an outcome.
    fn correct_receipt(
        &mut self,
        now: Timestamp,
        id: &RequestId,
        outcome: Outcome,
        effects: &mut Effects,
    ) -> Closing {
        let Some(swept) = self.outbox.take_swept(id) else {
            return Closing::NotOpen;
        };
        self.changed.push(RowKey::Swept(id.clone()));
        let is_pending = self.outbox.receipt(id).is_some();
        let receipt = Receipt {
            revision: swept.revision + 1,
            model: outcome.model.unwrap_or(swept.model),
            closed_at: now,
            charged: outcome.charged,
            tokens_in: outcome.spent.tokens_in,
            tokens_out: outcome.spent.tokens_out,
            provenance: outcome.provenance,
            replaces: Some(swept.charged),
            stored: outcome.stored,
            ..swept
        };
        let account = self.quotas.account(receipt.period);
        account.closed = receipt.add_to(&account.closed);
        if let Some(session) = &receipt.session_id {
            // The late turn may be stored. The turn position protects a turn that runs now.
            self.invalidate_session(session.clone());
        }
        let replaces = receipt.replaces.filter(|_| !is_pending);
        self.record_receipt(
            &Receipt {
                replaces,
                ..receipt
            },
            effects,
        );
        Closing::Corrected
    }

    /// Adds a receipt to the outbox and emits operator events.
    fn record_receipt(&mut self, receipt: &Receipt, effects: &mut Effects) {
        let excess = receipt.excess();
        if excess != Amounts::ZERO {
            effects.events.push(Event::Overrun {
                request_id: receipt.request_id.clone(),
                key_id: receipt.key_id.clone(),
                excess,
            });
        }
        self.changed
            .push(RowKey::Request(receipt.request_id.clone()));
        let replaced = self.outbox.receipt(&receipt.request_id);
        self.storage.add_pending(receipt, replaced);
        self.outbox.push(receipt.clone());
        self.emit_quota_warnings(receipt.period, Some(&receipt.key_id), effects);
        self.emit_overage(receipt, effects);
        self.emit_storage_warnings(Some(&receipt.key_id), effects);
    }

    /// Reports a call whose usage is beyond a quota.
    fn emit_overage(&mut self, receipt: &Receipt, effects: &mut Effects) {
        let quotas = self.config.quotas();
        let account = self.quotas.account(receipt.period);
        let exceeded = account.exceeded(&quotas);
        let exceeded = exceeded.filter(|(kind, ..)| receipt.charged.of(*kind) > 0);
        let events = exceeded.map(|(kind, used, limit)| Event::QuotaExceeded {
            period: receipt.period,
            kind,
            used,
            limit,
            request_id: receipt.request_id.clone(),
            key_id: receipt.key_id.clone(),
        });
        effects.events.extend(events);
    }

    /// Removes the reservation of a repeated request that has a receipt already.
    fn drop_duplicate(&mut self, open: &Reservation) {
        self.storage.release(&open.storage);
        let account = self.quotas.account(open.period);
        account.open = account.open.minus(&open.reserved);
        account.granted = account.granted.minus(&open.reserved);
        self.changed.push(RowKey::Request(open.request_id.clone()));
    }

    /// Releases the lane, admits the next waiter and refreshes the caller's headers.
    fn release_lane(
        &mut self,
        now: Timestamp,
        open: &Reservation,
        end: TurnEnd,
        effects: &mut Effects,
    ) {
        let end = if open.session_changed {
            TurnEnd::Unknown
        } else {
            end
        };
        if let Some(session) = &open.session_id {
            if self.lanes.end(session, &open.request_id, end, now) {
                self.changed.push(RowKey::Session(session.clone()));
            }
            self.wake_next(now, session, effects);
        }
        self.refresh_headers(now, &open.key_id, open.class, effects);
    }

    /// Clears the cached state of a session, now and again when its running turn ends.
    pub(super) fn invalidate_session(&mut self, session: SessionId) {
        if let Some(holder) = self.lanes.invalidate(&session)
            && let Some(open) = self.reservations.get_mut(&holder)
        {
            open.session_changed = true;
            self.changed.push(RowKey::Request(holder));
        }
        self.changed.push(RowKey::Session(session));
    }

    /// Clears the cached state of sessions that were changed in D1, and requests a count of the stored
    /// content.
    pub(super) fn forget_sessions(&mut self, sessions: Vec<SessionId>) {
        for session in sessions {
            self.invalidate_session(session);
        }
        self.storage.request_count();
    }

    /// Removes receipts that D1 has stored and adds them to the acknowledged totals of their month.
    pub(super) fn ack_receipts(&mut self, keys: &[ReceiptKey]) -> LedgerAnswer {
        for key in keys {
            if let Some(receipt) = self.outbox.ack(key) {
                let account = self.quotas.account(receipt.period);
                account.acknowledged = receipt.add_to(&account.acknowledged);
                if self.storage.acknowledge(&receipt) {
                    self.changed.push(RowKey::Config);
                }
                self.changed.push(RowKey::Account(receipt.period));
                self.changed.push(RowKey::Request(receipt.request_id));
            }
        }
        LedgerAnswer::Done
    }

    /// Unlocks a session whose parked turn D1 stored or permanently rejected.
    pub(super) fn ack_turn(
        &mut self,
        now: Timestamp,
        id: &RequestId,
        stored: bool,
        effects: &mut Effects,
    ) -> LedgerAnswer {
        let Some(turn) = self.outbox.unpark(id) else {
            return denied(DenialReason::NotOpen, None);
        };
        self.changed.push(RowKey::Turn(id.clone()));
        self.lanes.lane(&turn.session_id).parked_at = None;
        if !stored {
            self.storage.request_count();
            self.invalidate_session(turn.session_id.clone());
            effects.events.push(Event::TurnLost {
                request_id: turn.request_id,
                session_id: turn.session_id.clone(),
            });
        }
        self.wake_next(now, &turn.session_id, effects);
        LedgerAnswer::Done
    }
}
