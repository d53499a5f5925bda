//! The `queue` event: what the platform's queue brings, and what it is told of it.

use std::rc::Rc;

use clawless_core::sending::SendJob;
use futures_util::future::join_all;
use tracing::Instrument;
use worker::{Context, Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, RawMessage};

use super::{Verdict, deliver, give_up};
use crate::bindings::Bindings;

/// What the name of the queue ends with that gets what the other has brought too often.
const DEAD: &str = "-dead";

/// Runs what came, all at once; each message is acknowledged or brought again by itself. One that
/// makes no sense is dropped: it would make none the next time.
pub async fn receive(batch: &MessageBatch<String>, env: Env, context: Context) {
    let bindings = match Bindings::open(env, context) {
        Ok(bindings) => Rc::new(bindings),
        Err(error) => {
            tracing::error!(%error, "the queue has to wait");
            return batch.retry_all();
        }
    };
    let is_dead = batch.queue().ends_with(DEAD);
    let messages: Vec<RawMessage> = batch.raw_iter().collect();
    let run = messages.iter().map(|message| {
        let bindings = &bindings;
        async move {
            let body = message.body().as_string().unwrap_or_default();
            let Ok(job) = serde_json::from_str::<SendJob>(&body) else {
                tracing::error!(id = message.id(), "the queue brought what makes no sense");
                return message.ack();
            };
            let span = tracing::info_span!("send", send = job.send.as_str());
            let verdict = if is_dead {
                give_up(&**bindings, &job).instrument(span).await
            } else {
                deliver(bindings, &job).instrument(span).await
            };
            match verdict {
                Verdict::Done => message.ack(),
                Verdict::Again(wait) => {
                    let secs = u32::try_from(wait.ceil_secs()).unwrap_or(u32::MAX);
                    let options = QueueRetryOptionsBuilder::new().with_delay_seconds(secs);
                    message.retry_with_options(&options.build());
                }
            }
        }
    });
    join_all(run).await;
}
