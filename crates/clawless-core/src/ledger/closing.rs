//! Closing: settle, release, park, and what the sweep does for those that died.
//!
//! Only the first end of a request counts, because only an open reservation can be closed. The one
//! exception is a call that the sweep closed without having found its end: when the end comes after
//! all, the receipt is put right.

use super::admission::denied;
use super::lanes::TurnEnd;
use super::machine::{Effects, Machine};
use super::outbox::{ParkedTurn, Receipt};
use super::output::{Closing, DenialReason, Event, LedgerAnswer, Overdue};
use super::quotas::Amounts;
use super::reservations::Reservation;
use super::rows::RowKey;
use super::{MAX_CALL, Park, ReceiptKey, Resolution, Resolve, Settle, Spent};
use crate::ids::{RequestId, SessionId};
use crate::money::Provenance;
use crate::money::{MicroDollars, Tokens};
use crate::time::Timestamp;

/// How a call ended, for its receipt.
struct End {
    charged: Amounts,
    spent: Spent,
    provenance: Provenance,
    model: Option<String>,
}

impl End {
    /// It used this much. Numbers that no call can reach are cut, so that no sum can wrap.
    fn used(spent: Spent, provenance: Provenance, model: Option<String>) -> Self {
        let cut = |count: u64| count.min(MAX_CALL);
        let spent = Spent {
            tokens_in: Tokens::new(cut(spent.tokens_in.get())),
            tokens_out: Tokens::new(cut(spent.tokens_out.get())),
            cost: MicroDollars::new(cut(spent.cost.get())),
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
        }
    }

    /// It cost nothing.
    fn free() -> Self {
        Self {
            charged: Amounts::ZERO,
            spent: Spent::default(),
            provenance: Provenance::Released,
            model: None,
        }
    }
}

impl Machine {
    /// Books what a call used.
    pub(super) fn settle(
        &mut self,
        now: Timestamp,
        settle: Settle,
        effects: &mut Effects,
    ) -> Closing {
        let end = End::used(settle.spent, settle.provenance, settle.model);
        if !self.reservations.holds(&settle.request_id, settle.ticket) {
            return self.correct(now, &settle.request_id, end, effects);
        }
        let Some(open) = self.reservations.remove(&settle.request_id) else {
            return Closing::NotOpen;
        };
        self.book(now, &open, end, effects);
        // A turn that is not known to be stored may be yet, or was refused because its session moved on.
        let turn = settle.session.map_or(TurnEnd::Unknown, TurnEnd::Stored);
        self.leave(now, &open, turn, effects);
        Closing::Booked
    }

    /// Frees what a call that cost nothing had reserved. One that still waits for its session need
    /// not wait any more.
    pub(super) fn release(
        &mut self,
        now: Timestamp,
        id: &RequestId,
        effects: &mut Effects,
    ) -> Closing {
        let Some(open) = self.reservations.remove(id) else {
            self.lanes.give_up(id);
            return Closing::NotOpen;
        };
        self.book(now, &open, End::free(), effects);
        self.leave(now, &open, TurnEnd::Unchanged, effects);
        Closing::Booked
    }

    /// Settles a turn and keeps it until D1 takes it; its session stays closed so long.
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

    /// Lists the calls past their deadline, and ends what has waited too long.
    pub(super) fn sweep(&mut self, now: Timestamp, effects: &mut Effects) -> LedgerAnswer {
        self.expire(now, effects);
        let overdue = self.reservations.overdue(now).into_iter();
        let overdue = overdue.map(|open| Overdue {
            request_id: open.request_id.clone(),
            session_id: open.session_id.clone(),
            granted_at: open.granted_at,
            again: false,
        });
        let again = self.outbox.second_looks(now).map(|swept| Overdue {
            request_id: swept.request_id.clone(),
            session_id: swept.session_id.clone(),
            granted_at: swept.granted_at,
            again: true,
        });
        LedgerAnswer::Overdue(overdue.chain(again).collect())
    }

    /// Closes an overdue call by what D1 knows of it.
    pub(super) fn resolve(
        &mut self,
        now: Timestamp,
        resolve: Resolve,
        effects: &mut Effects,
    ) -> Closing {
        if resolve.again {
            return self.look_again(now, resolve, effects);
        }
        let open = self.reservations.get(&resolve.request_id);
        if open.is_none_or(|open| open.deadline() > now) {
            return Closing::NotOpen;
        }
        let Some(open) = self.reservations.remove(&resolve.request_id) else {
            return Closing::NotOpen;
        };
        match resolve.resolution {
            Resolution::Receipted => self.drop_repeated(&open),
            Resolution::Turn {
                spent,
                provenance,
                model,
            } => {
                self.book(now, &open, End::used(spent, provenance, model), effects);
            }
            Resolution::NotFound => {
                let end = if open.session_id.is_some() {
                    End::free()
                } else {
                    let spent = Spent {
                        tokens_in: open.tokens_in,
                        tokens_out: Tokens::ZERO,
                        cost: open.price.cost(open.tokens_in, Tokens::ZERO),
                    };
                    End::used(spent, Provenance::Swept, None)
                };
                let receipt = self.book(now, &open, end, effects);
                self.changed.push(RowKey::Swept(receipt.request_id.clone()));
                self.outbox.remember_swept(receipt);
            }
        }
        self.leave(now, &open, TurnEnd::Unknown, effects);
        Closing::Booked
    }

