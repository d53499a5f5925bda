//! Answers, decoded. The platform's older models have a form of their own, with the text in
//! `response` and no finish reason; newer ones answer as `OpenAI` does.

use clawless_core::FinishReason;
use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmEvent, LlmResponse};
use serde::Deserialize;

use crate::accumulate::Accumulator;
use crate::error::LlmError;
use crate::failure;
use crate::openai::chunk::Answer;
use crate::openai::tool_calls::ToolCalls;
use crate::openai::usage;
use crate::openai::wire::{Arguments, Function, ToolCall};
use crate::protocol::{Decoder, Progress};
use crate::sse::SseDecoder;

/// A chunk, or a whole answer, in the platform's own form.
#[derive(Deserialize)]
struct Native {
    /// A text; from a model that was asked for JSON, the JSON itself.
    #[serde(default)]
    response: Option<Json>,
    #[serde(default)]
    tool_calls: Option<Vec<NativeCall>>,
    #[serde(default)]
    usage: Option<Json>,
    /// Present where the answer has `OpenAI`'s form.
    #[serde(default)]
    choices: Option<Json>,
    #[serde(default)]
    error: Option<Json>,
    /// The platform's own errors.
    #[serde(default, rename = "internalCode")]
    internal_code: Option<u64>,
}

/// A call: with its name and arguments in the open, or as `OpenAI` nests them.
#[derive(Deserialize)]
struct NativeCall {
    #[serde(default)]
    index: Option<i64>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Arguments>,
    #[serde(default)]
    function: Option<Function>,
}

/// The decoder of one streamed answer.
#[derive(Debug)]
pub struct WorkersAiDecoder {
    sse: SseDecoder,
    answer: Either,
    done: bool,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The platform's own.
    Native,
    /// `OpenAI`'s.
    OpenAi,
}

#[derive(Debug)]
struct Either {
    /// The part of the answer that has `OpenAI`'s form; a model uses one form or the other.
    openai: Answer,
    /// Known once something was said in it.
    form: Option<Form>,
    calls: ToolCalls,
    begun: bool,
    finished: bool,
    produced: u64,
    max_tokens: u32,
    call_seed: String,
}

impl WorkersAiDecoder {
    /// A decoder for an answer of at most `max_tokens`; ids of calls are made from `call_seed`
    /// where the platform gives none.
    pub fn new(max_tokens: u32, call_seed: String) -> Self {
        Self {
            sse: SseDecoder::default(),
            answer: Either::new(max_tokens, call_seed),
            done: false,
        }
    }
}

impl Decoder for WorkersAiDecoder {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        let (answer, done) = (&mut self.answer, &mut self.done);
        let pushed = self.sse.push(bytes, |event| {
            if !*done {
                *done = answer.event(event.data, out)? == Progress::Done;
            }
            Ok::<_, LlmError>(())
        });
        // Whatever comes after the end is of no interest, however broken it is.
        if self.done {
            return Ok(Progress::Done);
        }
        pushed.map(|()| Progress::More)
    }

    fn end(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        if self.done {
            return Ok(());
        }
        let (answer, done) = (&mut self.answer, &mut self.done);
        let ended = self.sse.end(|event| {
            *done = answer.event(event.data, out)? == Progress::Done;
            Ok(())
        });
        match ended {
            Ok(()) | Err(LlmError::Malformed(_)) => self.answer.check_whole(),
            Err(error) => Err(error),
        }
    }

    fn has_begun(&self) -> bool {
        self.answer.begun
    }

    fn is_whole(&self) -> bool {
        self.answer.check_whole().is_ok()
    }
}

impl Either {
    fn new(max_tokens: u32, call_seed: String) -> Self {
        Self {
            openai: Answer::default(),
            form: None,
            calls: ToolCalls::default(),
            begun: false,
            finished: false,
            produced: 0,
            max_tokens,
            call_seed,
        }
    }

    fn is_openai(&self) -> bool {
        self.form == Some(Form::OpenAi)
    }

