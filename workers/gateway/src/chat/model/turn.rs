//! An admitted turn.

use std::borrow::Cow;
use std::rc::Rc;

use clawless_core::chat::Message;
use clawless_core::ledger::{RateHeaders, Ticket};
use clawless_core::llm::LlmRequest;
use clawless_core::rounds::Rounds;
use clawless_core::sending::SendOrigin;
use clawless_core::{KeyId, Millis, RequestId, TenantId, Timestamp, Tokens};
use clawless_edge::http::Permit;

use super::answer_format::AnswerFormat;
use super::idempotency::IdempotencyClaim;
use super::output_growth::OutputGrowth;
use super::pending_turn::{Admission, PendingTurn};
use super::session::{Conversation, DroppedHistory, OpenSession};
use crate::routing::Route;
use crate::tools::Toolbox;

/// The part of a reservation's time that is kept for storing and settling the turn.
const COMMIT_TIME: Millis = Millis::from_secs(60);

/// Identifies a turn and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnIdentity {
    /// The request that the turn answers.
    pub request_id: RequestId,
    /// The tenant.
    pub tenant: TenantId,
    /// The API key of the request.
    pub key: KeyId,
    /// When the request arrived.
    pub started: Timestamp,
}

/// The ledger's reservation for a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Reservation {
    /// The ledger's number for it.
    pub ticket: Ticket,
    /// The reserved output tokens of each answer.
    pub max_tokens_out: Tokens,
    /// Whether the provider and the relay hold the answer to that many tokens, or let it grow.
    pub growth: OutputGrowth,
    /// The output of earlier rounds of the turn.
    pub used_out: Tokens,
    /// When the last model call must have ended, so that time remains to commit and settle.
    pub deadline: Timestamp,
}

/// The server tools of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnTools {
    /// The tools that may run.
    pub toolbox: Toolbox,
    /// The state of the tool rounds, if any tool is offered to the model.
    pub rounds: Option<Rounds>,
}

/// Facts that the response's headers report.
#[derive(Debug, Clone, PartialEq)]
pub struct ResponseNotes {
    /// The caller's rate limits.
    pub rates: RateHeaders,
    /// The part of the history that the model does not see.
    pub dropped: DroppedHistory,
    /// The parameters that are ignored.
    pub ignored: Vec<Cow<'static, str>>,
}

/// An admitted turn, ready for the model.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Request, tenant and key.
    pub identity: TurnIdentity,
    /// The models that may answer.
    pub route: Route,
    /// The request to the model.
    pub llm: LlmRequest,
    /// The request's own messages, which the turn stores.
    pub input: Vec<Message>,
    /// The session of the turn; without one nothing is stored.
    pub session: Option<OpenSession>,
    /// The server tools.
    pub tools: TurnTools,
    /// The ledger's reservation.
    pub reservation: Reservation,
    /// The format of the answer.
    pub format: AnswerFormat,
    /// What the response's headers report.
    pub notes: ResponseNotes,
    /// The message between sessions that caused the turn, if any.
    pub origin: SendOrigin,
    /// The claim under which the answer is kept for replays.
    pub claim: Option<IdempotencyClaim>,
    /// Counts what the turn holds in memory.
    pub permit: Rc<Permit>,
}

impl Turn {
    /// Builds the turn from its admission and conversation. The model's output is limited to the
    /// reservation if a limit was requested or a quota needs one.
    pub fn new(pending: PendingTurn, admission: &Admission, conversation: Conversation) -> Self {
        let growth = OutputGrowth::new(&pending, admission);
        let (format, claim) = (pending.format(), pending.claim());
        let grant = &admission.grant;
        let mut options = pending.request.options;
        if let Some(limit) = growth.limit(grant) {
            options.limit_output(limit);
        }
        let toolbox = conversation.toolbox;
        let can_call = pending.route.chain().all(|link| link.model.features.tools);
        let max_calls = pending.request.turn.max_tool_calls;
        let rounds = can_call.then(|| Rounds::offer(&mut options, toolbox.offers(), max_calls));
        Self {
            identity: TurnIdentity {
                request_id: pending.request_id,
                tenant: admission.caller.tenant().id.clone(),
                key: admission.caller.key().id.clone(),
                started: pending.started,
            },
            llm: LlmRequest {
                model: pending.route.primary().model.id.clone(),
                messages: conversation.messages,
                options,
            },
            route: pending.route,
            input: conversation.input,
            session: conversation.session,
            tools: TurnTools {
                toolbox,
                rounds: rounds.flatten(),
            },
            reservation: Reservation {
                ticket: grant.ticket,
                max_tokens_out: grant.max_tokens_out,
                growth,
                used_out: Tokens::ZERO,
                deadline: grant.deadline.minus(COMMIT_TIME),
            },
            format,
            notes: ResponseNotes {
                rates: admission.rates,
                dropped: conversation.dropped,
                ignored: pending.ignored,
            },
            origin: pending.origin,
            claim,
            permit: pending.permit,
        }
    }

    /// Whether the turn continues after the client has left: the session stores the answer, the
    /// request can be repeated, or tools may be half done.
    pub const fn outlives_client(&self) -> bool {
        self.session.is_some() || self.claim.is_some() || self.tools.rounds.is_some()
    }
}