    /// Ends the memory of a call that was closed blindly, and puts its receipt right if its turn was
    /// stored after all.
    fn look_again(&mut self, now: Timestamp, look: Resolve, effects: &mut Effects) -> Closing {
        let id = look.request_id;
        if let Resolution::Turn {
            spent,
            provenance,
            model,
        } = look.resolution
        {
            return self.correct(now, &id, End::used(spent, provenance, model), effects);
        }
        if self.outbox.take_swept(&id).is_some() {
            self.changed.push(RowKey::Swept(id));
        }
        Closing::NotOpen
    }

    /// Moves a reservation that was closed to where it belongs in the books, with a receipt.
    fn book(
        &mut self,
        now: Timestamp,
        open: &Reservation,
        end: End,
        effects: &mut Effects,
    ) -> Receipt {
        let receipt = Receipt {
            request_id: open.request_id.clone(),
            revision: 0,
            key_id: open.key_id.clone(),
            session_id: open.session_id.clone(),
            model: end.model.unwrap_or_else(|| open.model.clone()),
            period: open.period,
            granted_at: open.granted_at,
            closed_at: now,
            reserved: open.reserved,
            charged: end.charged,
            tokens_in: end.spent.tokens_in,
            tokens_out: end.spent.tokens_out,
            provenance: end.provenance,
            replaces: None,
        };
        let books = self.quotas.books(open.period);
        books.open = books.open.minus(&open.reserved);
        books.closed = receipt.file(&books.closed);
        self.file(&receipt, effects);
        receipt
    }

    /// Puts right what the sweep wrote of a call whose end it did not find.
    fn correct(
        &mut self,
        now: Timestamp,
        id: &RequestId,
        end: End,
        effects: &mut Effects,
    ) -> Closing {
        let Some(swept) = self.outbox.take_swept(id) else {
            return Closing::NotOpen;
        };
        self.changed.push(RowKey::Swept(id.clone()));
        let waits = self.outbox.receipt(id).is_some();
        let receipt = Receipt {
            revision: swept.revision + 1,
            model: end.model.unwrap_or(swept.model),
            closed_at: now,
            charged: end.charged,
            tokens_in: end.spent.tokens_in,
            tokens_out: end.spent.tokens_out,
            provenance: end.provenance,
            replaces: Some(swept.charged),
            ..swept
        };
        let books = self.quotas.books(receipt.period);
        books.closed = receipt.file(&books.closed);
        if let Some(session) = &receipt.session_id {
            // The late turn may be stored; whoever runs now is guarded by the place of its turn.
            self.forget(session.clone());
        }
        let replaces = receipt.replaces.filter(|_| !waits);
        self.file(
            &Receipt {
                replaces,
                ..receipt
            },
            effects,
        );
        Closing::Corrected
    }

    /// Puts a receipt into the outbox, and tells what an operator wants to know of it.
    fn file(&mut self, receipt: &Receipt, effects: &mut Effects) {
        let excess = receipt.excess();
        if excess != Amounts::ZERO {
            let request_id = receipt.request_id.clone();
            effects.events.push(Event::Overrun { request_id, excess });
        }
        self.changed
            .push(RowKey::Request(receipt.request_id.clone()));
        self.outbox.push(receipt.clone());
        self.warn(receipt.period, effects);
    }

    /// Takes back a reservation that was never needed: its request has a receipt already.
    fn drop_repeated(&mut self, open: &Reservation) {
        let books = self.quotas.books(open.period);
        books.open = books.open.minus(&open.reserved);
        books.granted = books.granted.minus(&open.reserved);
        self.changed.push(RowKey::Request(open.request_id.clone()));
    }

    /// Leaves the lane and lets the next in; tells the caller how its limits stand.
    fn leave(&mut self, now: Timestamp, open: &Reservation, end: TurnEnd, effects: &mut Effects) {
        let end = if open.session_changed {
            TurnEnd::Unknown
        } else {
            end
        };
        if let Some(session) = &open.session_id {
            if self.lanes.end(session, &open.request_id, end, now) {
                self.changed.push(RowKey::Session(session.clone()));
            }
            self.wake(now, session, effects);
        }
        self.refresh(now, &open.key_id, open.class, effects);
    }

    /// Makes a session's state unknown, now and at the end of the turn that runs.
    pub(super) fn forget(&mut self, session: SessionId) {
        if let Some(holder) = self.lanes.forget(&session)
            && let Some(open) = self.reservations.get_mut(&holder)
        {
            open.session_changed = true;
            self.changed.push(RowKey::Request(holder));
        }
        self.changed.push(RowKey::Session(session));
    }

    /// Forgets receipts that D1 has; their sums go into the month's row.
    pub(super) fn ack_receipts(&mut self, keys: &[ReceiptKey]) -> LedgerAnswer {
        for key in keys {
            if let Some(receipt) = self.outbox.ack(key) {
                let books = self.quotas.books(receipt.period);
                books.filed = receipt.file(&books.filed);
                self.changed.push(RowKey::Books(receipt.period));
                self.changed.push(RowKey::Request(receipt.request_id));
            }
        }
        LedgerAnswer::Done
    }

    /// Opens a session whose parked turn D1 has, or will never have.
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
            self.forget(turn.session_id.clone());
            effects.events.push(Event::TurnLost {
                request_id: turn.request_id,
                session_id: turn.session_id.clone(),
            });
        }
        self.wake(now, &turn.session_id, effects);
        LedgerAnswer::Done
    }
}
