//! The decoding thread. It runs one job after the other and reports the answer as events.

use crate::event::{Event, Usage};
use crate::generate::Generation;
use crate::model::{PrefixCache, Transformer};
use crate::queue::{Queue, QueueSlot};
use crate::text::Tokenizer;
use crate::work::Work;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, watch};

/// The receiver of a job's events. Dropping it stops the decoding.
#[derive(Debug)]
pub(crate) struct Answer {
    events: mpsc::UnboundedReceiver<Event>,
    closing: watch::Receiver<bool>,
    place: QueueSlot,
}

impl Answer {
    /// The next event; none after the last. During shutdown this does not wait for the
    /// thread, which may be in the middle of a block, so that the client still gets the error.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            biased;
            event = self.events.recv() => event,
            _ = self.closing.wait_for(|closing| *closing) => Some(Event::Failed(CLOSING.into())),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.release();
    }
}

const CLOSING: &str = "The local model is shutting down.";

struct Job {
    work: Work,
    // Unbounded, so that a slow reader never holds up the others: an answer has few tokens.
    events: mpsc::UnboundedSender<Event>,
    place: QueueSlot,
}

/// A handle of the thread.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    jobs: mpsc::UnboundedSender<Job>,
    queue: Queue,
    closing: Arc<watch::Sender<bool>>,
    last_seconds: Arc<AtomicU64>,
}

/// Why a job was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// All places are taken.
    Full { waiting: usize, retry_after: u64 },
    /// The thread has ended.
    Closed,
}

impl Engine {
    /// Starts the thread, which owns the model from now on.
    pub(crate) fn start(
        model: Transformer,
        tokenizer: Arc<Tokenizer>,
        waiting: usize,
    ) -> std::io::Result<Self> {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let engine = Self {
            jobs,
            queue: Queue::new(waiting),
            closing: Arc::new(watch::Sender::new(false)),
            last_seconds: Arc::new(AtomicU64::new(1)),
        };
        let worker = Worker {
            generation: Generation::new(model, PrefixCache::default(), tokenizer),
            closing: engine.closing.subscribe(),
            last_seconds: Arc::clone(&engine.last_seconds),
        };
        std::thread::Builder::new()
            .name("decode".into())
            .spawn(move || worker.run(inbox))?;
        Ok(engine)
    }

    /// Puts a job in the queue, or refuses it at once.
    pub(crate) fn submit(&self, work: Work) -> Result<Answer, Refused> {
        if *self.closing.borrow() {
            return Err(Refused::Closed);
        }
        let place = self.queue.enter().ok_or_else(|| Refused::Full {
            waiting: self.queue.len().saturating_sub(1),
            retry_after: self.last_seconds.load(Ordering::Relaxed).clamp(1, 20),
        })?;
        let (sender, events) = mpsc::unbounded_channel();
        let job = Job {
            work,
            events: sender,
            place: place.clone(),
        };
        self.jobs.send(job).map_err(|_| Refused::Closed)?;
        Ok(Answer {
            events,
            closing: self.closing.subscribe(),
            place,
        })
    }

    /// How many requests decode or wait now.
    pub(crate) fn busy(&self) -> usize {
        self.queue.len()
    }

    /// Ends all answers and refuses further jobs.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
}

struct Worker {
    generation: Generation,
    closing: watch::Receiver<bool>,
    last_seconds: Arc<AtomicU64>,
}

impl Worker {
    fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Job>) {
        while let Some(job) = inbox.blocking_recv() {
            if !job.events.is_closed() {
                self.answer(&job);
            }
        }
    }

    fn answer(&mut self, job: &Job) {
        let started = Instant::now();
        let wanted = || !job.events.is_closed() && !*self.closing.borrow();
        let report = |event| drop(job.events.send(event));
        // A panic in a tensor kernel must not end the server.
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.generation.run(&job.work, &wanted, &report)
        }));
        let last = match outcome {
            Ok(Ok(Some(finished))) => {
                log(&finished.usage, started);
                Event::Done(finished)
            }
            Ok(Ok(None)) => Event::Failed(CLOSING.into()),
            Ok(Err(error)) => self.fail(&error.to_string()),
            Err(_) => self.fail("a kernel panicked"),
        };
        self.last_seconds
            .store(started.elapsed().as_secs(), Ordering::Relaxed);
        // Before the last event: a client may send its next request as soon as it gets that event.
        job.place.release();
        report(last);
    }

    /// Logs the cause, which is not sent to the client, and clears the caches for the next answer.
    fn fail(&mut self, cause: &str) -> Event {
        eprintln!("decoding failed: {cause}");
        self.generation.forget();
        Event::Failed("The local model failed to continue.".into())
    }
}

fn log(usage: &Usage, started: Instant) {
    let Usage {
        prompt,
        cached,
        completion,
    } = usage;
    let seconds = started.elapsed().as_secs_f32();
    eprintln!("answered: prompt {prompt} ({cached} cached), answer {completion}, {seconds:.2} s");
}
