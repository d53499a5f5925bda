//! The client's end of a stream: encodes events and sends the bytes to a client that may be slow
//! or gone.

use std::rc::Rc;

use clawless_api::activity::ToolActivity;
use clawless_api::surface::EventWriter;
use clawless_core::chat::Usage;
use clawless_core::llm::LlmEvent;
use clawless_core::time::{Millis, Timer, timeout};
use clawless_core::{ApiError, Timestamp, ToolCall, ToolExecution};
use clawless_edge::http::Permit;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::byte_channel::{ByteReceiver, ByteSender, Closed, byte_channel};
use crate::platform::Platform;

/// How long a client may accept no bytes before it counts as gone. The runtime does not report
/// reliably that a client has closed its connection; a buffer that stays full does.
const WRITE_TIMEOUT: Millis = Millis::from_secs(30);

/// Completes when the client has left; see
/// [`RequestBody::departure`](clawless_edge::http::RequestBody::departure).
pub type Departure = LocalBoxFuture<'static, ()>;

/// How long a provider is read after the client has left: what had reached the gateway by then is
/// charged, even if it was not read yet.
pub const DEPARTURE_GRACE: Millis = Millis::new(50);

/// Completes [`DEPARTURE_GRACE`] after the client has left.
pub fn delayed_departure<P: Platform>(platform: &P, departure: Departure) -> Departure {
    let time = platform.time().clone();
    let delayed = async move {
        departure.await;
        time.sleep(DEPARTURE_GRACE).await;
    };
    delayed.boxed_local()
}

/// The client of a streamed answer.
#[derive(Debug)]
pub struct ClientStream<T> {
    writer: EventWriter,
    /// `None` once the client has left.
    sender: Option<ByteSender>,
    timer: T,
}

impl<T: Timer> ClientStream<T> {
    /// Creates a stream and the body that the client reads. What waits for the client counts against
    /// `permit`.
    pub fn new(writer: EventWriter, timer: T, permit: Rc<Permit>) -> (Self, ByteReceiver) {
        let (sender, receiver) = byte_channel(permit);
        let stream = Self {
            writer,
            sender: Some(sender),
            timer,
        };
        (stream, receiver)
    }

    /// Writes the answer of the model that `writer` names, after the head and `notes` about the
    /// answer, which are sent as a comment.
    pub async fn begin_answer(&mut self, writer: EventWriter, notes: &[(&str, String)]) {
        self.writer = writer;
        self.send(comment(notes).into_bytes()).await;
    }

    /// Whether the client is known to have left.
    pub const fn is_gone(&self) -> bool {
        self.sender.is_none()
    }

    /// Sends events of the answer. An empty chunk is never sent.
    pub async fn send_events(&mut self, events: &[LlmEvent]) {
        let mut chunks = String::with_capacity(events.len() * 256);
        for event in events {
            self.writer.event(event, &mut chunks);
        }
        self.send(chunks.into_bytes()).await;
    }

    /// Reports tool calls that start to run.
    pub async fn send_tool_calls(&mut self, calls: &[ToolCall]) {
        let mut chunk = String::new();
        let activity: Vec<_> = calls.iter().map(ToolActivity::running).collect();
        self.writer.activity(&activity, &mut chunk);
        self.send(chunk.into_bytes()).await;
    }

    /// Reports tool calls that have ended.
    pub async fn send_tool_results(&mut self, executions: &[ToolExecution]) {
        let mut chunk = String::new();
        let activity: Vec<_> = executions.iter().map(ToolActivity::ended).collect();
        self.writer.activity(&activity, &mut chunk);
        self.send(chunk.into_bytes()).await;
    }

    /// Sends a keep-alive event.
    pub async fn send_keep_alive(&mut self) {
        let event = self.writer.keep_alive();
        self.send(event.into()).await;
    }

    /// Ends the stream: with its usage and the time when the answer was complete, or with an error
    /// event.
    pub async fn finish(mut self, ended: Result<Usage, &ApiError>, completed: Option<Timestamp>) {
        let mut end = String::new();
        self.writer.set_completed(completed);
        match ended {
            Ok(usage) => self.writer.finish(usage, &mut end),
            Err(error) => self.writer.fail(error, &mut end),
        }
        self.send(end.into_bytes()).await;
    }

    /// Sends bytes to the client. Waits for a slow one; does nothing once it has left.
    async fn send(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let Some(sender) = self.sender.as_ref() else {
            return;
        };
        let delivered = match sender.try_send(bytes) {
            Ok(None) => true,
            Err(Closed) => false,
            Ok(Some(bytes)) => {
                let sent = timeout(&self.timer, WRITE_TIMEOUT, sender.send(bytes)).await;
                matches!(sent, Ok(Ok(())))
            }
        };
        if !delivered {
            tracing::info!("client left");
            self.sender = None;
        }
    }
}

/// A comment with these lines, which every client ignores.
fn comment(lines: &[(&str, String)]) -> String {
    let mut comment = String::new();
    for (name, value) in lines {
        // A line end would begin an event.
        let value: String = value.chars().filter(|it| !it.is_control()).collect();
        comment.extend([": ", name, ": ", &value, "\n"]);
    }
    comment.push('\n');
    comment
}
