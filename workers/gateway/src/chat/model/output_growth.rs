//! How much output is reserved for an answer, and whether the reservation grows.

use clawless_core::Tokens;
use clawless_core::ledger::{Grant, QuotaKind};
use clawless_core::llm::ProviderKind;

use super::pending_turn::{Admission, PendingTurn};

/// The output that is reserved first if neither the request nor the model's entry has a limit, and by
/// which a running answer's reservation grows.
pub const DEFAULT_OUTPUT: Tokens = Tokens::new(4096);

/// How an answer's reserved output relates to its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputGrowth {
    /// The answer ends at the reserved length: the client or the model's entry set it, or the quota
    /// covers no more.
    Fixed,
    /// The request has no limit. The reservation is extended while the answer runs, and the answer ends
    /// when the quota is used up.
    Extended {
        /// The longest answer of the models in the chain, if it is known of all.
        longest: Option<Tokens>,
    },
    /// The request has no limit, and no quota needs one or the answer cannot be observed while it runs.
    Unlimited,
}

impl OutputGrowth {
    /// The growth of an admitted turn.
    pub fn new(pending: &PendingTurn, admission: &Admission) -> Self {
        let model = &pending.route.primary().model;
        if pending.request.options.max_output().is_some() || model.default_output.is_some() {
            return Self::Fixed;
        }
        let quotas = admission.caller.tenant().quotas();
        let is_limiting =
            |kind: QuotaKind| kind.grows_with_output() && kind.limit(&quotas).is_some();
        if !QuotaKind::ALL.into_iter().any(is_limiting) {
            return Self::Unlimited;
        }
        let granted = admission.grant.max_tokens_out;
        let longest = longest(pending);
        let is_enough = longest.is_some_and(|longest| longest <= granted);
        let is_all = granted < Self::first_reservation(pending)
            || (admission.grant.affordable_out).is_some_and(|all| all <= granted);
        if is_enough || is_all {
            Self::Fixed
        } else if can_grow(pending) {
            Self::Extended { longest }
        } else {
            Self::Unlimited
        }
    }

    /// The output that is reserved at admission for a request without a limit.
    pub fn first_reservation(pending: &PendingTurn) -> Tokens {
        let model = &pending.route.primary().model;
        let longest = longest(pending);
        let first = match longest {
            Some(longest) if can_grow(pending) => longest.min(DEFAULT_OUTPUT),
            Some(longest) => longest,
            None => DEFAULT_OUTPUT,
        };
        model.default_output.unwrap_or(first)
    }

    /// The limit that the provider gets: what is reserved if that does not grow, and what the quota
    /// covers if that is less than the model's longest answer.
    pub fn limit(self, grant: &Grant) -> Option<Tokens> {
        match self {
            Self::Fixed => Some(grant.max_tokens_out),
            Self::Extended { longest } => grant.affordable_out.filter(|all| Some(*all) < longest),
            Self::Unlimited => None,
        }
    }

    /// Whether the reservation grows with the answer.
    pub const fn is_extended(self) -> bool {
        matches!(self, Self::Extended { .. })
    }
}

/// The longest answer of the models that may answer, if it is known of all.
fn longest(pending: &PendingTurn) -> Option<Tokens> {
    let all = pending.route.chain().map(|link| link.model.max_output);
    all.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// Whether the answer can be observed while it runs: as a stream, even if the client requested a whole
/// answer. Workers AI does not stream answers in a response format.
fn can_grow(pending: &PendingTurn) -> bool {
    let mut chain = pending.route.chain();
    let has_platform = chain.any(|link| link.provider.kind == ProviderKind::WorkersAi);
    let is_formatted = pending.request.options.response_format.is_some();
    pending.request.stream || !(has_platform && is_formatted)
}
