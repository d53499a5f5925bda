//! Steps 6 and 7 of a turn, as often as its server tools need: the model is called, its answer is
//! relayed, the tools that it calls run, and the model is called again.

use std::future::pending;

use clawless_core::Clock;
use futures_channel::oneshot;
use futures_util::future::select;
use futures_util::{FutureExt, StreamExt};

use super::call;
use super::client::{ClientStream, Departure, delayed_departure};
use super::early_head::with_early_head;
use super::model::answered::Answered;
use super::model::call::{CallFailure, OpenStream};
use super::model::turn::Turn;
use super::relay::relay;
use super::reply::Reply;
use super::response;
use super::run_tools::{NextStep, ToolLoop, with_keep_alive};
use crate::platform::Platform;

/// Gets the answer of a turn: whole, or as a stream that is relayed to the client.
///
/// # Errors
/// The failure of the first call. A later failure is part of the outcome.
pub async fn answer<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    departure: Departure,
    reply: &mut Reply<P::Time>,
) -> Result<Answered<P::Time>, CallFailure> {
    let mut departure = if turn.outlives_client() {
        pending().boxed_local()
    } else {
        delayed_departure(platform, departure)
    };
    let mut answered = if turn.format.is_stream {
        stream(platform, turn, &mut departure, reply).await
    } else {
        complete(platform, turn, &mut departure).await
    }?;
    answered.outcome.completed = Some(platform.time().now());
    Ok(answered)
}

/// A whole answer.
async fn complete<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    departure: &mut Departure,
) -> Result<Answered<P::Time>, CallFailure> {
    let mut tools = ToolLoop::new(turn);
    let (mut round, trace) = call::complete(platform, turn, departure).await?;
    let outcome = loop {
        match tools.run(platform, turn, round, None).await {
            NextStep::Finish(outcome) => break *outcome,
            NextStep::CallModel => {}
        }
        round = match call::complete(platform, turn, departure).await {
            Ok((round, _)) => round,
            Err(failure) => break tools.fail(failure)?,
        };
    };
    Ok(Answered {
        outcome,
        trace,
        client: None,
    })
}

/// A streamed answer.
async fn stream<P: Platform>(
    platform: &P,
    turn: &mut Turn,
    departure: &mut Departure,
    reply: &mut Reply<P::Time>,
) -> Result<Answered<P::Time>, CallFailure> {
    let mut tools = ToolLoop::new(turn);
    let (mut events, mut client) = open_stream(platform, turn, departure, reply).await?;
    let trace = events.trace.clone();
    let outcome = loop {
        let round = relay(platform, turn, events, tools.view(), &mut client, departure).await;
        match tools.run(platform, turn, round, Some(&mut client)).await {
            NextStep::Finish(outcome) => break *outcome,
            NextStep::CallModel => {}
        }
        let calling = call::stream(platform, turn, &mut *departure);
        events = match with_keep_alive(platform, Some(&mut client), calling).await {
            Ok(events) => events,
            Err(failure) => break tools.fail(failure)?,
        };
    };
    if let Some(event) = tools.finish_event(&outcome) {
        client.send_events(&[event]).await;
    }
    Ok(Answered {
        outcome,
        trace,
        client: Some(client),
    })
}

/// Opens the stream of the first answer and sends the response: when the answer has begun, or earlier
/// if the provider is slow.
async fn open_stream<P: Platform>(
    platform: &P,
    turn: &Turn,
    departure: &mut Departure,
    reply: &mut Reply<P::Time>,
) -> Result<(OpenStream<P>, ClientStream<P::Time>), CallFailure> {
    let (left, has_left) = oneshot::channel();
    let calling = call::stream(platform, turn, select(departure, has_left).map(drop));
    let (called, client) = with_early_head(platform, turn, reply, calling, left).await;
    let events = match called {
        Ok(events) => events,
        Err(failure) => {
            reply.keep(client);
            return Err(failure);
        }
    };
    let writer = response::writer(turn, &events.link.provider.name, &events.link.model);
    if let Some(mut client) = client {
        let notes = response::answer_notes(turn, &events.link.model, &events.trace);
        client.begin_answer(writer, &notes).await;
        return Ok((events, client));
    }
    let time = platform.time().clone();
    let (client, body) = ClientStream::new(writer, time, turn.permit.clone());
    reply.send(Ok(response::stream(turn, &events, body.boxed_local())));
    Ok((events, client))
}
