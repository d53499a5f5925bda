//! The answers that leave the object: told to the book-keeper and to whoever asked.

use clawless_core::RequestId;
use clawless_core::ledger::{Closing, Input, LedgerAnswer, Period, Resolve, Settle, Stale};

use super::disk::Step;
use super::gateway::Stage;
use super::world::World;

impl World {
    /// The answers that left the object are taken in.
    pub(super) fn hear(&mut self, step: Step) {
        let Step {
            input,
            output,
            period,
        } = step;
        self.learn_config(&input);
        self.oracle.denied(&input, &output.answer);
        match &input {
            Input::Admit(admit) => {
                let waits = self.oracle.waiting.contains(&admit.request_id);
                let new = self.admitted(&admit.request_id, &output.answer, period);
                self.rate.passed += u64::from(new && !waits);
                if let LedgerAnswer::Stale(Stale::Config { .. }) = output.answer {
                    let config = self.config;
                    let call = self.call(&admit.request_id);
                    call.admit.caller.config_version = config.version;
                    call.admit.caller.config = Some(Box::new(config));
                }
            }
            Input::Pass(_) => self.rate.passed += u64::from(output.answer == LedgerAnswer::Passed),
            Input::Extend(extend) => {
                if let LedgerAnswer::Extended { reserved, .. } = output.answer {
                    self.oracle.extended(&extend.request_id, reserved);
                }
            }
            Input::Cancel { request_id } => {
                let waited = self.oracle.waiting.remove(request_id);
                let call = self.call(request_id);
                call.stage = if waited {
                    Stage::Over
                } else {
                    call.stage.clone()
                };
            }
            Input::Settle(settle) => {
                let LedgerAnswer::Closed(closing) = output.answer else {
                    panic!("{output:?}")
                };
                self.oracle.settled(settle, closing);
                self.repeat(settle);
                self.call(&settle.request_id).stage = Stage::Over;
                self.call(&settle.request_id).seen |= closing != Closing::NotOpen
                    && self.call(&settle.request_id).admit.session_id.is_none();
            }
            Input::Park(park) => {
                let id = &park.settle.request_id;
                self.call(id).stage = Stage::Over;
                if output.answer == LedgerAnswer::Parked {
                    let session = self.oracle.open[id].session.clone().expect("a turn");
                    self.oracle.settled(&park.settle, Closing::Booked);
                    self.oracle.parked.insert(id.clone(), session);
                    self.call(id).seen = true;
                } else if let LedgerAnswer::Closed(closing) = output.answer {
                    self.oracle.settled(&park.settle, closing);
                }
            }
            Input::Release { request_id } => {
                let LedgerAnswer::Closed(closing) = output.answer else {
                    panic!("{output:?}")
                };
                self.oracle.released(request_id, closing);
                self.call(request_id).stage = Stage::Over;
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
                    })));
                }
            }
            Input::Resolve(resolve) => {
                let LedgerAnswer::Closed(closing) = output.answer else {
                    panic!("{output:?}")
                };
                self.oracle.resolved(resolve, closing);
            }
            Input::AckTurn { request_id, stored } => {
                if let Some(session) = self.oracle.parked.remove(request_id) {
                    assert!(
                        *stored || self.tainted.contains(&session),
                        "{request_id} was lost"
                    );
                }
            }
            Input::Revoke { key_id } => {
                self.oracle.revoked.insert(key_id.clone());
            }
            Input::Suspend => self.oracle.suspended = true,
            _ => {}
        }
        for woken in output.woken {
            self.oracle.denied(&input, &woken.answer);
            self.admitted(&woken.request_id, &woken.answer, period);
        }
    }

    /// Now and then both the beginning and the end of a call come once more.
    fn repeat(&mut self, settle: &Settle) {
        if self.prng.once_in(30) && self.late.len() < 200 {
            let admit = self.call(&settle.request_id).admit.clone();
            self.late.push(Input::Admit(Box::new(admit)));
            self.late.push(Input::Settle(Box::new(settle.clone())));
        }
    }

    /// A newer configuration in an input holds from there on.
    fn learn_config(&mut self, input: &Input) {
        let config = match input {
            Input::Configure(config) => Some(*config),
            Input::Admit(admit) => admit.caller.config.as_deref().copied(),
            _ => None,
        };
        let known = self.oracle.config.map_or(0, |known| known.version);
        if let Some(config) = config.filter(|config| config.version > known) {
            self.oracle.config = Some(config);
            self.oracle.suspended = false;
            self.new_rate_window();
        }
    }

    /// An answer to an admission arrived. Gives whether it took a request from the buckets.
    fn admitted(&mut self, id: &RequestId, answer: &LedgerAnswer, period: Period) -> bool {
        match answer {
            LedgerAnswer::Granted(grant) => {
                let call = self.calls.get_mut(id).expect("a call that was made");
                let new = self.oracle.granted(grant, &call.admit, period);
                if matches!(call.stage, Stage::Asking | Stage::Waiting) {
                    call.stage = Stage::Running;
                    call.grant = Some(grant.clone());
                    call.state = grant.session;
                }
                if let (true, Some(session), Some(state)) =
                    (new, &call.admit.session_id, grant.session)
                {
                    let tainted = self.tainted.contains(session);
                    let stands = self.database.session(session);
                    assert!(
                        tainted || state.head == stands.head,
                        "{session}: {state:?} {stands:?}"
                    );
                }
                new
            }
            LedgerAnswer::Queued { .. } => {
                let call = self.call(id);
                if call.stage == Stage::Asking {
                    call.stage = Stage::Waiting;
                }
                self.oracle.waiting.insert(id.clone())
            }
            LedgerAnswer::Denied(_) => {
                self.oracle.waiting.remove(id);
                let call = self.call(id);
                if matches!(call.stage, Stage::Asking | Stage::Waiting) {
                    call.stage = Stage::Over;
                }
                false
            }
            _ => {
                self.oracle.waiting.remove(id);
                let call = self.call(id);
                if call.stage == Stage::Waiting {
                    call.stage = Stage::Asking;
                }
                false
            }
        }
    }
}
