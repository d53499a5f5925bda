//! Waiting for a session: admits the next waiter and expires old ones.

use super::admission::{denied, session_busy};
use super::machine::{Effects, Machine};
use super::output::{DenialReason, LedgerAnswer, Woken};
use super::rows::RowKey;
use crate::ids::{RequestId, SessionId};
use crate::time::Timestamp;

impl Machine {
    /// Admits the next waiter of a session that became free. Every check except the rate limit runs
    /// again: its key may have been revoked, or the quota used up, while it waited.
    pub(super) fn wake_next(&mut self, now: Timestamp, session: &SessionId, effects: &mut Effects) {
        while let Some(mut waiter) = self.lanes.pop_waiter(session) {
            let request_id = waiter.admit.request_id.clone();
            let (key, class) = (waiter.admit.caller.key_id.clone(), waiter.admit.class);
            let answer = if waiter.until <= now {
                session_busy()
            } else {
                match self.check_caller(&mut waiter.admit.caller) {
                    Ok(()) => self.reserve(now, waiter.admit),
                    Err(denial) => denial,
                }
            };
            let headers = self.headers(now, &key, class);
            effects.woken.push(Woken {
                request_id,
                answer,
                headers,
            });
        }
        self.lanes.remove_if_empty(session);
        let evicted = self.lanes.evict();
        self.changed
            .extend(evicted.into_iter().map(RowKey::Session));
    }

    /// Rejects the waiters whose wait is over.
    pub(super) fn expire_waiters(&mut self, now: Timestamp, effects: &mut Effects) {
        for request_id in self.lanes.expired(now) {
            let Some(waiter) = self.lanes.remove_waiter(&request_id) else {
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

    /// Ends a wait. Returns the answer for the request; changes nothing if the request does not wait.
    pub(super) fn cancel(&mut self, request_id: &RequestId) -> LedgerAnswer {
        match self.lanes.remove_waiter(request_id) {
            Some(_) => session_busy(),
            None => denied(DenialReason::NotOpen, None),
        }
    }
}
