//! Why an answer ended, in Anthropic's terms.

use clawless_core::FinishReason;
use clawless_core::members::Members;

/// What the answer's end depends on.
#[derive(Debug, Default)]
pub(super) struct StopState {
    reason: Option<FinishReason>,
    has_refused: bool,
    has_calls: bool,
    /// Whether the provider paused the answer.
    is_paused: bool,
    /// The stop sequence that the provider names.
    sequence: Option<String>,
}

impl StopState {
    /// Records the reason of the provider.
    pub(super) const fn finish(&mut self, reason: Option<FinishReason>) {
        self.reason = reason;
    }

    /// Records a refusal in words.
    pub(super) const fn refuse(&mut self) {
        self.has_refused = true;
    }

    /// Records a tool call.
    pub(super) const fn call(&mut self) {
        self.has_calls = true;
    }

    /// Looks for the stop sequence among the provider's members of the choice. Some servers put other
    /// values there, so it must be one of the request's.
    pub(super) fn read(&mut self, members: &Members, requested: &[String]) {
        let native = members.get("native_finish_reason");
        self.is_paused |= native.is_some_and(|it| it.as_str() == "\"pause_turn\"");
        let stopped_by = members.get("stop_reason").and_then(|it| it.read().ok());
        self.sequence = stopped_by
            .filter(|text| requested.contains(text))
            .or(self.sequence.take());
    }

    /// The values of `stop_reason` and `stop_sequence`.
    pub(super) fn values(&self) -> (&'static str, Option<&str>) {
        let reason = match self.reason {
            _ if self.has_refused => "refusal",
            Some(FinishReason::Length) if self.is_paused => "pause_turn",
            Some(FinishReason::Length) => "max_tokens",
            Some(FinishReason::ContentFilter) => "refusal",
            Some(FinishReason::ToolCalls | FinishReason::FunctionCall) => "tool_use",
            // Some servers stop after a call as after any answer.
            _ if self.has_calls => "tool_use",
            Some(FinishReason::Stop) | None => match &self.sequence {
                Some(sequence) => return ("stop_sequence", Some(sequence)),
                None => "end_turn",
            },
        };
        (reason, None)
    }
}
