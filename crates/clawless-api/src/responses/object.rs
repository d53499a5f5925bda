//! The response object, whole and in events.

use clawless_core::ApiError;
use clawless_core::chat::{FinishReason, Usage};
use clawless_core::error::ErrorKind;
use clawless_core::members::Members;

use super::echo::ResponseEcho;
use super::ids::response_id;
use super::object_text::ObjectText;
use super::output::Status;
use crate::answer_head::AnswerHead;

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End<'a> {
    /// It has not ended.
    Running,
    /// The answer is complete, or was cut off by a limit or a filter.
    Answered(Option<FinishReason>, Usage),
    /// The answer broke off.
    Failed(&'a ApiError),
}

impl End<'_> {
    /// The status of the response, which is part of the name of its last event.
    pub(super) const fn status(&self) -> &'static str {
        match self {
            Self::Running => "in_progress",
            Self::Answered(..) if self.is_complete() => "completed",
            Self::Answered(..) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }

    /// The status of the items that were open when the response ended.
    pub(super) const fn status_of_items(&self) -> Status {
        match self {
            Self::Running => Status::InProgress,
            Self::Answered(..) if self.is_complete() => Status::Completed,
            Self::Answered(..) | Self::Failed(_) => Status::Incomplete,
        }
    }

    /// Whether the answer is complete: neither running, nor cut off, nor broken off.
    const fn is_complete(&self) -> bool {
        matches!(self, Self::Answered(..)) && self.incomplete_reason().is_none()
    }

    const fn incomplete_reason(&self) -> Option<&'static str> {
        match self {
            Self::Answered(Some(FinishReason::Length), _) => Some("max_output_tokens"),
            Self::Answered(Some(FinishReason::ContentFilter), _) => Some("content_filter"),
            _ => None,
        }
    }
}

/// Writes a response. `output` has its items, `more` what the provider and server tools add.
pub(super) fn write(
    head: &AnswerHead,
    echo: &ResponseEcho,
    end: &End<'_>,
    output: &[String],
    more: &Members,
) -> String {
    let (error, usage) = match end {
        End::Running => (None, None),
        End::Answered(_, usage) => (None, Some(usage)),
        End::Failed(error) => (Some(error_text(error)), None),
    };
    let incomplete = end
        .incomplete_reason()
        .map(|reason| ObjectText::new().text("reason", reason).end());
    let completed = head.completed.filter(|_| end.is_complete());
    let completed = completed.map(|at| at.as_secs().to_string());
    let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
    let response = ObjectText::new()
        .text("id", &response_id(&head.request))
        .text("object", "response")
        .number("created_at", head.created.as_secs())
        .text("status", end.status())
        .raw("completed_at", &or_null(completed))
        .raw("error", &or_null(error))
        .raw("incomplete_details", &or_null(incomplete))
        .text("model", &head.model)
        .list("output", output)
        .raw("usage", &or_null(usage.map(usage_text)))
        .members(&echo.members);
    let known = |name: &str| is_known(name) || echo.members.get(name).is_some();
    let more = more.0.iter().filter(|(name, _)| !known(name));
    let response = more.fold(response, |response, (name, value)| {
        response.raw(name, value.as_str())
    });
    response.end()
}

/// Whether a member of this name has a meaning in every response.
fn is_known(name: &str) -> bool {
    [
        "id",
        "object",
        "created_at",
        "status",
        "completed_at",
        "error",
        "incomplete_details",
        "model",
        "output",
        "output_text",
        "usage",
    ]
    .contains(&name)
}

/// The usage under this surface's names. The details are always there.
fn usage_text(usage: &Usage) -> String {
    let prompt = usage.prompt_tokens_details.unwrap_or_default();
    let completion = usage.completion_tokens_details.unwrap_or_default();
    let input = ObjectText::new()
        .number("cached_tokens", prompt.cached_tokens.unwrap_or(0))
        .number("cache_write_tokens", prompt.cache_write_tokens.unwrap_or(0));
    let output =
        ObjectText::new().number("reasoning_tokens", completion.reasoning_tokens.unwrap_or(0));
    ObjectText::new()
        .number("input_tokens", usage.prompt_tokens)
        .raw("input_tokens_details", &input.end())
        .number("output_tokens", usage.completion_tokens)
        .raw("output_tokens_details", &output.end())
        .number("total_tokens", usage.total_tokens)
        .end()
}

/// The error of a failed response. SDKs know `server_error`; what the client can change keeps its
/// own code.
fn error_text(error: &ApiError) -> String {
    let code = match error.code.kind() {
        ErrorKind::Internal | ErrorKind::Upstream => "server_error",
        _ => error.code.as_str(),
    };
    ObjectText::new()
        .text("code", code)
        .text("message", &error.message)
        .text("type", error.code.error_type())
        .text_or_null("param", error.param.as_deref())
        .end()
}
