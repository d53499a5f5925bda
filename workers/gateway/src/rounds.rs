//! The rounds of a turn: the model asks for server tools, they run, and it is asked again, until
//! it has its answer or there are no more rounds.
//!
//! All rounds are one turn: one lane, one reservation, one usage, one stored turn.

use std::pin::pin;

use clawless_api::chat::{ChunkWriter, ToolActivity};
use clawless_core::chat::Message;
use clawless_core::llm::{LlmChoice, LlmEvent};
use clawless_core::rounds::{ClientView, Rounds, Step, join};
use clawless_core::{ApiError, FinishReason, Provenance, Role, ToolCall, ToolExecution};
use futures_util::future::{Either, select};

use crate::admit::cover;
use crate::call::{self, Begun, CallTrace};
use crate::client::{Client, Departure};
use crate::platform::Platform;
use crate::relay::{KEEP_ALIVE_EVENT, keep_alive_alarm, relay};
use crate::tools::{ToolContext, execute};
use crate::turn::{Outcome, Turn};

/// What a model is told that calls tools for the ninth time.
const ENOUGH: &str = "Tools have run as often as they may in one turn; this call was not run. \
    HttpResponse with what you have.";

/// What was done before the last answer of a turn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolRounds {
    /// What the model said when it called tools, and what they answered.
    pub messages: Vec<Message>,
    /// What the tools did.
    pub executions: Vec<ToolExecution>,
    /// The last answer, as a session keeps it; none where the client has calls to answer.
    pub last: Option<LlmChoice>,
}

/// A turn in its rounds.
struct Loop<'a, P> {
    platform: &'a P,
    turn: &'a mut Turn,
    rounds: Rounds,
    acted: ToolRounds,
    /// The text of the rounds so far, as the client sees it.
    text: Option<String>,
}

/// What comes after a round.
enum Next {
    /// The model is asked again; this is how it went so far.
    Ask(Box<Outcome>),
    /// Nothing; this is how it went.
    End(Box<Outcome>),
}

/// Asks for an answer in one piece, in as many rounds as it takes.
///
/// # Errors
/// The last provider's failure, in words for the client, where no round got an answer.
pub async fn complete<P: Platform>(
    platform: &P,
    turn: &mut Turn,
) -> Result<(Outcome, CallTrace), ApiError> {
    let Some(mut rounds) = Loop::begin(platform, turn) else {
        return call::complete(platform, turn).await;
    };
    let (mut outcome, way) = call::complete(platform, rounds.turn).await?;
    loop {
        let before = match rounds.after(outcome, &mut Audience::none(platform)).await {
            Next::End(outcome) => return Ok((*outcome, way)),
            Next::Ask(before) => before,
        };
        outcome = match call::complete(platform, rounds.turn).await {
            Ok((next, _)) => next.with_those_before(&before),
            Err(error) => return Ok((rounds.broken(*before, error), way)),
        };
    }
}

/// Passes an answer on, in as many rounds as it takes; `begun` is the first.
pub async fn stream<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    mut begun: Begun<P>,
    writer: &mut ChunkWriter,
    client: &mut Client,
    departure: &mut Departure,
) -> Outcome {
    let Some(mut rounds) = Loop::begin(platform, turn) else {
        return relay(platform, turn, &mut begun, None, writer, client, departure).await;
    };
    let mut before: Option<Box<Outcome>> = None;
    let outcome = loop {
        let has_text = rounds.text.as_ref().is_some_and(|text| !text.is_empty());
        let view = ClientView::new(&rounds.rounds, has_text);
        let round = relay(
            platform,
            rounds.turn,
            &mut begun,
            Some(view),
            writer,
            client,
            departure,
        )
        .await;
        let outcome = match &before {
            None => round,
            Some(before) => round.with_those_before(before),
        };
        let mut audience = Audience::of(platform, writer, client);
        let so_far = match rounds.after(outcome, &mut audience).await {
            Next::End(outcome) => break *outcome,
            Next::Ask(so_far) => so_far,
        };
        begun = match audience.wait_for(call::stream(platform, rounds.turn)).await {
            Ok(begun) => begun,
            Err(error) => break rounds.broken(*so_far, error),
        };
        before = Some(so_far);
    };
    // The end was held back until it was clear that this is it.
    let first = outcome.answer.choices.first();
    if let Some(reason) = first.and_then(|choice| choice.finish_reason)
        && outcome.failure.is_none()
    {
        let mut end = String::new();
        writer.event(&LlmEvent::Finish { index: 0, reason }, &mut end);
        client.send(end.into_bytes(), platform.time()).await;
    }
    outcome
}

impl<'a, P: Platform> Loop<'a, P> {
    /// The rounds of a turn; none where it offers no tools of ours.
    fn begin(platform: &'a P, turn: &'a mut Turn) -> Option<Self> {
        let rounds = turn.rounds.clone()?;
        Some(Self {
            platform,
            turn,
            rounds,
            acted: ToolRounds::default(),
            text: None,
        })
    }

