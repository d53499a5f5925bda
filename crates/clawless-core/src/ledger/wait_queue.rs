//! Waiting for a session: who comes next, who has waited too long.

use super::admission::{denied, session_busy};
use super::machine::{Effects, Machine};
use super::output::{DenialReason, LedgerAnswer, Woken};
use super::rows::RowKey;
use crate::ids::{RequestId, SessionId};
use crate::time::Timestamp;

impl Machine {
    /// Lets the next into a session that became free. Everything but the rate is asked anew: while
    /// it waited, its key may have been revoked or the quota used up.
    pub(super) fn wake(&mut self, now: Timestamp, session: &SessionId, effects: &mut Effects) {
        while let Some(mut waiter) = self.lanes.next(session) {
            let request_id = waiter.admit.request_id.clone();
            let (key, class) = (waiter.admit.caller.key_id.clone(), waiter.admit.class);
            let answer = if waiter.until <= now {
                session_busy()
            } else {
                match self.gate(&mut waiter.admit.caller) {
                    Ok(()) => self.place(now, waiter.admit),
                    Err(refusal) => refusal,
                }
            };
            let headers = self.headers(now, &key, class);
            effects.woken.push(Woken {
                request_id,
                answer,
                headers,
            });
        }
        self.lanes.tidy(session);
        let gone = self.lanes.evict();
        self.changed.extend(gone.into_iter().map(RowKey::Session));
    }

    /// Ends the waits that are over.
    pub(super) fn expire(&mut self, now: Timestamp, effects: &mut Effects) {
        for request_id in self.lanes.expired(now) {
            let Some(waiter) = self.lanes.give_up(&request_id) else {
                continue;
            };
            let headers = self.headers(now, &waiter.admit.caller.key_id, waiter.admit.class);
            effects.woken.push(Woken {
                request_id,
                answer: session_busy(),
                headers,
            });
        }
    }

    /// Ends a wait: the answer is what the request gets, if anybody is left to hear it. If the
    /// request is not waiting (any more), nothing happens.
    pub(super) fn cancel(&mut self, request_id: &RequestId) -> LedgerAnswer {
        match self.lanes.give_up(request_id) {
            Some(_) => session_busy(),
            None => denied(DenialReason::NotOpen, None),
        }
    }
}
