//! Response decoders. Older models of the platform have their own format, with the text in
//! `response` and no finish reason; newer models use `OpenAI`'s format.

use clawless_core::FinishReason;
use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmEvent, LlmRequest, LlmResponse};
use serde::de::{IgnoredAny, MapAccess};

use crate::accumulate::Accumulator;
use crate::call_id::CallIds;
use crate::error::LlmError;
use crate::failure;
use crate::openai::chunk::Answer;
use crate::openai::tool_calls::ToolCalls;
use crate::openai::usage;
use crate::openai::wire::ToolCall;
use crate::protocol::{Decoder, Progress};
use crate::sse::SseDecoder;
use crate::tolerant::{FromMap, LooseInt, Maybe, OneOrMany};

/// A chunk or a whole response in the platform's format.
#[derive(Default)]
struct Native {
    /// Text; in JSON mode, the JSON value itself.
    response: Option<Json>,
    has_calls: bool,
    tool_calls: OneOrMany<ToolCall>,
    usage: Option<Json>,
    /// Whether the response has `OpenAI`'s format.
    has_choices: bool,
    error: Option<Json>,
    /// The platform's own errors.
    internal_code: LooseInt,
}

impl FromMap for Native {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "response" => self.response = map.next_value()?,
            "tool_calls" => {
                let calls: Option<OneOrMany<ToolCall>> = map.next_value()?;
                self.has_calls = calls.is_some();
                self.tool_calls = calls.unwrap_or_default();
            }
            "usage" => self.usage = map.next_value()?,
            "choices" => self.has_choices = map.next_value::<Option<IgnoredAny>>()?.is_some(),
            "error" => self.error = map.next_value()?,
            "internalCode" => self.internal_code = map.next_value()?,
            _ => map.next_value::<IgnoredAny>().map(drop)?,
        }
        Ok(())
    }
}

/// The decoder of one streamed response.
#[derive(Debug)]
pub struct WorkersAiDecoder {
    sse: SseDecoder,
    answer: Either,
    done: bool,
}

/// The format of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The platform's format.
    Native,
    /// `OpenAI`'s format.
    OpenAi,
}

#[derive(Debug)]
struct Either {
    /// The part of the response in `OpenAI`'s format; a model uses only one format.
    openai: Answer,
    /// Known once the first text or call was received.
    form: Option<Form>,
    calls: ToolCalls,
    started: bool,
    has_output: bool,
    finished: bool,
    /// The output tokens, if the platform reports them.
    completion_tokens: Option<u64>,
    max_tokens: u32,
    call_ids: CallIds,
}

impl WorkersAiDecoder {
    /// A decoder for the response to a request of at most `max_tokens`.
    pub fn new(request: &LlmRequest, max_tokens: u32) -> Self {
        Self {
            sse: SseDecoder::default(),
            answer: Either::new(request, max_tokens),
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
        // Bytes after the end are ignored, even if they are malformed.
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
            Ok(()) | Err(LlmError::Malformed(_)) => {
                self.answer.check_not_empty()?;
                self.answer.check_whole()?;
            }
            Err(error) => return Err(error),
        }
        self.done = true;
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.done || self.answer.has_output()
    }

    fn is_whole(&self) -> bool {
        self.answer.check_whole().is_ok() && self.answer.check_not_empty().is_ok()
    }
}

impl Either {
    fn new(request: &LlmRequest, max_tokens: u32) -> Self {
        Self {
            openai: Answer::new(request),
            form: None,
            calls: ToolCalls::default(),
            started: false,
            has_output: false,
            finished: false,
            completion_tokens: None,
            max_tokens,
            call_ids: CallIds::for_request(request),
        }
    }

    fn is_openai(&self) -> bool {
        self.form == Some(Form::OpenAi)
    }

    fn has_output(&self) -> bool {
        self.has_output || self.openai.has_output()
    }

    /// Rejects a response in both formats, because one half would be lost.
    fn take_form(&mut self, form: Form) -> Result<(), LlmError> {
        if *self.form.get_or_insert(form) == form {
            return Ok(());
        }
        Err(LlmError::Malformed("a response in two formats".to_owned()))
    }

