//! Dispatches each input to the part of the machine that handles it.

use super::input::Input;
use super::machine::{Effects, Machine};
use super::output::{LedgerAnswer, Output};
use super::rows::RowKey;
use crate::time::Timestamp;

impl Machine {
    /// Applies one input at time `now`. `now` may step back: the machine's own time is monotonic.
    pub fn apply(&mut self, now: Timestamp, input: Input) -> Output {
        let now = self.clock.observe(now);
        let mut effects = Effects::default();
        let answer = match input {
            Input::Pass(pass) => self.check_rate(now, pass, &mut effects),
            Input::Admit(admit) => self.admit(now, admit, &mut effects),
            Input::Extend(extend) => self.extend(now, &extend, &mut effects),
            Input::Renew { request_id, ticket } => self.renew(now, request_id, ticket),
            Input::Cancel { request_id } => self.cancel(&request_id),
            Input::Settle(settle) => LedgerAnswer::Closed(self.settle(now, *settle, &mut effects)),
            Input::Park(park) => self.park(now, *park, &mut effects),
            Input::Release { request_id } => {
                LedgerAnswer::Closed(self.release(now, &request_id, &mut effects))
            }
            Input::Await {
                request_id,
                session_id,
            } => {
                if self.is_in_progress(&request_id, session_id.as_ref()) {
                    LedgerAnswer::UnderWay
                } else {
                    LedgerAnswer::Done
                }
            }
            Input::FindTurn { session_id } => {
                let lane = self.lanes.get(&session_id);
                let holder = lane.and_then(|lane| lane.holder.clone());
                holder.map_or(LedgerAnswer::Done, LedgerAnswer::Running)
            }
            Input::Sweep => self.sweep(now, &mut effects),
            Input::Resolve(resolve) => {
                LedgerAnswer::Closed(self.resolve(now, *resolve, &mut effects))
            }
            Input::Configure(config) => self.configure(now, config, &mut effects),
            Input::Suspend => {
                if !std::mem::replace(&mut self.config.suspended, true) {
                    self.changed.push(RowKey::Config);
                }
                LedgerAnswer::Done
            }
            Input::Revoke { key_id } => {
                if self.keys.revoke(key_id.clone()) {
                    self.changed.push(RowKey::Key(key_id));
                }
                LedgerAnswer::Done
            }
            Input::ReviseKey { key_id, version } => {
                if self.keys.revise(key_id.clone(), version) {
                    self.changed.push(RowKey::Key(key_id));
                }
                LedgerAnswer::Done
            }
            Input::Forget {
                session_id,
                storage,
            } => match self.change_storage(&storage, &mut effects) {
                Ok(()) => {
                    self.invalidate_session(session_id);
                    LedgerAnswer::Done
                }
                Err(denial) => denial,
            },
            Input::ForgetAll { session_ids } => {
                self.forget_sessions(session_ids);
                LedgerAnswer::Done
            }
            Input::Storage => LedgerAnswer::Storage(self.storage()),
            Input::SetStorage(count) => self.set_storage(now, &count, &mut effects),
            Input::AckReceipts(keys) => self.ack_receipts(&keys),
            Input::AckTurn { request_id, stored } => {
                self.ack_turn(now, &request_id, stored, &mut effects)
            }
        };
        Output {
            answer,
            headers: effects.headers,
            events: effects.events,
            woken: effects.woken,
        }
    }
}
