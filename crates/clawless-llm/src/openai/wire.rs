//! Response types, chunks and whole. Every member is parsed tolerantly (`tolerant`). Unknown
//! members are kept as received, for the client and for the next turn.

use clawless_core::json::{self, Json};
use clawless_core::members::Members;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};

use super::content::Content;
use super::finish::Reason;
use crate::tolerant::{FromMap, LooseInt, LooseText, Maybe, OneOrMany};

/// The maximum number of unknown members kept per object, because each uses memory.
const MAX_UNKNOWN: usize = 64;

/// Response members, other than the choices, that are model output. All others describe the
/// provider (`system_fingerprint`, `provider`, `timings` …) and are dropped.
const ANSWER_MEMBERS: [&str; 9] = [
    "annotations",
    "citations",
    "images",
    "references",
    "related_questions",
    "search_info",
    "search_results",
    "videos",
    "web_search",
];

/// Message members that the gateway writes itself, and labels without meaning to clients. The
/// provider's values are dropped.
const DROPPED: &[&str] = &[
    "role",
    "name",
    "prefix",
    "token_id",
    "token_ids",
    "audio_content",
    "thinking_blocks",
    "clawless",
    "clawless_origin",
    "signed_by",
];

/// Choice members that describe tokens, which the gateway does not pass on.
const DROPPED_IN_CHOICES: &[&str] = &["token_ids", "prompt_token_ids", "token_id", "clawless"];

/// Members that say that the provider blocked the prompt (Gemini).
const BLOCKED: [&str; 2] = ["prompt_feedback", "promptFeedback"];

/// A chunk of a stream or a whole response: they differ only in `delta` and `message`.
#[derive(Default)]
pub(crate) struct Envelope {
    pub(crate) id: LooseText,
    pub(crate) choices: OneOrMany<Choice>,
    /// Parsed separately so that invalid usage does not fail a valid response.
    pub(crate) usage: Option<Json>,
    /// Present and not null if the server reports an error.
    pub(crate) error: Option<Json>,
    /// `error` in the legacy form of some servers, whose message is a sibling.
    pub(crate) object: LooseText,
    /// The status that `MiniMax` sends with every response.
    pub(crate) base_resp: Maybe<BaseResponse>,
    /// The error code, if it is a sibling of its message (`DashScope`).
    pub(crate) code: LooseText,
    pub(crate) message: LooseText,
    /// Members that some servers send instead of `error`.
    pub(crate) signs: ErrorSigns,
    /// Whether the provider says why it blocked the prompt.
    pub(crate) is_blocked: bool,
    /// The response members listed in [`ANSWER_MEMBERS`].
    pub(crate) members: Members,
}

/// Signs of an error in an envelope without `error` and without choices.
#[derive(Default)]
pub(crate) struct ErrorSigns {
    /// A message under a name other than `message`.
    pub(crate) message: Option<Json>,
    /// A status, type or flag that says that the call failed.
    pub(crate) has_failed: bool,
}

/// `MiniMax`'s status: a non-zero code is an error with any HTTP status.
#[derive(Debug, Default, Clone)]
pub(crate) struct BaseResponse {
    pub(crate) code: LooseInt,
    pub(crate) message: LooseText,
}

#[derive(Default)]
pub(crate) struct Choice {
    pub(crate) index: LooseInt,
    pub(crate) delta: Maybe<Delta>,
    pub(crate) message: Maybe<Delta>,
    pub(crate) finish_reason: Reason,
    /// The text, in the form of the older completions API.
    pub(crate) text: LooseText,
    pub(crate) logprobs: Option<Json>,
    /// The usage of the whole call, if it is inside the choice (Moonshot).
    pub(crate) usage: Option<Json>,
    /// An error of the model behind a router (`OpenRouter`).
    pub(crate) error: Option<Json>,
    pub(crate) unknown: Members,
}

#[derive(Default)]
pub(crate) struct Delta {
    pub(crate) content: Content,
    pub(crate) refusal: LooseText,
    pub(crate) reasoning_content: Content,
    /// An alias of `reasoning_content`.
    pub(crate) reasoning: Content,
    pub(crate) tool_calls: OneOrMany<ToolCall>,
    /// A call in the legacy form.
    pub(crate) function_call: Maybe<Function>,
    /// The usage of the whole call, if a server puts it here.
    pub(crate) usage: Option<Json>,
    pub(crate) unknown: Members,
}

#[derive(Default, Debug)]
pub(crate) struct ToolCall {
    pub(crate) index: LooseInt,
    pub(crate) id: LooseText,
    pub(crate) function: Maybe<Function>,
    /// A call of a custom tool.
    pub(crate) custom: Maybe<Custom>,
    pub(crate) unknown: Members,
}

#[derive(Default, Debug, Clone)]
pub(crate) struct Custom {
    pub(crate) name: LooseText,
    pub(crate) input: LooseText,
    pub(crate) unknown: Members,
}

#[derive(Default, Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: LooseText,
    pub(crate) arguments: Option<Arguments>,
    pub(crate) unknown: Members,
}

/// A call's arguments: JSON text, or a JSON value from some servers.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Json")]
pub(crate) struct Arguments(pub(crate) String);

impl From<Json> for Arguments {
    fn from(json: Json) -> Self {
        Self(json.read().unwrap_or_else(|_| json.as_str().to_owned()))
    }
}

