//! Delivers the object's answers to the model and to the calls.

use clawless_core::RequestId;
use clawless_core::ledger::{Closing, Input, LedgerAnswer, Park, Period, Resolve, Settle, Stale};

use super::gateway::Stage;
use super::harness::Harness;
use super::object::Step;

impl Harness {
    /// Processes one answer of the object.
    pub(super) fn observe(&mut self, step: Step) {
        let Step {
            input,
            output,
            period,
        } = step;
        self.update_config(&input);
        self.model.denied(&input, &output.answer);
        match &input {
            Input::Admit(admit) => {
                let is_waiting = self.model.waiting.contains(&admit.request_id);
                let new = self.admitted(&admit.request_id, &output.answer, period);
                self.rate.admitted += u64::from(new && !is_waiting);
                if let LedgerAnswer::Stale(Stale::Config { .. }) = output.answer {
                    let config = self.config;
                    let call = self.call(&admit.request_id);
                    call.admit.caller.config_version = config.version;
                    call.admit.caller.config = Some(Box::new(config));
                }
            }
            Input::Pass(_) => {
                self.rate.admitted += u64::from(output.answer == LedgerAnswer::Passed);
            }
            Input::Extend(extend) => {
                if let LedgerAnswer::Extended { reserved, .. } = output.answer {
                    self.model.extended(&extend.request_id, reserved);
                }
            }
            Input::Cancel { request_id } => {
                let waited = self.model.waiting.remove(request_id);
                let call = self.call(request_id);
                call.stage = if waited {
                    Stage::Ended
                } else {
                    call.stage.clone()
                };
            }
            Input::Settle(settle) => {
                let LedgerAnswer::Closed(closing) = output.answer else {
                    panic!("{output:?}")
                };
                self.model.settled(settle, closing);
                self.repeat(settle);
                self.call(&settle.request_id).stage = Stage::Ended;
                self.call(&settle.request_id).acknowledged |= closing != Closing::NotOpen
                    && self.call(&settle.request_id).admit.session_id.is_none();
            }
            Input::Park(park) => self.parked(park, &output.answer),
            Input::Release { request_id } => {
                let LedgerAnswer::Closed(closing) = output.answer else {
                    panic!("{output:?}")
                };
                self.model.released(request_id, closing);
                self.call(request_id).stage = Stage::Ended;
            }
            Input::Sweep => {
                let LedgerAnswer::Overdue(overdue) = output.answer else {
                    panic!("{:?}", output.answer)
                };
                for call in overdue {
                    let resolution = self.database.look_up(&call.request_id, call.again);
                    self.late.push(Input::Resolve(Box::new(Resolve {
                        request_id: call.request_id,
                        resolution,
                        again: call.again,
                        ticket: call.ticket,
                    })));
                }
            }
            Input::Resolve(resolve) => {
                let LedgerAnswer::Closed(closing) = output.answer else {
                    panic!("{output:?}")
                };
                self.model.resolved(resolve, closing);
            }
            Input::AckTurn { request_id, stored } => {
                if let Some(session) = self.model.parked.remove(request_id) {
                    assert!(
                        *stored || self.tainted.contains(&session),
                        "turn of {request_id} was lost"
                    );
                }
            }
            Input::Revoke { key_id } => {
                self.model.revoked.insert(key_id.clone());
            }
            Input::Suspend => self.model.suspended = true,
            _ => {}
        }
        for woken in output.woken {
            self.model.denied(&input, &woken.answer);
            self.admitted(&woken.request_id, &woken.answer, period);
        }
    }

    /// Processes the answer to a parked turn.
    fn parked(&mut self, park: &Park, answer: &LedgerAnswer) {
        let id = &park.settle.request_id;
        self.call(id).stage = Stage::Ended;
        if *answer == LedgerAnswer::Parked {
            let session = self.model.open[id].session.clone().expect("a turn");
            self.model.settled(&park.settle, Closing::Booked);
            self.model.parked.insert(id.clone(), session);
            self.call(id).acknowledged = true;
        } else if let LedgerAnswer::Closed(closing) = answer {
            self.model.settled(&park.settle, *closing);
        }
    }

    /// Sometimes delivers both the admission and the settlement of a call again.
    fn repeat(&mut self, settle: &Settle) {
        if self.prng.once_in(30) && self.late.len() < 200 {
            let admit = self.call(&settle.request_id).admit.clone();
            self.late.push(Input::Admit(Box::new(admit)));
            self.late.push(Input::Settle(Box::new(settle.clone())));
        }
    }

    /// Applies a newer configuration contained in an input.
    fn update_config(&mut self, input: &Input) {
        let config = match input {
            Input::Configure(config) => Some(*config),
            Input::Admit(admit) => admit.caller.config.as_deref().copied(),
            _ => None,
        };
        let known = self.model.config.map_or(0, |known| known.version);
        if let Some(config) = config.filter(|config| config.version > known) {
            self.model.config = Some(config);
            self.model.suspended = false;
            self.new_rate_window();
        }
    }

    /// Processes an answer to an admission. Returns whether it consumed a request from the buckets.
    fn admitted(&mut self, id: &RequestId, answer: &LedgerAnswer, period: Period) -> bool {
        match answer {
            LedgerAnswer::Granted(grant) => {
                let call = self.calls.get_mut(id).expect("known call");
                let new = self.model.granted(grant, &call.admit, period);
                if matches!(call.stage, Stage::Admitting | Stage::Waiting) {
                    call.stage = Stage::Running;
                    call.grant = Some(grant.clone());
                    call.state = grant.session;
                }
                if let (true, Some(session), Some(state)) =
                    (new, &call.admit.session_id, grant.session)
                {
                    let tainted = self.tainted.contains(session);
                    let stored = self.database.session(session);
                    assert!(
                        tainted || state.head == stored.head,
                        "{session}: {state:?} {stored:?}"
                    );
                }
                new
            }
            LedgerAnswer::Queued { .. } => {
                let call = self.call(id);
                if call.stage == Stage::Admitting {
                    call.stage = Stage::Waiting;
                }
                self.model.waiting.insert(id.clone())
            }
            LedgerAnswer::Denied(_) => {
                self.model.waiting.remove(id);
                let call = self.call(id);
                if matches!(call.stage, Stage::Admitting | Stage::Waiting) {
                    call.stage = Stage::Ended;
                }
                false
            }
            _ => {
                self.model.waiting.remove(id);
                let call = self.call(id);
                if call.stage == Stage::Waiting {
                    call.stage = Stage::Admitting;
                }
                false
            }
        }
    }
}
