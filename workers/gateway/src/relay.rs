//! Stage 7: provider events → domain deltas → `OpenAI` chunks.

use std::pin::{Pin, pin};

use clawless_api::chat::ChunkWriter;
use clawless_core::rounds::ClientView;
use clawless_core::time::Timer;
use clawless_core::{ApiError, Provenance};
use clawless_llm::{Accumulator, tokens};
use futures_util::FutureExt;
use futures_util::future::{Either, select};

use crate::allowance::Allowance;
use crate::call::Begun;
use crate::client::{Client, Departure};
use crate::platform::Platform;
use crate::turn::{Outcome, Turn};

/// How many reads of the provider may wait for a slow client before the provider has to wait too.
/// A read is at most some ten kilobytes, so this is about 1 MiB.
pub const BUFFERED_READS: usize = 64;

/// A comment line, which every client ignores.
pub(crate) const KEEP_ALIVE_EVENT: &[u8] = b": keep-alive\n\n";

/// Passes an answer on until it ends or has said all that was reserved for it, and keeps what it
/// said. Of a round with server tools the client sees what the view lets through. A stateless
/// answer stops when its client has left, as `departure` or a failing send tells; one that can be
/// asked for again goes on.
pub async fn relay<P: Platform>(
    platform: &P,
    turn: &Turn,
    begun: &mut Begun<P>,
    mut view: Option<ClientView<'_>>,
    writer: &mut ChunkWriter,
    client: &mut Client,
    departure: &mut Departure,
) -> Outcome {
    let mut kept = Accumulator::default();
    let mut failure = None;
    // One timer serves many reads; setting one for each would cost more than the read.
    let mut alarm = keep_alive_alarm(platform);
    let mut silent = true;
    let mut allowance = Allowance::new(turn.max_tokens_out.get());
    loop {
        // Dropping `next` when the alarm rings first loses nothing.
        let disturbed = select(&mut *departure, &mut alarm);
        let next = match select(pin!(begun.answers.next()), disturbed).await {
            Either::Left((next, _)) => next,
            Either::Right((Either::Left(_), _)) => break,
            Either::Right((Either::Right(_), _)) => {
                if silent {
                    client
                        .send(KEEP_ALIVE_EVENT.to_vec(), platform.time())
                        .await;
                }
                silent = true;
                alarm = keep_alive_alarm(platform);
                continue;
            }
        };
        silent = false;
        match next {
            None => break,
            Some(Err(error)) => {
                failure = Some(error);
                break;
            }
            Some(Ok(mut events)) => {
                let is_cut = allowance.cut(&mut events);
                let mut chunks = String::with_capacity(events.len() * 256);
                for event in &events {
                    match &mut view {
                        None => writer.event(event, &mut chunks),
                        Some(view) => {
                            if let Some(shown) = view.let_through(event) {
                                writer.event(&shown, &mut chunks);
                            }
                        }
                    }
                }
                kept.push_all(&events);
                client.send(chunks.into_bytes(), platform.time()).await;
                if is_cut || (client.is_gone() && !turn.outlives_its_client()) {
                    break;
                }
            }
        }
    }
    if let Some(rest) = begun.answers.rest() {
        // The client does not wait for it.
        platform.spawn(rest.read().boxed_local());
    }
    let answer = kept.finish();
    let (usage, provenance) = match answer.usage {
        Some(usage) => (usage, Provenance::Provider),
        None => (
            tokens::estimate_usage(&turn.llm, &answer),
            Provenance::Estimated,
        ),
    };
    let failure = failure.map(ApiError::from);
    Outcome::of(&begun.link, answer, usage, provenance, failure)
}

/// Rings once the client has waited long enough for a sign of life.
pub(crate) fn keep_alive_alarm<P: Platform>(platform: &P) -> Pin<Box<dyn Future<Output = ()>>> {
    let (time, span) = (platform.time().clone(), platform.config().keep_alive);
    Box::pin(async move { time.sleep(span).await })
}
