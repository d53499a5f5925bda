//! The result of a turn, as it is stored and charged.

use clawless_core::chat::{Message, Usage};
use clawless_core::ledger::SessionState;
use clawless_core::llm::{LlmChoice, LlmRequest, LlmResponse};
use clawless_core::model::Model;
use clawless_core::{
    ApiError, FinishReason, MicroDollars, Provenance, Storage, Timestamp, Tokens, ToolExecution,
};
use clawless_llm::profile::Profile;
use clawless_llm::{Accumulator, plausible, tokens};
use clawless_store::turns::NewMessage;

use crate::routing::Link;

/// The result of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The model that answered.
    pub model: Model,
    /// Its provider's name.
    pub provider: String,
    /// The model's answer, partial if it broke off.
    pub answer: LlmResponse,
    /// The tokens used.
    pub usage: Usage,
    /// Where the usage comes from.
    pub provenance: Provenance,
    /// The cost; zero for a model without a price.
    pub cost: MicroDollars,
    /// Why the answer broke off, if it did.
    pub failure: Option<ApiError>,
    /// When the answer was complete; `None` until the last round has ended.
    pub completed: Option<Timestamp>,
    /// The rounds of server tools before the answer, if the turn offered tools.
    pub tool_rounds: Option<ToolRounds>,
}

/// What server tools did before the last answer of a turn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolRounds {
    /// The model's tool calls and the tools' results.
    pub messages: Vec<Message>,
    /// A record of each execution.
    pub executions: Vec<ToolExecution>,
    /// The last answer, as a session stores it; `None` if the client has calls to answer.
    pub last: Option<LlmChoice>,
}

impl Outcome {
    /// The model that answered, as stored messages name it.
    pub fn origin(&self) -> String {
        format!("{}/{}", self.provider, self.model.id)
    }

    /// The result of one model call.
    pub fn new(
        link: &Link,
        answer: LlmResponse,
        usage: Usage,
        provenance: Provenance,
        failure: Option<ApiError>,
    ) -> Self {
        let price = link.model.price.as_ref();
        Self {
            cost: price.map_or(MicroDollars::ZERO, |price| price.cost(&usage)),
            model: link.model.clone(),
            provider: link.provider.name.clone(),
            answer,
            usage,
            provenance,
            failure,
            completed: None,
            tool_rounds: None,
        }
    }

    /// The result of one model call, with the provider's usage or an estimate of it.
    pub fn from_answer(
        link: &Link,
        request: &LlmRequest,
        answer: LlmResponse,
        failure: Option<ApiError>,
    ) -> Self {
        Self::with_reported_usage(link, request, answer, Tokens::ZERO, failure)
    }

    /// The result of a streamed model call. An estimate of its usage counts at least a token for each
    /// piece of text.
    pub fn from_stream(
        link: &Link,
        request: &LlmRequest,
        stream: Accumulator,
        failure: Option<ApiError>,
    ) -> Self {
        let pieces = stream.pieces();
        Self::with_reported_usage(link, request, stream.finish(), pieces, failure)
    }

    fn with_reported_usage(
        link: &Link,
        request: &LlmRequest,
        answer: LlmResponse,
        min_output: Tokens,
        failure: Option<ApiError>,
    ) -> Self {
        match plausible::check(request, &answer, &link.model, profile(link)) {
            Some(usage) => Self::new(link, answer, usage, Provenance::Provider, failure),
            None => Self::estimated(link, request, answer, min_output, failure),
        }
    }

    /// The result of one model call, with estimated usage. The answer has at least `min_output` tokens.
    pub fn estimated(
        link: &Link,
        request: &LlmRequest,
        answer: LlmResponse,
        min_output: Tokens,
        failure: Option<ApiError>,
    ) -> Self {
        let estimate = tokens::estimate_usage(request, profile(link), &answer, min_output);
        let usage = estimate.usage;
        let mut outcome = Self::new(link, answer, usage, Provenance::Estimated, failure);
        if let Some(price) = &link.model.price {
            outcome.cost = estimate.cost(price);
        }
        outcome
    }

    /// Adds the usage and cost of earlier rounds.
    #[must_use]
    pub fn including(mut self, earlier: &Self) -> Self {
        self.usage = earlier.usage.plus(&self.usage);
        self.cost = earlier.cost.plus(self.cost);
        if earlier.provenance != Provenance::Provider {
            self.provenance = earlier.provenance;
        }
        self
    }

    /// Sets the finish reason of every choice.
    pub fn finish_with(&mut self, reason: FinishReason) {
        for choice in &mut self.answer.choices {
            choice.finish_reason = Some(reason);
        }
    }

    /// The executions of server tools.
    pub fn executions(&self) -> &[ToolExecution] {
        let rounds = self.tool_rounds.as_ref();
        rounds.map_or(&[], |rounds| &rounds.executions)
    }

    /// The model's last answer, as a session stores it.
    pub fn last(&self) -> Option<&LlmChoice> {
        match &self.tool_rounds {
            Some(rounds) => rounds.last.as_ref(),
            None => self.answer.choices.first(),
        }
    }
}

/// The profile of a model's provider.
fn profile(link: &Link) -> &'static Profile {
    let profile = Profile::of(&link.provider);
    profile.unwrap_or_else(|_| Profile::default_of(link.provider.kind))
}

/// A turn that D1 has stored.
#[derive(Debug)]
pub struct CommittedTurn {
    /// The session's state after the turn.
    pub state: SessionState,
    /// What the turn has added to the stored content.
    pub stored: Storage,
    /// The turn's messages, if it completed and directly follows the history that its model saw.
    pub next: Option<Vec<NewMessage>>,
}
