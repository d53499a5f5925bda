//! A streamed response in progress: reads and decodes the provider's body incrementally.

use std::pin::Pin;

use clawless_core::llm::{LlmEvent, LlmResponse};
use clawless_core::time::{Clock, Timer, timeout};
use clawless_core::{Millis, Timestamp};
use futures_util::future::{Either, select};
use futures_util::{Stream, StreamExt};

use crate::accumulate::Accumulator;
use crate::error::LlmError;
use crate::ports::HttpError;
use crate::protocol::{Decoder, Progress};

/// The timeout for the end of the body after the end of the response.
const REST_TIMEOUT: Millis = Millis::new(250);

/// The maximum number of bytes read until then: 16 KiB.
const MAX_REST_BYTES: usize = 16 * 1024;

/// A streamed response that has begun. Dropping it aborts the request.
pub struct AnswerStream<B, T> {
    /// `None` once the response has ended or failed.
    body: Option<B>,
    decoder: Box<dyn Decoder>,
    watch: Watch<T>,
    /// Decoded events that were not returned yet.
    ready: Vec<LlmEvent>,
    /// The error to return after them.
    failure: Option<LlmError>,
    /// The rest of the body after the end of the response.
    rest: Option<B>,
}

/// The rest of a body after the end of the response. A connection can be reused only if its body
/// was read to the end; dropping the rest closes the connection.
pub struct Rest<B, T> {
    body: B,
    timer: T,
}

impl<B, T> Rest<B, T>
where
    B: Stream<Item = Result<Vec<u8>, HttpError>> + Unpin,
    T: Timer,
{
    /// Reads to the end of the body, within the limits.
    pub async fn read(mut self) {
        let reading = async {
            let mut left = MAX_REST_BYTES;
            while let Some(Ok(bytes)) = self.body.next().await {
                let Some(less) = left.checked_sub(bytes.len()) else {
                    break;
                };
                left = less;
            }
        };
        let _ = timeout(&self.timer, REST_TIMEOUT, reading).await;
    }
}

impl<B, T> AnswerStream<B, T>
where
    B: Stream<Item = Result<Vec<u8>, HttpError>> + Unpin,
    T: Clock + Timer + Clone + 'static,
{
    /// Reads until the response has begun: its first output is decoded, or it has failed. An empty
    /// response thus becomes an error while another model can still be called. Any byte, comments
    /// included, ends the first-byte timeout; then the idle timeout and the time to begin apply.
    pub(crate) async fn begin(
        body: B,
        decoder: Box<dyn Decoder>,
        timer: T,
        limits: StreamLimits,
    ) -> Result<Self, LlmError> {
        let mut stream = Self {
            body: Some(body),
            decoder,
            watch: Watch::new(timer, limits.idle, limits.first_byte),
            ready: Vec::new(),
            failure: None,
            rest: None,
        };
        while !stream.decoder.has_begun() {
            let Some(body) = &mut stream.body else {
                break;
            };
            let read = stream.watch.read(body).await;
            let is_alive = read.is_ok();
            stream.process_read(match read {
                Err(LlmError::DeadlineExceeded) if stream.watch.deadline < limits.deadline => {
                    Err(LlmError::FirstByteTimeout)
                }
                read => read,
            });
            if is_alive && stream.watch.deadline != limits.begin {
                stream.watch.deadline = limits.begin;
                stream.watch.alarm = None;
            }
        }
        stream.watch.deadline = limits.deadline;
        stream.watch.alarm = None;
        match stream.failure.take() {
            Some(error) if !stream.decoder.has_begun() => return Err(error),
            failure => stream.failure = failure,
        }
        Ok(stream)
    }

    /// A whole response although a stream was requested.
    pub(crate) fn from_whole(answer: LlmResponse, decoder: Box<dyn Decoder>, timer: T) -> Self {
        Self {
            body: None,
            decoder,
            watch: Watch::new(timer, Millis::new(0), Timestamp::from_millis(0)),
            ready: crate::accumulate::replay(answer),
            failure: None,
            rest: None,
        }
    }

    /// The events of the next read of the body, never empty; `None` after the end of a complete
    /// response and after an error. An error follows all valid events.
    ///
    /// Cancel safe: after the future is dropped, the next call continues.
    pub async fn next(&mut self) -> Option<Result<Vec<LlmEvent>, LlmError>> {
        loop {
            if !self.ready.is_empty() {
                return Some(Ok(std::mem::take(&mut self.ready)));
            }
            if let Some(error) = self.failure.take() {
                return Some(Err(error));
            }
            let body = self.body.as_mut()?;
            let read = self.watch.read(body).await;
            self.process_read(read);
        }
    }

    /// Reads the remaining events into one response.
    pub async fn collect(mut self) -> Result<LlmResponse, LlmError> {
        let mut answer = Accumulator::default();
        while let Some(events) = self.next().await {
            answer.push_all(&events?);
        }
        Ok(answer.finish())
    }

    /// The rest of the body, if the response ended before it.
    pub fn rest(&mut self) -> Option<Rest<B, T>> {
        let body = self.rest.take()?;
        let timer = self.watch.timer.clone();
        Some(Rest { body, timer })
    }

    /// Processes the result of one read. Synchronous, so that no read is processed in part.
    fn process_read(&mut self, read: Result<Option<Vec<u8>>, LlmError>) {
        let mut has_rest = false;
        let outcome = match read {
            Ok(Some(bytes)) => {
                has_rest = true;
                self.decoder.push(&bytes, &mut self.ready)
            }
            Ok(None) => {
                let ended = self.decoder.end(&mut self.ready);
                ended.map(|()| Progress::Done)
            }
            // An error after the last finish reason can only lose the usage.
            Err(_) if self.decoder.is_whole() => Ok(Progress::Done),
            Err(error) => Err(error.in_phase(self.decoder.has_begun())),
        };
        match outcome {
            Ok(Progress::More) => return,
            Ok(Progress::Done) => self.rest = self.body.take().filter(|_| has_rest),
            Err(error) => self.failure = Some(error),
        }
        self.body = None;
    }
}

