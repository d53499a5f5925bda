//! The client's end of a stream, which may be slow, and may be gone.

use std::pin::pin;

use clawless_core::time::{Millis, Timer};
use futures_channel::mpsc;
use futures_util::SinkExt;
use futures_util::future::{Either, LocalBoxFuture, select};

/// How long a client may take no bytes at all before it counts as gone. The runtime does not tell
/// reliably that a client has closed its connection; a full buffer that nobody empties does.
const WRITE_TIMEOUT: Millis = Millis::from_secs(30);

/// Ends when the client has left; see [`RequestBody::departure`](clawless_edge::http::RequestBody::departure).
pub type Departure = LocalBoxFuture<'static, ()>;

/// The client of a streamed answer.
#[derive(Debug)]
pub struct Client {
    /// Gone once the client is.
    events: Option<mpsc::Sender<Vec<u8>>>,
}

impl Client {
    /// A client that reads from the other end of the channel.
    pub const fn new(events: mpsc::Sender<Vec<u8>>) -> Self {
        Self {
            events: Some(events),
        }
    }

    /// Whether the client is known to have left.
    pub const fn is_gone(&self) -> bool {
        self.events.is_none()
    }

    /// Hands bytes to the client. Waits for a slow one; costs nothing once it has left.
    pub async fn send(&mut self, bytes: Vec<u8>, timer: &impl Timer) {
        if bytes.is_empty() {
            return;
        }
        let Some(events) = self.events.as_mut() else {
            return;
        };
        let delivered = match events.try_send(bytes) {
            Ok(()) => true,
            Err(refused) if refused.is_disconnected() => false,
            Err(full) => {
                let sending = pin!(events.send(full.into_inner()));
                let waiting = pin!(timer.sleep(WRITE_TIMEOUT));
                matches!(select(sending, waiting).await, Either::Left((Ok(()), _)))
            }
        };
        if !delivered {
            tracing::info!("the client left");
            self.events = None;
        }
    }
}
