//! The rounds of server tools between two model calls: the model calls tools, they run, and the
//! model is called again until it answers or the rounds are used up.
//!
//! All rounds are one turn: one lane, one reservation, one usage, one stored turn.

use std::pin::pin;

use clawless_core::chat::Message;
use clawless_core::json::Json;
use clawless_core::llm::{LlmChoice, LlmEvent};
use clawless_core::rounds::{ClientView, Rounds, Step, join};
use clawless_core::{ApiError, FinishReason, Role, ToolCall};
use futures_util::future::{Either, select};

use super::client::ClientStream;
use super::keep_alive;
use super::model::call::CallFailure;
use super::model::outcome::{Outcome, ToolRounds};
use super::model::turn::Turn;
use super::reservation::extend_for_round;
use crate::platform::Platform;
use crate::tools::{ToolContext, execute};

/// The result of a tool call after the last round.
const ROUNDS_USED_UP: &str = "Tools have run as often as they may in one turn; this call was not \
    run. Answer with what you have.";

/// The copies of a tool's arguments and result: its record, and the messages to the model and for the session.
const RESULT_COPIES: usize = 3;

/// The tool rounds of a turn.
pub struct ToolLoop {
    /// `None` if the turn offers no server tools.
    rounds: Option<Rounds>,
    done: ToolRounds,
    /// The text of the rounds so far, as the client sees it.
    text: Option<String>,
    /// The outcome of the rounds so far.
    earlier: Option<Box<Outcome>>,
}

/// What follows a round.
pub enum NextStep {
    /// The model is called again.
    CallModel,
    /// The turn has this outcome.
    Finish(Box<Outcome>),
}

impl ToolLoop {
    /// The rounds of a turn.
    pub fn new(turn: &Turn) -> Self {
        Self {
            rounds: turn.tools.rounds.clone(),
            done: ToolRounds::default(),
            text: None,
            earlier: None,
        }
    }