impl FromMap for Envelope {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "id" => self.id = map.next_value()?,
            "choices" => self.choices = map.next_value()?,
            "usage" => {
                let usage: Option<Json> = map.next_value()?;
                self.usage = usage.or(self.usage.take());
            }
            "error" => self.error = map.next_value()?,
            "object" => self.object = map.next_value()?,
            "base_resp" => self.base_resp = map.next_value()?,
            "code" => self.code = map.next_value()?,
            "message" => self.message = map.next_value()?,
            "detail" | "msg" | "errors" | "error_msg" | "error_message" | "errorMessage" => {
                self.signs.message = map.next_value()?;
            }
            "status" | "type" | "success" | "statusCode" | "status_code" | "error_code" => {
                let value: Json = map.next_value()?;
                self.signs.has_failed |= says_failed(name, &value);
            }
            name if BLOCKED.contains(&name) => {
                let feedback: Json = map.next_value()?;
                self.is_blocked = !is_blank(&feedback);
            }
            // The usage of Google's native API and of llama.cpp's, if there is no other.
            "usageMetadata" | "usage_metadata" | "timings" => {
                let usage: Option<Json> = map.next_value()?;
                self.usage = self.usage.take().or(usage);
            }
            "x_groq" => {
                let extension: Maybe<Extension> = map.next_value()?;
                let extension = extension.0.unwrap_or_default();
                self.usage = self.usage.take().or(extension.usage);
                self.error = self.error.take().or(extension.error);
            }
            name if ANSWER_MEMBERS.contains(&name) => keep(&mut self.members, name, map)?,
            _ => ignore(map)?,
        }
        Ok(())
    }
}

/// Groq's extension of chunks, which contains usage and errors.
#[derive(Default)]
struct Extension {
    usage: Option<Json>,
    error: Option<Json>,
}

impl FromMap for Extension {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            _ => ignore(map)?,
        }
        Ok(())
    }
}

impl FromMap for BaseResponse {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "status_code" => self.code = map.next_value()?,
            "status_msg" => self.message = map.next_value()?,
            _ => ignore(map)?,
        }
        Ok(())
    }
}

impl FromMap for Choice {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "delta" => self.delta = map.next_value()?,
            "message" => self.message = map.next_value()?,
            "finish_reason" => self.finish_reason = map.next_value()?,
            "logprobs" => self.logprobs = map.next_value()?,
            "text" => self.text = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            name if DROPPED_IN_CHOICES.contains(&name) => ignore(map)?,
            name => keep(&mut self.unknown, name, map)?,
        }
        Ok(())
    }
}

impl FromMap for Delta {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "content" => self.content = map.next_value()?,
            "refusal" => self.refusal = map.next_value()?,
            "reasoning_content" => self.reasoning_content = map.next_value()?,
            "reasoning" => self.reasoning = map.next_value()?,
            "tool_calls" => self.tool_calls = map.next_value()?,
            "function_call" => self.function_call = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            name => keep(&mut self.unknown, name, map)?,
        }
        Ok(())
    }
}

impl Delta {
    /// Whether the delta contains at most the role.
    pub(crate) fn is_empty(&self) -> bool {
        self.content.0.is_empty()
            && self.refusal.0.is_none()
            && self.reasoning_content.0.is_empty()
            && self.reasoning.0.is_empty()
            && self.tool_calls.0.is_empty()
            && self.function_call.0.is_none()
            && self.unknown.is_empty()
    }
}

impl FromMap for ToolCall {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "id" => self.id = map.next_value()?,
            "type" => ignore(map)?,
            "function" => self.function = map.next_value()?,
            "custom" => self.custom = map.next_value()?,
            // Name and arguments at the top level.
            "name" => self.function.0.get_or_insert_default().name = map.next_value()?,
            "arguments" => self.function.0.get_or_insert_default().arguments = map.next_value()?,
            name => keep(&mut self.unknown, name, map)?,
        }
        Ok(())
    }
}

impl FromMap for Custom {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "name" => self.name = map.next_value()?,
            "input" => self.input = map.next_value()?,
            name => keep(&mut self.unknown, name, map)?,
        }
        Ok(())
    }
}

impl FromMap for Function {
    fn take_member<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        match name {
            "name" => self.name = map.next_value()?,
            "arguments" => self.arguments = map.next_value()?,
            // The name in Llama's native format.
            "parameters" if self.arguments.is_none() => self.arguments = map.next_value()?,
            name => keep(&mut self.unknown, name, map)?,
        }
        Ok(())
    }
}

fn ignore<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Keeps an unknown member, unless it is empty or nested too deep for later parsers.
fn keep<'de, A: MapAccess<'de>>(
    unknown: &mut Members,
    name: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    if DROPPED.contains(&name) || unknown.0.len() >= MAX_UNKNOWN {
        return ignore(map);
    }
    let value: Json = map.next_value()?;
    if !is_blank(&value) && !json::is_too_deep(value.as_str().as_bytes()) {
        unknown.0.retain(|(known, _)| known != name);
        unknown.0.push((name.to_owned(), value));
    }
    Ok(())
}

fn is_blank(value: &Json) -> bool {
    matches!(value.as_str(), "null" | "\"\"" | "[]" | "{}")
}

/// Whether a member at the top of an envelope says that the call failed.
fn says_failed(name: &str, value: &Json) -> bool {
    match name {
        "success" => value.as_str() == "false",
        "status" | "type" => {
            let word: String = value.read().unwrap_or_default();
            let is_error = ["error", "fail", "exception"];
            let word = word.to_ascii_lowercase();
            is_error.iter().any(|it| word.contains(it)) || is_error_status(value)
        }
        _ => is_error_status(value),
    }
}

/// Whether a value is a number that means an error: no zero and no status of success.
fn is_error_status(value: &Json) -> bool {
    let number: LooseInt = value.read().unwrap_or_default();
    number
        .0
        .is_some_and(|it| it != 0 && !(200..300).contains(&it))
}
