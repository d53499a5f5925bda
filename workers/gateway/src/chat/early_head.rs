//! The beginning of a stream whose provider is slow. Clients and proxies give up on a connection
//! without any byte, so the head of the response and keep-alive events precede the answer. Until then
//! a failure is an HTTP status, which clients retry; afterwards it is an error event.

use std::pin::pin;

use clawless_core::time::Timer;
use futures_channel::oneshot;
use futures_util::StreamExt;
use futures_util::future::{Either, select};

use super::client::ClientStream;
use super::keep_alive;
use super::model::turn::Turn;
use super::reply::Reply;
use super::response;
use crate::platform::Platform;

/// Waits for a model call. If no answer has begun after `EARLY_HEAD_MS`, sends the head of the
/// response, and keep-alive events from then on, and returns the stream's client too. `left` is
/// notified if that client leaves and the turn does not outlive it.
pub async fn with_early_head<P: Platform, T>(
    platform: &P,
    turn: &Turn,
    reply: &mut Reply<P::Time>,
    calling: impl Future<Output = T>,
    left: oneshot::Sender<()>,
) -> (T, Option<ClientStream<P::Time>>) {
    let mut calling = pin!(calling);
    let due = platform.time().sleep(platform.config().early_head);
    if let Either::Left((called, _)) = select(calling.as_mut(), pin!(due)).await {
        return (called, None);
    }
    // Nothing but keep-alive events is sent before the model is known.
    let primary = turn.route.primary();
    let writer = response::writer(turn, &primary.provider.name, &primary.model);
    let time = platform.time().clone();
    let (mut client, body) = ClientStream::new(writer, time, turn.permit.clone());
    reply.send(Ok(response::early_stream(turn, body.boxed_local())));
    let mut left = Some(left);
    loop {
        client.send_keep_alive().await;
        if client.is_gone()
            && !turn.outlives_client()
            && let Some(left) = left.take()
        {
            // The call may have ended already.
            let _ = left.send(());
        }
        let waiting = select(calling.as_mut(), keep_alive::timer(platform));
        if let Either::Left((called, _)) = waiting.await {
            return (called, Some(client));
        }
    }
}
