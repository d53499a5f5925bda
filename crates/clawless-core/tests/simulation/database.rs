//! The part of D1 that the ledger depends on: receipts by request, turns by session and position.

use std::collections::BTreeMap;

use clawless_core::ledger::{
    Amounts, Period, Provenance, Receipt, Resolution, SessionState, Spent,
};
use clawless_core::session::SessionHead;
use clawless_core::{RequestId, SessionId, Tokens};

#[derive(Default)]
pub struct Database {
    pub receipts: BTreeMap<RequestId, Receipt>,
    pub turns: BTreeMap<RequestId, Spent>,
    positions: BTreeMap<(SessionId, u64), RequestId>,
    sessions: BTreeMap<SessionId, SessionState>,
}

impl Database {
    /// State of a session; every session exists.
    pub fn session(&self, id: &SessionId) -> SessionState {
        self.sessions.get(id).copied().unwrap_or(SessionState {
            head: SessionHead::EMPTY,
            token_total: Tokens::ZERO,
        })
    }

    /// Stores a turn after `head` once. `None` if another turn has the position.
    pub fn commit(
        &mut self,
        request: &RequestId,
        session: &SessionId,
        head: SessionHead,
        spent: Spent,
    ) -> Option<SessionState> {
        let position = (session.clone(), head.next().seq());
        let holder = self
            .positions
            .entry(position)
            .or_insert_with(|| request.clone());
        if holder != request {
            return None;
        }
        let state = SessionState {
            head: head.next(),
            token_total: spent.tokens_in.plus(spent.tokens_out),
        };
        self.turns.insert(request.clone(), spent);
        self.sessions.insert(session.clone(), state);
        Some(state)
    }

    /// Stores a receipt unless the same or a higher revision is stored.
    pub fn store_receipt(&mut self, receipt: &Receipt) {
        let stored = self.receipts.get(&receipt.request_id);
        if stored.is_none_or(|stored| stored.revision < receipt.revision) {
            self.receipts
                .insert(receipt.request_id.clone(), receipt.clone());
        }
    }

    /// The lookup of the sweep.
    pub fn look_up(&self, request: &RequestId, again: bool) -> Resolution {
        if !again && self.receipts.contains_key(request) {
            return Resolution::Receipted;
        }
        match self.turns.get(request) {
            Some(&spent) => Resolution::Turn {
                spent,
                provenance: Provenance::Provider,
                model: None,
            },
            None => Resolution::NotFound,
        }
    }

    /// Sum of the receipts of a month.
    pub fn charged(&self, period: Period) -> Amounts {
        let of_month = self
            .receipts
            .values()
            .filter(|receipt| receipt.period == period);
        of_month.fold(Amounts::ZERO, |sum, receipt| sum.plus(&receipt.charged))
    }
}
