//! A streamed answer in progress: reads the provider's body and decodes it as it comes.

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

/// How long to wait for the end of a body after the end of its answer.
const REST_TIMEOUT: Millis = Millis::new(250);

/// The most bytes that are read until then: 16 KiB.
const MAX_REST_BYTES: usize = 16 * 1024;

/// A streamed answer that has begun. Dropping it aborts the request.
pub struct AnswerStream<B, T> {
    /// `None` once the answer has ended or failed.
    body: Option<B>,
    decoder: Box<dyn Decoder>,
    watch: Watch<T>,
    /// Decoded events that were not returned yet.
    ready: Vec<LlmEvent>,
    /// The failure that follows them.
    failure: Option<LlmError>,
    /// The rest of the body after the answer's end.
    rest: Option<B>,
}

/// The rest of a body after the end of its answer. Its bytes do not matter, but a connection whose
/// body was read to its end can be reused; dropping the rest closes the connection.
pub struct Rest<B, T> {
    body: B,
    timer: T,
}

impl<B, T> Rest<B, T>
where
    B: Stream<Item = Result<Vec<u8>, HttpError>> + Unpin,
    T: Timer,
{
    /// Reads to the end, if that comes within a short time and a few bytes.
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
    /// Reads until the answer has begun: its first output is decoded, or it has failed. A body
    /// without an answer so becomes an error while another model can still be called. Any byte,
    /// comments included, is a sign of life: after the first one only silence times out.
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
            stream.absorb(match read {
                Err(LlmError::DeadlineExceeded) if stream.watch.deadline < limits.deadline => {
                    Err(LlmError::FirstByteTimeout)
                }
                read => read,
            });
            if is_alive && stream.watch.deadline != limits.deadline {
                stream.watch.deadline = limits.deadline;
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

    /// An answer that came whole although a stream was requested.
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

    /// The events of the next read of the body, never empty; `None` after the end of a whole answer
    /// and after an error. An error comes after all good events.
    ///
    /// Dropping the future loses nothing: the next call continues.
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
            self.absorb(read);
        }
    }

    /// Reads the remaining events into one answer.
    pub async fn collect(mut self) -> Result<LlmResponse, LlmError> {
        let mut answer = Accumulator::default();
        while let Some(events) = self.next().await {
            answer.push_all(&events?);
        }
        Ok(answer.finish())
    }

    /// The rest of the body, once its answer has ended before it.
    pub fn rest(&mut self) -> Option<Rest<B, T>> {
        let body = self.rest.take()?;
        let timer = self.watch.timer.clone();
        Some(Rest { body, timer })
    }

    /// Takes the outcome of one read. Does not wait, so no read is taken in part.
    fn absorb(&mut self, read: Result<Option<Vec<u8>>, LlmError>) {
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
            // A failure after the last finish reason can only cost the usage.
            Err(_) if self.decoder.is_whole() => Ok(Progress::Done),
            Err(error) => Err(error.given(self.decoder.has_begun())),
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
    /// The error, given whether the answer had begun.
    fn given(self, has_begun: bool) -> Self {
        match self {
            Self::Unreachable(why) if has_begun => Self::Truncated(why),
            Self::IdleTimeout if !has_begun => Self::FirstByteTimeout,
            other => other,
        }
    }
}

/// The time limits of a streamed answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamLimits {
    /// When the first byte must have come.
    pub(crate) first_byte: Timestamp,
    /// The longest time between two reads.
    pub(crate) idle: Millis,
    /// When the answer must have ended.
    pub(crate) deadline: Timestamp,
}

/// Times out silence. One timer serves many reads: it is reset only after it fired, because a timer
/// for each chunk would cost more than the chunk.
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

    /// Reads once. An error where the read fails or does not come in time.
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
