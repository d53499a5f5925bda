//! A turn before its admission, and the admission.

use std::borrow::Cow;
use std::rc::Rc;

use clawless_api::surface::Rendering;
use clawless_core::chat::CompletionRequest;
use clawless_core::ledger::{Grant, RateHeaders};
use clawless_core::sending::SendOrigin;
use clawless_core::{RequestId, Timestamp, Tokens};
use clawless_edge::http::Permit;

use super::answer_format::AnswerFormat;
use super::continuation::Continuation;
use super::idempotency::{IdempotencyClaim, IdempotencyKey};

use crate::caller::Caller;
use crate::routing::{RequestFeatures, Route};

/// A parsed and routed request that is not admitted yet.
#[derive(Debug, Clone)]
pub struct PendingTurn {
    /// The request's id.
    pub request_id: RequestId,
    /// The authenticated caller.
    pub caller: Caller,
    /// The models that may answer.
    pub route: Route,
    /// The parsed request.
    pub request: CompletionRequest,
    /// The history that the turn continues.
    pub continuation: Continuation,
    /// How its answer is rendered.
    pub rendering: Rendering,
    /// The parameters that are ignored.
    pub ignored: Vec<Cow<'static, str>>,
    /// The features of the request that routing and admission use.
    pub features: RequestFeatures,
    /// When the request arrived.
    pub started: Timestamp,
    /// The idempotency key, if the request has one.
    pub idempotency_key: Option<IdempotencyKey>,
    /// When this request claimed its idempotency key or its message.
    pub claimed_at: Option<Timestamp>,
    /// The message between sessions that caused the turn, if any.
    pub origin: SendOrigin,
    /// Counts what the turn holds in memory.
    pub permit: Rc<Permit>,
}

impl PendingTurn {
    /// The request's claim on its idempotency key, if it has one.
    pub fn claim(&self) -> Option<IdempotencyClaim> {
        Some(IdempotencyClaim::new(
            self.request_id.clone(),
            self.caller.tenant().id.clone(),
            self.caller.key().id.clone(),
            self.idempotency_key.clone()?,
        ))
    }

    /// The format of the answer.
    pub fn format(&self) -> AnswerFormat {
        AnswerFormat {
            rendering: self.rendering.clone(),
            is_stream: self.request.stream,
        }
    }
}

/// The ledger's admission of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// The caller, with records that the ledger has confirmed.
    pub caller: Caller,
    /// The granted reservation.
    pub grant: Grant,
    /// The caller's rate limits.
    pub rates: RateHeaders,
    /// The estimated input tokens of the request and the tenant's system prompt, without the session.
    pub tokens_in: Tokens,
}
