//! What the response repeats of its request.

use clawless_core::json::Json;
use clawless_core::members::Members;
use clawless_core::{ApiError, SessionId};

use super::{IncomingRequest, Reasoning, Truncation, check_metadata};
use crate::responses::object_text::ObjectText;
use crate::responses::tools::{self, TextConfig, Tools};

impl IncomingRequest {
    /// The members that the response repeats, with `OpenAI`'s defaults for absent ones.
    pub(super) fn echo(
        &self,
        reasoning: &Reasoning,
        text: &TextConfig,
        tools: &Tools,
        session: Option<&SessionId>,
    ) -> Result<Members, ApiError> {
        check_metadata(self.metadata.as_ref())?;
        let flag = |value: bool| if value { "true" } else { "false" };
        let float = |value: Option<f64>, default: &'static str| {
            value.map_or_else(|| default.to_owned(), |value| json_of(&value))
        };
        let number = |value: Option<u32>| value.map_or("null".to_owned(), |it| it.to_string());
        let effort = reasoning
            .effort
            .map_or_else(|| "null".to_owned(), |it| json_of(&it));
        let truncation = match self.truncation {
            Some(Truncation::Disabled) => "disabled",
            Some(Truncation::Auto) | None => "auto",
        };
        let conversation = session.map_or("null".to_owned(), |session| {
            ObjectText::new().text("id", session.as_str()).end()
        });
        let choice = self.tool_choice.as_ref();
        let echo = ObjectText::new()
            .raw("access_programs", "null")
            .raw("background", "false")
            .raw("conversation", &conversation)
            .raw("frequency_penalty", &float(self.frequency_penalty, "0.0"))
            .text_or_null("instructions", self.instructions.as_deref())
            .raw("max_output_tokens", &number(self.max_output_tokens))
            .raw("max_tool_calls", &number(self.max_tool_calls))
            .raw(
                "metadata",
                &self.metadata.as_ref().map_or("{}".to_owned(), json_of),
            )
            .raw(
                "parallel_tool_calls",
                flag(self.parallel_tool_calls.unwrap_or(true)),
            )
            .raw("presence_penalty", &float(self.presence_penalty, "0.0"))
            .text_or_null("previous_response_id", self.previous_response_id.as_deref())
            .text_or_null("prompt_cache_key", self.prompt_cache_key.as_deref())
            .raw(
                "reasoning",
                &ObjectText::new()
                    .raw("effort", &effort)
                    .text_or_null("summary", reasoning.summary.as_deref())
                    .end(),
            )
            .text_or_null("safety_identifier", self.safety_identifier.as_deref())
            .text(
                "service_tier",
                self.service_tier.as_deref().unwrap_or("default"),
            )
            .raw("store", flag(self.store.unwrap_or(true)))
            .raw("temperature", &float(self.temperature, "1.0"))
            .raw("text", &text.echo)
            .raw("tool_choice", choice.map_or(r#""auto""#, Json::as_str))
            .raw("tools", &tools::echo(tools))
            .number("top_logprobs", self.top_logprobs.unwrap_or(0))
            .raw("top_p", &float(self.top_p, "1.0"))
            .text("truncation", truncation)
            .text_or_null("user", self.user.as_deref());
        let members = echo.into_json().and_then(|echo| echo.read().ok());
        members.ok_or_else(|| ApiError::internal("a request was not repeated as JSON"))
    }
}

fn json_of<T: serde::Serialize>(value: &T) -> String {
    // Serializing numbers, names and maps of texts cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}
