//! Session lanes: one turn at a time in each session, and where each session stands.
//!
//! A lane is held by an open reservation, or closed by a parked turn; both are found in their own
//! rows, so that a lane's row holds the session's state only. Whoever waits is in memory only: a
//! restart cuts the connections that wait as well.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::input::{Admit, SessionState};
use super::{MAX_SESSIONS, MAX_WAITERS};
use crate::ids::{RequestId, SessionId};
use crate::time::Timestamp;

/// A turn that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) admit: Box<Admit>,
    pub(super) until: Timestamp,
}

/// One session.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    /// Where the session stands; none if only D1 knows.
    pub(super) state: Option<SessionState>,
    /// When the state was last learnt.
    pub(super) used_at: Timestamp,
    /// The turn that runs.
    pub(super) holder: Option<RequestId>,
    /// Since when a turn waits to be taken by D1.
    pub(super) parked_at: Option<Timestamp>,
    waiters: VecDeque<Waiter>,
}

impl Lane {
    /// Whether a turn may begin.
    pub(super) fn is_free(&self) -> bool {
        self.holder.is_none() && self.parked_at.is_none()
    }

    /// Whether there is nothing to remember.
    fn is_blank(&self) -> bool {
        self.is_free() && self.state.is_none() && self.waiters.is_empty()
    }

    fn is_idle(&self) -> bool {
        self.is_free() && self.waiters.is_empty()
    }
}

/// What the end of a turn says of its session.
#[derive(Debug, Clone, Copy)]
pub(super) enum TurnEnd {
    /// The turn is stored; the session stands here.
    Stored(SessionState),
    /// No turn was stored.
    Unchanged,
    /// Nobody knows.
    Unknown,
}

/// The row of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LaneRow {
    pub(super) session_id: SessionId,
    pub(super) state: SessionState,
    pub(super) used_at: Timestamp,
}

/// All sessions that run, wait or are remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<SessionId, Lane>,
    /// Where each waiting request waits.
    waiting: BTreeMap<RequestId, SessionId>,
}

impl Lanes {
    pub(super) fn get(&self, id: &SessionId) -> Option<&Lane> {
        self.lanes.get(id)
    }

    /// The lane of a session, made if there is none.
    pub(super) fn lane(&mut self, id: &SessionId) -> &mut Lane {
        self.lanes.entry(id.clone()).or_default()
    }

    /// Ends the turn that runs. Whether the lane's row changed: not where another turn ran.
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

    /// Takes over what the running turn read in D1.
    pub(super) fn learn(
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

    /// Makes a session's state unknown. The turn that runs, if one does.
    pub(super) fn forget(&mut self, id: &SessionId) -> Option<RequestId> {
        let lane = self.lanes.get_mut(id)?;
        lane.state = None;
        let holder = lane.holder.clone();
        self.tidy(id);
        holder
    }

    /// Lets a request wait. `false`: too many wait already.
    pub(super) fn wait(&mut self, id: &SessionId, waiter: Waiter) -> bool {
        let request_id = waiter.admit.request_id.clone();
        let lane = self.lane(id);
        if lane.waiters.len() >= MAX_WAITERS {
            return false;
        }
        lane.waiters.push_back(waiter);
        self.waiting.insert(request_id, id.clone());
        true
    }

    /// Until when a request waits, if it does.
    pub(super) fn waits_until(&self, request: &RequestId) -> Option<Timestamp> {
        let lane = self.lanes.get(self.waiting.get(request)?)?;
        let mut waiters = lane.waiters.iter();
        waiters
            .find(|waiter| waiter.admit.request_id == *request)
            .map(|waiter| waiter.until)
    }

    /// The session that a request waits for, if it waits.
    pub(super) fn waits_for(&self, request: &RequestId) -> Option<&SessionId> {
        self.waiting.get(request)
    }

    /// The next to have a turn, if the lane is free.
    pub(super) fn next(&mut self, id: &SessionId) -> Option<Waiter> {
        let lane = self.lanes.get_mut(id).filter(|lane| lane.is_free())?;
        let waiter = lane.waiters.pop_front()?;
        self.waiting.remove(&waiter.admit.request_id);
        Some(waiter)
    }

    /// Takes a request out of its queue.
    pub(super) fn give_up(&mut self, request: &RequestId) -> Option<Waiter> {
        let id = self.waiting.remove(request)?;
        let lane = self.lanes.get_mut(&id)?;
        let at = lane
            .waiters
            .iter()
            .position(|waiter| waiter.admit.request_id == *request)?;
        let waiter = lane.waiters.remove(at);
        self.tidy(&id);
        waiter
    }

    /// The requests that have waited long enough.
    pub(super) fn expired(&self, now: Timestamp) -> Vec<RequestId> {
        let late = |request: &&RequestId| self.waits_until(request).is_none_or(|end| end <= now);
        self.waiting.keys().filter(late).cloned().collect()
    }

    /// Drops a lane of which there is nothing to remember.
    pub(super) fn tidy(&mut self, id: &SessionId) {
        if self.lanes.get(id).is_some_and(Lane::is_blank) {
            self.lanes.remove(id);
        }
    }

    /// Forgets the sessions that were not used for longest, once there are too many, and names
    /// them. An eighth at a time, so that the search is paid rarely.
    pub(super) fn evict(&mut self) -> Vec<SessionId> {
        if self.lanes.len() <= MAX_SESSIONS {
            return Vec::new();
        }
        let idle = self.lanes.iter().filter(|(_, lane)| lane.is_idle());
        let mut idle: Vec<(Timestamp, SessionId)> =
            idle.map(|(id, lane)| (lane.used_at, id.clone())).collect();
        idle.sort_unstable();
        idle.truncate(MAX_SESSIONS / 8);
        let gone: Vec<SessionId> = idle.into_iter().map(|(_, id)| id).collect();
        for id in &gone {
            self.lanes.remove(id);
        }
        gone
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

    /// Takes back a row.
    pub(super) fn restore(&mut self, row: &LaneRow) {
        let lane = self.lane(&row.session_id);
        lane.state = Some(row.state);
        lane.used_at = row.used_at;
    }

    /// The sessions there are.
    pub(super) fn ids(&self) -> impl Iterator<Item = &SessionId> {
        self.lanes.keys()
    }
}
