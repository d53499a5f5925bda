//! The consumer of the queue: acknowledges or retries each message.

use std::rc::Rc;

use clawless_core::sending::SendJob;
use clawless_edge::logging;
use clawless_edge::tasks::Tasks;
use futures_util::future::join_all;
use tracing::Instrument;
use worker::{Context, Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, RawMessage};

use super::deliver::{Verdict, deliver, give_up};
use crate::platform::bindings::Bindings;

/// The suffix of the dead-letter queue's name.
const DEAD_LETTER_SUFFIX: &str = "-dead";

/// Processes a batch, all messages at once. Each message is acknowledged or retried on its own. An
/// invalid message is dropped: it would be invalid the next time, too.
pub async fn receive(batch: &MessageBatch<String>, env: Env, context: Context) {
    let bindings = Rc::new(Bindings::open(env, Tasks::new(context)));
    let is_dead_letter = batch.queue().ends_with(DEAD_LETTER_SUFFIX);
    let messages: Vec<RawMessage> = batch.raw_iter().collect();
    let run = messages.iter().map(|message| {
        let bindings = &bindings;
        async move {
            let body = message.body().as_string().unwrap_or_default();
            let Ok(job) = serde_json::from_str::<SendJob>(&body) else {
                tracing::error!(id = message.id(), "invalid queue message dropped");
                return message.ack();
            };
            let span = logging::work_span(None, Some(&job.tenant));
            span.record("send", job.send.as_str());
            let verdict = if is_dead_letter {
                give_up(&**bindings, &job).instrument(span).await
            } else {
                deliver(bindings, &job).instrument(span).await
            };
            match verdict {
                Verdict::Done => message.ack(),
                Verdict::RetryAfter(wait) => {
                    let secs = u32::try_from(wait.ceil_secs()).unwrap_or(u32::MAX);
                    let options = QueueRetryOptionsBuilder::new().with_delay_seconds(secs);
                    message.retry_with_options(&options.build());
                }
            }
        }
    });
    join_all(run).await;
}