    /// Does what an answer asks for.
    async fn after(&mut self, mut outcome: Outcome, audience: &mut Audience<'_, P>) -> Next {
        let end = |outcome| Next::End(Box::new(outcome));
        let Some(choice) = outcome.answer.choices.first().cloned() else {
            return end(self.ended(outcome, None));
        };
        join(&mut self.text, choice.content.as_deref());
        let step = match outcome.failure {
            None => self.rounds.after(&choice),
            Some(_) => Step::End,
        };
        let Step::Act {
            calls,
            run,
            ask_again,
        } = step
        else {
            let last = self.rounds.shown(choice);
            return end(self.ended(outcome, Some(last)));
        };
        let acted = self
            .act(&choice, &outcome.origin(), &calls, run, audience)
            .await;
        if acted.is_ok() && !ask_again {
            return end(self.ended(outcome, None));
        }
        self.rounds.narrow(&mut self.turn.llm.options);
        let covered = match acted {
            Ok(()) => cover(self.platform, self.turn, &outcome.usage).await,
            Err(error) => Err(error),
        };
        match covered {
            Ok(true) => return Next::Ask(Box::new(outcome)),
            // The answer ends where the quota does, like one that is too long for it.
            Ok(false) => outcome.end_with(FinishReason::Length),
            Err(error) => outcome.failure = Some(error),
        }
        end(self.ended(outcome, None))
    }

    /// Runs calls, and adds them and their results to the conversation.
    async fn act(
        &mut self,
        choice: &LlmChoice,
        origin: &str,
        calls: &[ToolCall],
        run: bool,
        audience: &mut Audience<'_, P>,
    ) -> Result<(), ApiError> {
        audience.hear(calls.iter().map(ToolActivity::running)).await;
        let context = ToolContext {
            platform: self.platform,
            tenant: &self.turn.tenant,
            key: &self.turn.key,
            session: self.turn.session.as_ref().map(|session| &session.id),
            request: &self.turn.request_id,
            origin: &self.turn.origin,
        };
        let enough = (!run).then_some(ENOUGH);
        let executing = execute(&context, &self.turn.toolbox, calls, enough);
        let executions = audience.wait_for(executing).await;
        audience
            .hear(executions.iter().map(ToolActivity::ended))
            .await;
        let said = choice.to_stored(origin).map_err(ApiError::internal)?;
        let mut messages = vec![Message::from_stored(Role::Assistant, said)];
        for (call, execution) in calls.iter().zip(&executions) {
            let told = Message::of_tool(&call.id, &execution.result);
            messages.push(told.map_err(ApiError::internal)?);
        }
        self.turn.llm.messages.extend_from_slice(&messages);
        self.acted.messages.append(&mut messages);
        self.acted.executions.extend(executions);
        Ok(())
    }

    /// The outcome of the whole turn: one answer, with all that was done for it.
    fn ended(&mut self, mut outcome: Outcome, last: Option<LlmChoice>) -> Outcome {
        if let Some(choice) = outcome.answer.choices.first_mut() {
            *choice = self.rounds.shown(std::mem::take(choice));
            choice.content = self.text.take().or(choice.content.take());
        }
        outcome.acted = Some(ToolRounds {
            last,
            ..std::mem::take(&mut self.acted)
        });
        outcome
    }

    /// The outcome of a turn whose next round got no answer: what was said and done until then.
    fn broken(&mut self, mut before: Outcome, error: ApiError) -> Outcome {
        before.failure = Some(error);
        self.ended(before, None)
    }
}

impl Outcome {
    /// The outcome with what the rounds before it used and cost.
    fn with_those_before(mut self, before: &Self) -> Self {
        self.usage = before.usage.plus(&self.usage);
        self.cost = before.cost.plus(self.cost);
        if before.provenance != Provenance::Provider {
            self.provenance = before.provenance;
        }
        self
    }

    fn end_with(&mut self, reason: FinishReason) {
        for choice in &mut self.answer.choices {
            choice.finish_reason = Some(reason);
        }
    }
}

/// Who hears of the tools while they run: the client of a stream, or nobody.
struct Audience<'a, P> {
    platform: &'a P,
    stream: Option<(&'a mut ChunkWriter, &'a mut Client)>,
}

impl<'a, P: Platform> Audience<'a, P> {
    const fn none(platform: &'a P) -> Self {
        Self {
            platform,
            stream: None,
        }
    }

    const fn of(platform: &'a P, writer: &'a mut ChunkWriter, client: &'a mut Client) -> Self {
        Self {
            platform,
            stream: Some((writer, client)),
        }
    }

    async fn hear(&mut self, activity: impl Iterator<Item = ToolActivity>) {
        if let Some((writer, client)) = &mut self.stream {
            let mut chunk = String::new();
            writer.activity(&activity.collect::<Vec<_>>(), &mut chunk);
            client.send(chunk.into_bytes(), self.platform.time()).await;
        }
    }

    /// Waits for something, with signs of life to the client.
    async fn wait_for<T>(&mut self, something: impl Future<Output = T>) -> T {
        let mut something = pin!(something);
        loop {
            let alarm = keep_alive_alarm(self.platform);
            match select(something.as_mut(), alarm).await {
                Either::Left((done, _)) => return done,
                Either::Right(_) => {
                    if let Some((_, client)) = &mut self.stream {
                        let sign = KEEP_ALIVE_EVENT.to_vec();
                        client.send(sign, self.platform.time()).await;
                    }
                }
            }
        }
    }
}
