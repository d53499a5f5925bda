//! Why an answer ended, in Anthropic's terms.

use clawless_core::FinishReason;
use clawless_core::members::Members;

/// Reasons for which other surfaces have no word, as the provider's decoder reports them.
const CUT_OFF: [&str; 2] = ["pause_turn", "model_context_window_exceeded"];

/// What the answer's end depends on.
#[derive(Debug, Default)]
pub(super) struct StopState {
    reason: Option<FinishReason>,
    has_refused: bool,
    has_calls: bool,
    /// Why an answer was cut off, if not at its output limit.
    cut_off_by: Option<&'static str>,
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
        let native: Option<String> = native.and_then(|it| it.read().ok());
        let cut_off_by = CUT_OFF
            .into_iter()
            .find(|it| native.as_deref() == Some(*it));
        self.cut_off_by = cut_off_by.or(self.cut_off_by);
        let stopped_by = members.get("stop_reason").and_then(|it| it.read().ok());
        self.sequence = stopped_by
            .filter(|text| requested.contains(text))
            .or(self.sequence.take());
    }

    /// The values of `stop_reason` and `stop_sequence`.
    pub(super) fn values(&self) -> (&'static str, Option<&str>) {
        let reason = match self.reason {
            _ if self.has_refused => "refusal",
            Some(FinishReason::Length) => self.cut_off_by.unwrap_or("max_tokens"),
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

#[cfg(test)]
mod tests {
    use clawless_core::json::Json;

    use super::*;

    #[test]
    fn an_answer_that_is_cut_off_has_the_providers_reason() {
        for (native, expected) in [
            ("pause_turn", "pause_turn"),
            (
                "model_context_window_exceeded",
                "model_context_window_exceeded",
            ),
            ("max_tokens", "max_tokens"),
            ("MAX_TOKENS", "max_tokens"),
        ] {
            let mut stop = StopState::default();
            let member = Json::from_value(native).expect("JSON");
            let members = Members(vec![("native_finish_reason".to_owned(), member)]);
            stop.read(&members, &[]);
            stop.finish(Some(FinishReason::Length));
            assert_eq!(stop.values(), (expected, None));
        }
    }
}
