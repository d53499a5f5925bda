//! Session lanes: one turn at a time per session, and the cached state of each session.
//!
//! A lane is held by an open reservation or locked by a parked turn. Both have their own rows, so a
//! lane's row contains only the session state. Waiters are kept in memory: a restart drops their
//! connections as well.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::constants::{MAX_SESSIONS, MAX_WAITERS};
use super::input::{Admit, SessionState};
use crate::ids::{RequestId, SessionId};
use crate::time::Timestamp;

/// A waiting turn.
#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) admit: Box<Admit>,
    pub(super) until: Timestamp,
}

/// One session.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    /// Session state; none if it must be read from D1.
    pub(super) state: Option<SessionState>,
    /// When the state was last updated.
    pub(super) used_at: Timestamp,
    /// The running turn.
    pub(super) holder: Option<RequestId>,
    /// When the turn that waits for D1 was parked.
    pub(super) parked_at: Option<Timestamp>,
    waiters: VecDeque<Waiter>,
}

impl Lane {
    /// Whether a turn may start.
    pub(super) fn is_free(&self) -> bool {
        self.holder.is_none() && self.parked_at.is_none()
    }

    /// Whether the lane holds no information.
    fn is_empty(&self) -> bool {
        self.is_free() && self.state.is_none() && self.waiters.is_empty()
    }

    fn is_idle(&self) -> bool {
        self.is_free() && self.waiters.is_empty()
    }
}

/// Effect of the end of a turn on its session.
#[derive(Debug, Clone, Copy)]
pub(super) enum TurnEnd {
    /// The turn is stored; this is the new state.
    Stored(SessionState),
    /// No turn was stored.
    Unchanged,
    /// Unknown whether a turn was stored.
    Unknown,
}

/// The row of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LaneRow {
    pub(super) session_id: SessionId,
    pub(super) state: SessionState,
    pub(super) used_at: Timestamp,
}

/// All sessions that are running, waited for, or cached.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<SessionId, Lane>,
    /// The session of each waiting request.
    waiting: BTreeMap<RequestId, SessionId>,
}

impl Lanes {
    pub(super) fn get(&self, id: &SessionId) -> Option<&Lane> {
        self.lanes.get(id)
    }

    /// The lane of a session, created if missing.
    pub(super) fn lane(&mut self, id: &SessionId) -> &mut Lane {
        self.lanes.entry(id.clone()).or_default()
    }

    /// Ends the running turn if it is `holder`. Returns whether the lane's row changed.
    pub(super) fn end(
        &mut self,
        id: &SessionId,
        holder: &RequestId,
        end: TurnEnd,
        now: Timestamp,
    ) -> bool {
        let Some(lane) = self.lanes.get_mut(id) else {
            return false;
        };
        if lane.holder.as_ref() != Some(holder) {
            return false;
        }
        lane.holder = None;
        let before = (lane.state, lane.used_at);
        match end {
            TurnEnd::Stored(state) => (lane.state, lane.used_at) = (Some(state), now),
            TurnEnd::Unchanged => {}
            TurnEnd::Unknown => lane.state = None,
        }
        before != (lane.state, lane.used_at)
    }

    /// Updates the state to what the running turn read from D1.
    pub(super) fn update_state(
        &mut self,
        id: &SessionId,
        holder: &RequestId,
        state: SessionState,
        now: Timestamp,
    ) {
        let lane = self.lanes.get_mut(id);
        if let Some(lane) = lane.filter(|lane| lane.holder.as_ref() == Some(holder)) {
            (lane.state, lane.used_at) = (Some(state), now);
        }
    }

    /// Clears the cached state of a session. Returns the running turn, if any.
    pub(super) fn invalidate(&mut self, id: &SessionId) -> Option<RequestId> {
        let lane = self.lanes.get_mut(id)?;
        lane.state = None;
        let holder = lane.holder.clone();
        self.remove_if_empty(id);
        holder
    }

    /// Adds a waiter. Returns `false` if the queue is full.
    pub(super) fn enqueue(&mut self, id: &SessionId, waiter: Waiter) -> bool {
        let request_id = waiter.admit.request_id.clone();
        let lane = self.lane(id);
        if lane.waiters.len() >= MAX_WAITERS {
            return false;
        }
        lane.waiters.push_back(waiter);
        self.waiting.insert(request_id, id.clone());
        true
    }

    /// End of a request's wait, if it waits.
    pub(super) fn wait_deadline(&self, request: &RequestId) -> Option<Timestamp> {
        let lane = self.lanes.get(self.waiting.get(request)?)?;
        let mut waiters = lane.waiters.iter();
        waiters
            .find(|waiter| waiter.admit.request_id == *request)
            .map(|waiter| waiter.until)
    }

    /// The session that a request waits for, if any.
    pub(super) fn session_of_waiter(&self, request: &RequestId) -> Option<&SessionId> {
        self.waiting.get(request)
    }

    /// Removes the next waiter if the lane is free.
    pub(super) fn pop_waiter(&mut self, id: &SessionId) -> Option<Waiter> {
        let lane = self.lanes.get_mut(id).filter(|lane| lane.is_free())?;
        let waiter = lane.waiters.pop_front()?;
        self.waiting.remove(&waiter.admit.request_id);
        Some(waiter)
    }

    /// Removes a request from its queue.
    pub(super) fn remove_waiter(&mut self, request: &RequestId) -> Option<Waiter> {
        let id = self.waiting.remove(request)?;
        let lane = self.lanes.get_mut(&id)?;
        let at = lane
            .waiters
            .iter()
            .position(|waiter| waiter.admit.request_id == *request)?;
        let waiter = lane.waiters.remove(at);
        self.remove_if_empty(&id);
        waiter
    }

    /// Requests whose wait is over.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<RequestId> {
        let is_expired =
            |request: &&RequestId| self.wait_deadline(request).is_none_or(|end| end <= now);
        self.waiting.keys().filter(is_expired).cloned().collect()
    }

    /// Removes a lane that holds no information.
    pub(super) fn remove_if_empty(&mut self, id: &SessionId) {
        if self.lanes.get(id).is_some_and(Lane::is_empty) {
            self.lanes.remove(id);
        }
    }

    /// Evicts the least recently used sessions above the limit and returns their ids. Evicts one
    /// eighth at a time, so that the scan runs rarely.
    pub(super) fn evict(&mut self) -> Vec<SessionId> {
        if self.lanes.len() <= MAX_SESSIONS {
            return Vec::new();
        }
        let idle = self.lanes.iter().filter(|(_, lane)| lane.is_idle());
        let mut idle: Vec<(Timestamp, SessionId)> =
            idle.map(|(id, lane)| (lane.used_at, id.clone())).collect();
        idle.sort_unstable();
        idle.truncate(MAX_SESSIONS / 8);
        let evicted: Vec<SessionId> = idle.into_iter().map(|(_, id)| id).collect();
        for id in &evicted {
            self.lanes.remove(id);
        }
        evicted
    }

    /// The row of a session, if its state is known.
    pub(super) fn row(&self, id: &SessionId) -> Option<LaneRow> {
        let lane = self.lanes.get(id)?;
        Some(LaneRow {
            session_id: id.clone(),
            state: lane.state?,
            used_at: lane.used_at,
        })
    }

    /// Restores a row.
    pub(super) fn restore(&mut self, row: &LaneRow) {
        let lane = self.lane(&row.session_id);
        lane.state = Some(row.state);
        lane.used_at = row.used_at;
    }

    /// All session ids.
    pub(super) fn ids(&self) -> impl Iterator<Item = &SessionId> {
        self.lanes.keys()
    }
}
