//! One answer: evaluates the prompt, then decodes token by token to the end.

use crate::chat::CallReader;
use crate::event::{Event, Finished, Stop, Usage};
use crate::model::{BLOCK, PrefixCache, Transformer};
use crate::sampling::Sampler;
use crate::text::{StopHolder, Tokenizer, Utf8Assembler};
use crate::work::Work;
use candle_core::Result;
use std::sync::Arc;
use std::time::Instant;

/// The model with its tokenizer and caches.
pub(crate) struct Generation {
    model: Transformer,
    prefix: PrefixCache,
    tokenizer: Arc<Tokenizer>,
}

impl Generation {
    pub(crate) fn new(model: Transformer, prefix: PrefixCache, tokenizer: Arc<Tokenizer>) -> Self {
        Self {
            model,
            prefix,
            tokenizer,
        }
    }

    /// Clears the caches after a failure.
    pub(crate) fn forget(&mut self) {
        self.prefix.truncate(0);
        self.model.truncate(0);
    }

    /// Decodes one answer. `None` if it was cancelled: `wanted` became false.
    pub(crate) fn run(
        &mut self,
        work: &Work,
        wanted: &dyn Fn() -> bool,
        report: &dyn Fn(Event),
    ) -> Result<Option<Finished>> {
        let mut usage = Usage {
            prompt: work.prompt.len(),
            ..Usage::default()
        };
        let Some((cached, mut scores)) = self.read_prompt(&work.prompt, wanted)? else {
            return Ok(None);
        };
        usage.cached = cached;

        let room = self.model.window().saturating_sub(work.prompt.len());
        let limit = work.max_tokens.min(room);
        let mut sampler = Sampler::new(work.sampling.clone());
        let mut writer = Writer::new(work, report);
        let started = Instant::now();
        let stop = loop {
            if !wanted() {
                return Ok(None);
            }
            let token = sampler.next(scores);
            if self.tokenizer.is_end(token) {
                break Stop::Natural;
            }
            usage.completion += 1;
            if writer.write(self.tokenizer.bytes(token)) {
                break Stop::Natural;
            }
            if usage.completion >= limit {
                break Stop::Length;
            }
            scores = self.model.forward(&[token])?;
        };
        log_speed(usage.completion, started);
        Ok(Some(Finished {
            stop: writer.finish(stop),
            usage,
        }))
    }

    /// Evaluates the uncached tokens. Returns the number of cached ones and the scores of the first
    /// token of the answer.
    fn read_prompt(
        &mut self,
        prompt: &[u32],
        wanted: &dyn Fn() -> bool,
    ) -> Result<Option<(usize, Vec<f32>)>> {
        let cached = self.prefix.reusable(prompt);
        self.prefix.truncate(cached);
        self.model.truncate(cached);
        let mut scores = Vec::new();
        let mut blocks = prompt
            .get(cached..)
            .unwrap_or_default()
            .chunks(BLOCK)
            .peekable();
        while let Some(block) = blocks.next() {
            if !wanted() {
                return Ok(None);
            }
            if blocks.peek().is_some() {
                self.model.absorb(block)?;
            } else {
                scores = self.model.forward(block)?;
            }
            self.prefix.extend(block);
        }
        Ok(Some((cached, scores)))
    }
}

/// Converts the bytes of tokens to events.
struct Writer<'a> {
    utf8: Utf8Assembler,
    stops: StopHolder,
    calls: Option<CallReader>,
    called: bool,
    stopped: bool,
    report: &'a dyn Fn(Event),
}

impl<'a> Writer<'a> {
    fn new(work: &Work, report: &'a dyn Fn(Event)) -> Self {
        Self {
            utf8: Utf8Assembler::default(),
            stops: StopHolder::new(&work.stop),
            calls: work.calls.clone(),
            called: false,
            stopped: false,
            report,
        }
    }

    /// Adds a token's bytes; `true` when a stop string was completed.
    fn write(&mut self, bytes: &[u8]) -> bool {
        let text = self.utf8.push(bytes);
        let released = self.stops.push(&text);
        self.send(&released.text);
        self.stopped = released.stopped;
        released.stopped
    }

    /// Releases the held text and returns how the answer ended.
    fn finish(mut self, stop: Stop) -> Stop {
        if !self.stopped {
            let tail = self.utf8.finish();
            let released = self.stops.push(&tail);
            self.send(&released.text);
            let held = self.stops.finish();
            self.send(&held);
        }
        if let Some(mut calls) = self.calls.take() {
            for event in calls.finish() {
                self.emit(event);
            }
        }
        match stop {
            Stop::Natural if self.called => Stop::ToolCalls,
            other => other,
        }
    }

    fn send(&mut self, text: &str) {
        match &mut self.calls {
            None => self.emit(Event::Text(text.to_owned())),
            Some(calls) => {
                for event in calls.push(text) {
                    self.emit(event);
                }
            }
        }
    }

    fn emit(&mut self, event: Event) {
        match &event {
            Event::Text(text) if text.is_empty() => return,
            Event::Call(_) => self.called = true,
            _ => {}
        }
        (self.report)(event);
    }
}

fn log_speed(tokens: usize, started: Instant) {
    #[allow(clippy::cast_precision_loss, reason = "a log line")]
    let rate = tokens as f32 / started.elapsed().as_secs_f32().max(0.001);
    eprintln!("decoded {tokens} tokens, {rate:.1} tokens/s");
}