    /// A model uses one form or the other; of an answer in both, one half would be lost.
    fn take_form(&mut self, form: Form) -> Result<(), LlmError> {
        if *self.form.get_or_insert(form) == form {
            return Ok(());
        }
        Err(LlmError::Malformed("an answer in two forms".to_owned()))
    }

    fn event(&mut self, data: &str, out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        let data = data.trim();
        if data == "[DONE]" {
            if self.begun && !self.is_openai() {
                self.finish(out)?;
            }
            self.check_whole()?;
            return Ok(Progress::Done);
        }
        if !data.is_empty() {
            self.take(data.as_bytes(), out)?;
        }
        Ok(Progress::More)
    }

    /// Takes a chunk or a whole answer.
    fn take(&mut self, json: &[u8], out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let native: Native = serde_json::from_slice(json)
            .map_err(|error| LlmError::Malformed(format!("unreadable JSON: {error}")))?;
        if native.error.is_some() || native.internal_code.is_some() {
            let report = native.error.as_ref().and_then(|json| json.read().ok());
            let report = report.or_else(|| serde_json::from_slice(json).ok());
            return Err(failure::reported(&report.unwrap_or_default()));
        }
        if native.choices.is_some() {
            self.take_form(Form::OpenAi)?;
            self.openai.take(json, out)?;
            self.begun = self.openai.has_begun();
            return Ok(());
        }
        let mut deltas = Vec::new();
        let text = native.response.as_ref().map(|json| {
            let text: Result<String, _> = json.read();
            text.unwrap_or_else(|_| json.as_str().to_owned())
        });
        let text = text.filter(|text| !text.is_empty());
        let has_calls = native.tool_calls.as_ref().is_some_and(|it| !it.is_empty());
        if text.is_some() || has_calls {
            self.take_form(Form::Native)?;
        }
        self.begun |= native.response.is_some() || native.tool_calls.is_some();
        deltas.extend(text.map(Delta::Content));
        for call in native.tool_calls.into_iter().flatten() {
            let seed = &self.call_seed;
            let make_id = |number: usize| format!("call_{seed}_{number}");
            self.calls.push(call.into(), make_id, &mut deltas)?;
        }
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index: 0, delta }));
        if let Some(usage) = native.usage.as_ref().and_then(usage::read) {
            self.produced = usage.completion_tokens;
            out.push(LlmEvent::Usage(usage));
        }
        Ok(())
    }

    /// The end of an answer in the platform's own form, whose reason has to be inferred.
    fn finish(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let mut deltas = Vec::new();
        self.calls.finish(&mut deltas)?;
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index: 0, delta }));
        let reason = if !self.calls.is_empty() {
            FinishReason::ToolCalls
        } else if self.produced >= u64::from(self.max_tokens) {
            FinishReason::Length
        } else {
            FinishReason::Stop
        };
        out.push(LlmEvent::Finish { index: 0, reason });
        self.finished = true;
        Ok(())
    }

    fn check_whole(&self) -> Result<(), LlmError> {
        if self.is_openai() {
            return self.openai.check_whole();
        }
        match (self.begun, self.finished) {
            (_, true) => Ok(()),
            (true, false) => Err(LlmError::Truncated("no [DONE] came".to_owned())),
            (false, false) => Err(LlmError::Malformed("there is no answer in it".to_owned())),
        }
    }
}

impl From<NativeCall> for ToolCall {
    fn from(call: NativeCall) -> Self {
        Self {
            index: call.index,
            id: call.id,
            function: call.function.or(Some(Function {
                name: call.name,
                arguments: call.arguments,
            })),
            custom: None,
        }
    }
}

/// Reads an answer that came in one piece.
pub(super) fn whole(
    body: &[u8],
    max_tokens: u32,
    call_seed: String,
) -> Result<LlmResponse, LlmError> {
    let (mut answer, mut events) = (Either::new(max_tokens, call_seed), Vec::new());
    answer.take(body, &mut events)?;
    if answer.begun && !answer.is_openai() {
        answer.finish(&mut events)?;
    }
    answer.check_whole()?;
    let mut whole = Accumulator::default();
    whole.push_all(&events);
    Ok(whole.finish())
}