    fn event(&mut self, data: &str, out: &mut Vec<LlmEvent>) -> Result<Progress, LlmError> {
        let data = data.trim();
        if data == "[DONE]" {
            self.close(out)?;
            return Ok(Progress::Done);
        }
        if !data.is_empty() {
            self.take(data.as_bytes(), out)?;
        }
        Ok(Progress::More)
    }

    /// Adds a chunk or a whole response.
    fn take(&mut self, json: &[u8], out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let Maybe(native): Maybe<Native> = serde_json::from_slice(json)
            .map_err(|error| LlmError::Malformed(format!("invalid JSON: {error}")))?;
        let native = native.ok_or_else(|| LlmError::Malformed("not an object".to_owned()))?;
        if native.error.is_some() || native.internal_code.0.is_some() {
            let report = native.error.as_ref().and_then(|json| json.read().ok());
            let report = report.or_else(|| serde_json::from_slice(json).ok());
            return Err(failure::reported(&report.unwrap_or_default()));
        }
        if native.has_choices {
            self.take_form(Form::OpenAi)?;
            self.started = true;
            return self.openai.take(json, out);
        }
        let mut deltas = Vec::new();
        let text = native.response.as_ref().map(|json| {
            let text: Result<String, _> = json.read();
            text.unwrap_or_else(|_| json.as_str().to_owned())
        });
        let text = text.filter(|text| !text.is_empty());
        if text.is_some() || !native.tool_calls.0.is_empty() {
            self.take_form(Form::Native)?;
        }
        self.started |= native.response.is_some() || native.has_calls;
        deltas.extend(text.map(Delta::Content));
        let call_ids = self.call_ids;
        for call in native.tool_calls.0 {
            let make_id = |number| call_ids.make(0, number);
            self.calls.push(call, make_id, &mut deltas)?;
        }
        self.has_output |= !deltas.is_empty();
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index: 0, delta }));
        let usage = native.usage.as_ref().and_then(usage::read);
        // A response with output has at least one token.
        let usage = usage.filter(|usage| usage.completion_tokens > 0 || !self.has_output());
        if let Some(usage) = usage {
            self.completion_tokens = Some(usage.completion_tokens);
            out.push(LlmEvent::Usage(usage));
        }
        Ok(())
    }

    /// Ends the response after the platform's end marker.
    fn close(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        if self.is_openai() {
            return self.openai.close(out);
        }
        if self.started {
            self.finish(out)?;
        }
        self.check_not_empty()?;
        self.check_whole()
    }

    /// Fails an empty response without counted tokens, as a retryable error.
    fn check_not_empty(&self) -> Result<(), LlmError> {
        if self.is_openai() {
            return self.openai.check_not_empty();
        }
        let is_counted = self.completion_tokens.is_some_and(|tokens| tokens > 0);
        if self.finished && !self.has_output && !is_counted {
            return Err(LlmError::EmptyAnswer);
        }
        Ok(())
    }

    /// Ends a response in the platform's format, whose finish reason must be inferred.
    fn finish(&mut self, out: &mut Vec<LlmEvent>) -> Result<(), LlmError> {
        let mut deltas = Vec::new();
        self.calls.finish(&mut deltas)?;
        let deltas = deltas.into_iter();
        out.extend(deltas.map(|delta| LlmEvent::Delta { index: 0, delta }));
        let reason = if !self.calls.is_empty() {
            FinishReason::ToolCalls
        } else if self.completion_tokens >= Some(self.max_tokens.into()) {
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
        match (self.started, self.finished) {
            (_, true) => Ok(()),
            (true, false) => Err(LlmError::Truncated("no [DONE] event".to_owned())),
            (false, false) => Err(LlmError::Malformed("no response in the body".to_owned())),
        }
    }
}

/// Decodes a whole response.
pub(super) fn whole(
    request: &LlmRequest,
    max_tokens: u32,
    body: &[u8],
) -> Result<LlmResponse, LlmError> {
    let (mut answer, mut events) = (Either::new(request, max_tokens), Vec::new());
    answer.take(body, &mut events)?;
    answer.close(&mut events)?;
    let mut whole = Accumulator::default();
    whole.push_all(&events);
    Ok(whole.finish())
}