    /// The client's view of the next round; `None` if the client sees every event.
    pub fn view(&self) -> Option<ClientView<'_>> {
        let has_text = self.text.as_ref().is_some_and(|text| !text.is_empty());
        let rounds = self.rounds.as_ref()?;
        Some(ClientView::new(rounds, has_text))
    }

    /// Runs the tools that a round's answer calls. `client` is the client of a stream.
    pub async fn run<P: Platform>(
        &mut self,
        platform: &P,
        turn: &mut Turn,
        round: Outcome,
        client: Option<&mut ClientStream<P::Time>>,
    ) -> NextStep {
        let mut outcome = match self.earlier.take() {
            None => round,
            Some(earlier) => round.including(&earlier),
        };
        let Some(rounds) = &mut self.rounds else {
            return NextStep::Finish(Box::new(outcome));
        };
        let Some(choice) = outcome.answer.choices.first().cloned() else {
            return NextStep::Finish(self.finish(outcome, None));
        };
        join(&mut self.text, choice.content.as_deref());
        let step = match outcome.failure {
            None => rounds.after(&choice),
            Some(_) => Step::End,
        };
        let Step::Act {
            calls,
            run,
            ask_again,
        } = step
        else {
            let last = rounds.shown(choice);
            return NextStep::Finish(self.finish(outcome, Some(last)));
        };
        let executed = match choice.to_stored(&outcome.origin()) {
            Ok(answer) => {
                self.execute(platform, turn, answer, &calls, run, client)
                    .await
            }
            Err(error) => Err(ApiError::internal(error)),
        };
        if executed.is_ok() && !ask_again {
            return NextStep::Finish(self.finish(outcome, None));
        }
        if let Some(rounds) = &self.rounds {
            rounds.narrow(&mut turn.llm.options);
        }
        let extended = match executed {
            Ok(()) => extend_for_round(platform, turn, &outcome.usage).await,
            Err(error) => Err(error),
        };
        match extended {
            Ok(true) => {
                self.earlier = Some(Box::new(outcome));
                return NextStep::CallModel;
            }
            // The answer ends when the quota is used up, as at an output limit.
            Ok(false) => outcome.finish_with(FinishReason::Length),
            Err(error) => outcome.failure = Some(error),
        }
        NextStep::Finish(self.finish(outcome, None))
    }

    /// Runs calls, and adds them and their results to the conversation.
    async fn execute<P: Platform>(
        &mut self,
        platform: &P,
        turn: &mut Turn,
        answer: Json,
        calls: &[ToolCall],
        run: bool,
        mut client: Option<&mut ClientStream<P::Time>>,
    ) -> Result<(), ApiError> {
        if let Some(client) = client.as_deref_mut() {
            client.send_tool_calls(calls).await;
        }
        let context = ToolContext {
            platform,
            tenant: &turn.identity.tenant,
            key: &turn.identity.key,
            session: turn.session.as_ref().map(|session| &session.id),
            request: &turn.identity.request_id,
            origin: &turn.origin,
            permit: &turn.permit,
        };
        let refusal = (!run).then_some(ROUNDS_USED_UP);
        let executing = execute(&context, &turn.tools.toolbox, calls, refusal);
        let executions = with_keep_alive(platform, client.as_deref_mut(), executing).await;
        if let Some(client) = client {
            client.send_tool_results(&executions).await;
        }
        let lengths = executions
            .iter()
            .map(|it| it.call.arguments.len() + it.result.len());
        turn.permit.add(lengths.sum::<usize>() * RESULT_COPIES);
        let mut messages = vec![Message::from_stored(Role::Assistant, answer)];
        for (call, execution) in calls.iter().zip(&executions) {
            let result = Message::tool_result(&call.id, &execution.result);
            messages.push(result.map_err(ApiError::internal)?);
        }
        turn.llm.messages.extend_from_slice(&messages);
        self.done.messages.append(&mut messages);
        self.done.executions.extend(executions);
        Ok(())
    }

    /// The outcome of the turn: one answer, with the tool rounds before it.
    fn finish(&mut self, mut outcome: Outcome, last: Option<LlmChoice>) -> Box<Outcome> {
        if let Some(rounds) = &self.rounds
            && let Some(choice) = outcome.answer.choices.first_mut()
        {
            *choice = rounds.shown(std::mem::take(choice));
            choice.content = self.text.take().or(choice.content.take());
        }
        outcome.tool_rounds = Some(ToolRounds {
            last,
            ..std::mem::take(&mut self.done)
        });
        Box::new(outcome)
    }

    /// The outcome of a turn whose next model call failed: the rounds so far. An error if no round
    /// has an answer yet.
    ///
    /// # Errors
    /// `failure` of the first call.
    pub fn fail(&mut self, failure: CallFailure) -> Result<Outcome, CallFailure> {
        let Some(earlier) = self.earlier.take() else {
            return Err(failure);
        };
        let (error, spent) = match failure {
            CallFailure::Failed { error, spent } => (*error, spent),
            // A turn with tools outlives its client.
            CallFailure::ClientLeft { spent } => {
                (ApiError::internal("client left between rounds"), spent)
            }
        };
        let mut outcome = match spent {
            None => *earlier,
            Some(spent) => earlier.including(&spent),
        };
        outcome.failure = Some(error);
        Ok(*self.finish(outcome, None))
    }

    /// The finish event of a streamed answer with tools. Rounds hold it back until the last one is
    /// known.
    pub fn finish_event(&self, outcome: &Outcome) -> Option<LlmEvent> {
        self.rounds.as_ref()?;
        let first = outcome.answer.choices.first();
        let reason = first.and_then(|choice| choice.finish_reason)?;
        let event = LlmEvent::Finish { index: 0, reason };
        outcome.failure.is_none().then_some(event)
    }
}

/// Waits for a future and sends the client keep-alive events meanwhile.
pub async fn with_keep_alive<P: Platform, T>(
    platform: &P,
    mut client: Option<&mut ClientStream<P::Time>>,
    future: impl Future<Output = T>,
) -> T {
    let mut future = pin!(future);
    loop {
        match select(future.as_mut(), keep_alive::timer(platform)).await {
            Either::Left((output, _)) => return output,
            Either::Right(_) => {
                if let Some(client) = client.as_deref_mut() {
                    client.send_keep_alive().await;
                }
            }
        }
    }
}
