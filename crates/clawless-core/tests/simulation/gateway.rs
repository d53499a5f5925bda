//! Gateway calls from admission to receipt. A call may stop at any step.

use clawless_core::json::Json;
use clawless_core::ledger::{
    Admit, CallerVersions, EndpointClass, Extend, Grant, Input, Park, Price, Provenance,
    SessionState, Settle, Spent,
};
use clawless_core::session::SessionHead;
use clawless_core::{MicroDollars, RequestId, Storage, Tokens};

use super::database::Database;
use super::prng::Prng;

pub const PRICE: Price = Price {
    input: MicroDollars::new(2_500_000),
    output: MicroDollars::new(10_000_000),
};

/// Progress of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// The admission is in flight or lost.
    Admitting,
    /// Queued for its session.
    Waiting,
    /// Admitted.
    Running,
    /// The provider has answered.
    Answered,
    /// The closing input is in flight or lost.
    Closing(Box<Input>),
    /// Ended, denied or lost.
    Ended,
}

#[derive(Debug, Clone)]
pub struct Call {
    pub admit: Admit,
    pub stage: Stage,
    pub grant: Option<Grant>,
    /// Session state known to the gateway.
    pub state: Option<SessionState>,
    pub spent: Option<Spent>,
    /// Whether the client received a complete answer.
    pub acknowledged: bool,
}

impl Call {
    pub fn new(request_id: RequestId, caller: CallerVersions, prng: &mut Prng) -> Self {
        let session = prng.below(12);
        let admit = Admit {
            request_id,
            caller,
            class: EndpointClass::Chat,
            session_id: (session < 8).then(|| format!("s{session}").parse().expect("valid id")),
            model: "m".to_owned(),
            tokens_in: Tokens::new(prng.below(200)),
            max_tokens_out: (!prng.once_in(3)).then(|| Tokens::new(1 + prng.below(300))),
            default_tokens_out: Tokens::new(400),
            answers: 1 + u32::from(prng.once_in(5)),
            price: PRICE,
            storage: Storage::ZERO,
        };
        Self {
            admit,
            stage: Stage::Admitting,
            grant: None,
            state: None,
            spent: None,
            acknowledged: false,
        }
    }

    pub fn id(&self) -> &RequestId {
        &self.admit.request_id
    }

    /// Advances by one step. Returns the input for the ledger, if any.
    pub fn advance(&mut self, database: &mut Database, prng: &mut Prng) -> Option<Input> {
        if prng.once_in(60) {
            self.stage = Stage::Ended;
            return None;
        }
        match &self.stage {
            Stage::Admitting => Some(Input::Admit(Box::new(self.admit.clone()))),
            Stage::Waiting => prng.once_in(10).then(|| {
                let request_id = self.id().clone();
                Input::Cancel { request_id }
            }),
            Stage::Running => self.run(database, prng),
            Stage::Answered => self.finish(database, prng),
            Stage::Closing(input) => Some(*input.clone()),
            Stage::Ended => None,
        }
    }

    fn run(&mut self, database: &Database, prng: &mut Prng) -> Option<Input> {
        let grant = self.grant.as_ref()?;
        if let (Some(session), None) = (&self.admit.session_id, self.state) {
            let state = database.session(session);
            self.state = Some(state);
            return Some(Input::Extend(Extend {
                request_id: grant.request_id.clone(),
                ticket: grant.ticket,
                tokens_in: self.admit.tokens_in.plus(state.token_total),
                max_tokens_out: None,
                price: None,
                session: Some(state),
                creates_session: false,
                copied: Storage::ZERO,
            }));
        }
        if prng.once_in(4) {
            return Some(Input::Renew {
                request_id: grant.request_id.clone(),
                ticket: grant.ticket,
            });
        }
        if prng.once_in(12) {
            let request_id = grant.request_id.clone();
            return Some(self.close_with(Input::Release { request_id }));
        }
        let limit = grant.max_tokens_out.get() * u64::from(self.admit.answers);
        // Some providers exceed the output limit.
        let limit = if prng.once_in(20) { limit * 3 } else { limit };
        let tokens_out = Tokens::new(prng.below(limit + 1));
        let history = self.state.map_or(Tokens::ZERO, |state| state.token_total);
        let tokens_in = self.admit.tokens_in.plus(history);
        self.spent = Some(Spent {
            tokens_in,
            tokens_out,
            cost: PRICE.cost(tokens_in, tokens_out),
        });
        self.stage = Stage::Answered;
        None
    }

    /// Commits and settles; parks if the database rejects the commit.
    fn finish(&mut self, database: &mut Database, prng: &mut Prng) -> Option<Input> {
        let (spent, ticket) = (self.spent?, self.grant.as_ref()?.ticket);
        let mut settle = Settle {
            request_id: self.id().clone(),
            ticket,
            spent,
            provenance: Provenance::Provider,
            model: None,
            stored: Storage::ZERO,
            session: None,
        };
        let Some(session) = self.admit.session_id.clone() else {
            return Some(self.close_with(Input::Settle(Box::new(settle))));
        };
        let head = self.state.map_or(SessionHead::EMPTY, |state| state.head);
        if prng.once_in(15) {
            let state = SessionState {
                head: head.next(),
                token_total: spent.tokens_in.plus(spent.tokens_out),
            };
            settle.session = Some(state);
            let turn = Json::from_value(&(head, spent)).expect("plain data");
            return Some(self.close_with(Input::Park(Box::new(Park { settle, turn }))));
        }
        settle.session = database.commit(&settle.request_id, &session, head, spent);
        self.acknowledged = settle.session.is_some();
        if prng.once_in(12) {
            self.stage = Stage::Ended;
            return None;
        }
        Some(self.close_with(Input::Settle(Box::new(settle))))
    }

    fn close_with(&mut self, input: Input) -> Input {
        self.stage = Stage::Closing(Box::new(input.clone()));
        input
    }
}