impl LlmError {
    /// The error, depending on whether the response had begun.
    fn in_phase(self, has_begun: bool) -> Self {
        match self {
            Self::Unreachable(why) if has_begun => Self::Truncated(why),
            Self::IdleTimeout if !has_begun => Self::FirstByteTimeout,
            other => other,
        }
    }
}

/// The time limits of a streamed response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamLimits {
    /// The deadline of the first byte.
    pub(crate) first_byte: Timestamp,
    /// When the first output must have arrived, even if comments or empty events keep the stream
    /// alive.
    pub(crate) begin: Timestamp,
    /// The maximum time between two reads.
    pub(crate) idle: Millis,
    /// The deadline of the whole response.
    pub(crate) deadline: Timestamp,
}

/// The idle timeout. One timer serves many reads: it is reset only after it fired, because a timer
/// per chunk would cost more than the chunk.
struct Watch<T> {
    timer: T,
    idle: Millis,
    deadline: Timestamp,
    last_read: Timestamp,
    alarm: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl<T: Clock + Timer + Clone + 'static> Watch<T> {
    fn new(timer: T, idle: Millis, deadline: Timestamp) -> Self {
        Self {
            last_read: timer.now(),
            timer,
            idle,
            deadline,
            alarm: None,
        }
    }

    /// Reads once; fails on a read error or timeout.
    async fn read<B>(&mut self, body: &mut B) -> Result<Option<Vec<u8>>, LlmError>
    where
        B: Stream<Item = Result<Vec<u8>, HttpError>> + Unpin,
    {
        loop {
            let due = self.last_read.plus(self.idle).min(self.deadline);
            let timer = &self.timer;
            let alarm = self.alarm.get_or_insert_with(|| {
                let (timer, span) = (timer.clone(), due.since(timer.now()));
                Box::pin(async move { timer.sleep(span).await })
            });
            match select(body.next(), alarm).await {
                Either::Left((item, _)) => {
                    self.last_read = self.timer.now();
                    return match item {
                        Some(Ok(bytes)) => Ok(Some(bytes)),
                        Some(Err(error)) => Err(LlmError::Unreachable(error.0)),
                        None => Ok(None),
                    };
                }
                Either::Right(((), _)) => {
                    self.alarm = None;
                    let now = self.timer.now();
                    if now >= self.deadline {
                        return Err(LlmError::DeadlineExceeded);
                    }
                    if now >= self.last_read.plus(self.idle) {
                        return Err(LlmError::IdleTimeout);
                    }
                }
            }
        }
    }
}
