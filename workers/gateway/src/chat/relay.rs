//! Step 7: relays the provider's events to the client and accumulates the answer.

use std::pin::pin;

use clawless_core::ApiError;
use clawless_core::llm::LlmEvent;
use clawless_core::rounds::ClientView;
use clawless_llm::Accumulator;
use futures_util::FutureExt;
use futures_util::future::{Either, ready, select};

use super::client::{ClientStream, Departure, delayed_departure};
use super::keep_alive;
use super::model::call::OpenStream;
use super::model::outcome::Outcome;
use super::model::turn::Turn;
use super::output_limit::OutputLimit;
use super::reservation::enforce;
use crate::platform::Platform;

/// Relays an answer until it ends or reaches its reserved length. In a round with server tools the
/// client sees what `view` lets through. A turn that does not outlive its client stops soon after the
/// client has left, as `departure` or a failed write shows.
pub async fn relay<P: Platform>(
    platform: &P,
    turn: &Turn,
    mut stream: OpenStream<P>,
    mut view: Option<ClientView<'_>>,
    client: &mut ClientStream<P::Time>,
    departure: &mut Departure,
) -> Outcome {
    let mut accumulator = Accumulator::default();
    let mut failure = None;
    // One timer serves many reads; a timer per read would cost more than the read.
    let mut timer = keep_alive::timer(platform);
    let mut is_silent = true;
    let mut limit = OutputLimit::new(&turn.reservation);
    let mut is_leaving = false;
    loop {
        // Dropping the pending read when the timer ends first loses nothing.
        let interruption = select(&mut *departure, &mut timer);
        let read = match select(pin!(stream.events.next()), interruption).await {
            Either::Left((read, _)) => read,
            Either::Right((Either::Left(_), _)) => break,
            Either::Right((Either::Right(_), _)) => {
                if is_silent {
                    client.send_keep_alive().await;
                    if client.is_gone() && !turn.outlives_client() {
                        break;
                    }
                }
                is_silent = true;
                timer = keep_alive::timer(platform);
                continue;
            }
        };
        is_silent = false;
        match read {
            None => break,
            Some(Err(error)) => {
                failure = Some(error);
                break;
            }
            Some(Ok(mut events)) => {
                let is_cut = enforce(platform, turn, &mut limit, &mut events).await;
                match &mut view {
                    None => client.send_events(&events).await,
                    Some(view) => client.send_events(&visible(view, &events)).await,
                }
                accumulator.push_all(&events);
                if is_cut {
                    break;
                }
                if client.is_gone() && !is_leaving && !turn.outlives_client() {
                    is_leaving = true;
                    *departure = delayed_departure(platform, ready(()).boxed_local());
                }
            }
        }
    }
    if let Some(rest) = stream.events.rest() {
        // The client does not wait for the rest of the provider's body.
        platform.spawn(rest.read().boxed_local());
    }
    let failure = failure.map(ApiError::from);
    Outcome::from_stream(&stream.link, &turn.llm, accumulator, failure)
}

fn visible(view: &mut ClientView<'_>, events: &[LlmEvent]) -> Vec<LlmEvent> {
    let visible = events.iter().filter_map(|event| view.filter(event));
    visible.collect()
}
