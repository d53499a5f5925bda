//! Streamed responses: `chat.completion.chunk` events.

use clawless_core::chat::{FinishReason, Usage};
use clawless_core::json::Json;
use clawless_core::llm::{Delta, LlmEvent};
use clawless_core::members::Members;
use clawless_core::tool::CallForm;
use clawless_core::{ApiError, Timestamp};
use serde::Serialize;

use crate::activity::{Extension, ToolActivity};
use crate::envelope::error_envelope;

/// A comment line, which every client ignores.
pub const KEEP_ALIVE: &str = ": keep-alive\n\n";

/// The end of a failed response: an error envelope and no `[DONE]`. SDKs raise it as an error.
pub fn failure_event(error: &ApiError) -> String {
    format!("data: {}\n\n", error_envelope(error))
}

/// Writes the events of one streamed response: the role first, the usage once and only on request,
/// `[DONE]` last. Model output is encoded as JSON, so it cannot leave its `data:` line.
#[derive(Debug)]
pub struct ChunkWriter {
    id: String,
    created: u64,
    model: String,
    include_usage: bool,
    /// The choices whose role has been sent.
    introduced: Vec<u32>,
}

/// A chunk of a streamed answer.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ChatCompletionChunk", extend("additionalProperties" = true)))]
struct Chunk<'a, C> {
    /// The id of the answer.
    id: &'a str,
    /// Always `chat.completion.chunk`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "chat.completion.chunk")))]
    object: &'static str,
    /// When the request arrived, in seconds since 1970 (UTC).
    created: u64,
    /// The model that answers.
    model: &'a str,
    /// What is new. Empty in the last chunk, which has the usage.
    choices: &'a [C],
    /// The tokens used: in the last chunk if they were requested, `null` in the others.
    #[serde(skip_serializing_if = "UsageField::is_absent")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Usage>"))]
    usage: UsageField,
    /// The activity of server tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    clawless: Option<Extension<&'a [ToolActivity]>>,
}

/// The `usage` of a chunk. If the client requested usage, the last chunk contains it and all others
/// contain `null`.
#[derive(Serialize)]
#[serde(untagged)]
enum UsageField {
    Absent,
    Null,
    Present(Usage),
}

impl UsageField {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// A part of one choice.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ChatChunkChoice", extend("additionalProperties" = true)))]
struct ChunkChoice<'a, D = WireDelta<'a>> {
    /// The number of the choice, from 0.
    index: u32,
    /// What is new in its message.
    delta: D,
    /// Log probabilities, as the provider sent them.
    logprobs: Option<&'a Json>,
    /// Why the model stopped, at the end of the choice.
    finish_reason: Option<FinishReason>,
}

/// A part of a message.
#[derive(Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ChatDelta", extend("additionalProperties" = true)))]
struct WireDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_blocks: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[WireToolCall<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<WireFunction<'a>>,
}

/// A part of a tool call. The first part has the id and the name.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ToolCallDelta", extend("additionalProperties" = true)))]
struct WireToolCall<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<WireFunction<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<WireCustom<'a>>,
}

/// A delta of one tool call that has the provider's own members.
#[derive(Serialize)]
struct CallMembers<'a> {
    tool_calls: [CallWithMembers<'a>; 1],
}

/// The members of the call's function are in its function, all others beside it.
#[derive(Serialize)]
struct CallWithMembers<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<WithMembers<WireFunction<'a>, Members>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<WithMembers<WireCustom<'a>, Members>>,
    #[serde(flatten)]
    members: Members,
}

/// An object with the provider's own members.
#[derive(Serialize)]
struct WithMembers<T, M> {
    #[serde(flatten)]
    object: T,
    #[serde(flatten)]
    members: M,
}

/// A part of a function call.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FunctionCallDelta", extend("additionalProperties" = true)))]
struct WireFunction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// A part of a custom tool's call.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CustomCallDelta", extend("additionalProperties" = true)))]
struct WireCustom<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: &'a str,
}

/// The data of an event: a chunk, or the error that ends the stream.
#[derive(Debug)]
pub enum ChatChunk {}

#[cfg(feature = "schema")]
mod schema {
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{ChatChunk, Chunk, ChunkChoice};
    use crate::envelope::Envelope;

    impl JsonSchema for ChatChunk {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "ChatStreamEvent".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "The data of an event: a chunk, or the error that ends the stream. \
                                A whole stream ends with the data `[DONE]`.",
                "anyOf": [
                    generator.subschema_for::<Chunk<'_, ChunkChoice<'_>>>(),
                    generator.subschema_for::<Envelope<'_>>(),
                ],
            })
        }
    }
}

impl<'a> WireDelta<'a> {
    /// A part of a tool call. The first part has the id and name.
    fn call(form: CallForm, index: u32, start: Option<(&'a str, &'a str)>, text: &'a str) -> Self {
        let (id, name) = start.unzip();
        let function = WireFunction {
            name,
            arguments: text,
        };
        if form == CallForm::Older {
            return Self {
                function_call: Some(function),
                ..Self::default()
            };
        }
        let is_custom = form == CallForm::Custom;
        let kind = if is_custom { "custom" } else { "function" };
        Self {
            tool_calls: Some([WireToolCall {
                index,
                id,
                r#type: id.map(|_| kind),
                function: (!is_custom).then_some(function),
                custom: is_custom.then_some(WireCustom { name, input: text }),
            }]),
            ..Self::default()
        }
    }
}

impl ChunkWriter {
    /// A writer for the response `id` of `model`.
    pub fn new(id: String, created: Timestamp, model: String, include_usage: bool) -> Self {
        Self {
            id,
            created: created.as_secs(),
            model,
            include_usage,
            introduced: Vec::new(),
        }
    }

    /// Appends an event. Usage events write nothing; see [`Self::finish`].
    pub fn event(&mut self, event: &LlmEvent, out: &mut String) {
        match event {
            LlmEvent::Delta { index, delta } => self.delta(*index, delta, out),
            LlmEvent::Finish { index, reason } => {
                self.introduce(*index, out);
                self.choice(*index, WireDelta::default(), None, Some(*reason), out);
            }
            LlmEvent::Usage(_) => {}
            LlmEvent::Members(members) => self.members(members, out),
        }
    }

    /// Appends a chunk with an empty delta and the activity of server tools.
    pub fn activity(&mut self, activity: &[ToolActivity], out: &mut String) {
        self.introduce(0, out);
        let empty = ChunkChoice {
            index: 0,
            delta: WireDelta::default(),
            logprobs: None,
            finish_reason: None,
        };
        self.chunk(&[empty], self.no_usage(), Some(activity), out);
    }

    /// Appends the end of a complete response: the usage on request, then `[DONE]`.
    pub fn finish(&mut self, usage: Usage, out: &mut String) {
        if self.include_usage {
            self.chunk(&[], UsageField::Present(usage), None, out);
        }
        out.push_str("data: [DONE]\n\n");
    }

    /// The whole stream of a response, which ends with `error` if there is one.
    pub fn whole(mut self, events: &[LlmEvent], usage: Usage, error: Option<&ApiError>) -> String {
        let mut out = String::new();
        for event in events {
            self.event(event, &mut out);
        }
        match error {
            None => self.finish(usage, &mut out),
            Some(error) => self.fail(error, &mut out),
        }
        out
    }

    /// Appends the end of a failed response: [`failure_event`].
    pub fn fail(&mut self, error: &ApiError, out: &mut String) {
        out.push_str(&failure_event(error));
    }

    fn delta(&mut self, index: u32, delta: &Delta, out: &mut String) {
        self.introduce(index, out);
        let mut wire = WireDelta::default();
        let mut logprobs = None;
        match delta {
            // All blocks follow at once.
            Delta::ThinkingBlock(_) | Delta::Citation(_) | Delta::TextEnd | Delta::Block(_) => {
                return;
            }
            Delta::Members(members) => return self.choice(index, members, None, None, out),
            Delta::ChoiceMembers(members) => return self.choice_members(index, members, out),
            Delta::ToolCallMembers {
                call,
                form,
                members,
            } => return self.call_members(index, (*form, *call, None), members, out),
            Delta::ToolCallStart {
                call,
                id,
                name,
                form,
                members,
            } if !members.is_empty() => {
                let start = Some((id.as_str(), name.as_str()));
                return self.call_members(index, (*form, *call, start), members, out);
            }
            Delta::Content(text) => wire.content = Some(text),
            Delta::Reasoning(text) => wire.reasoning_content = Some(text),
            Delta::Refusal(text) => wire.refusal = Some(text),
            Delta::ToolCallStart {
                call,
                id,
                name,
                form,
                members: _,
            } => wire = WireDelta::call(*form, *call, Some((id, name)), ""),
            Delta::ToolCallArguments {
                call,
                arguments,
                form,
            } => wire = WireDelta::call(*form, *call, None, arguments),
            Delta::Logprobs(json) => logprobs = Some(json),
            Delta::ThinkingBlocks(json) => wire.thinking_blocks = Some(json),
        }
        self.choice(index, wire, logprobs, None, out);
    }

    /// Appends a tool call's beginning, or nothing more of it, with the provider's own members. The
    /// older form has no place for them.
    fn call_members(
        &self,
        index: u32,
        (form, call, start): (CallForm, u32, Option<(&str, &str)>),
        members: &Members,
        out: &mut String,
    ) {
        let delta = WireDelta::call(form, call, start, "");
        match delta.tool_calls {
            Some([call]) => {
                let mut members = members.clone();
                let of_function = members.take_object("function");
                let of_custom = members.take_object("custom");
                let tool_calls = [CallWithMembers {
                    index: call.index,
                    id: call.id,
                    r#type: call.r#type,
                    function: call.function.map(|object| WithMembers {
                        object,
                        members: of_function,
                    }),
                    custom: call.custom.map(|object| WithMembers {
                        object,
                        members: of_custom,
                    }),
                    members,
                }];
                self.choice(index, CallMembers { tool_calls }, None, None, out);
            }
            None if start.is_some() => self.choice(index, delta, None, None, out),
            None => {}
        }
    }

    /// Appends members of a choice beside its delta. A chunk of its own, because flattening costs
    /// every chunk.
    fn choice_members(&self, index: u32, members: &Members, out: &mut String) {
        let object = ChunkChoice {
            index,
            delta: WireDelta::default(),
            logprobs: None,
            finish_reason: None,
        };
        let choice = WithMembers { object, members };
        self.write(&[choice], self.no_usage(), None, None, out);
    }

    /// Appends members of the answer beside its choices.
    fn members(&self, members: &Members, out: &mut String) {
        let choices: &[ChunkChoice<'_>] = &[];
        self.write(choices, self.no_usage(), None, Some(members), out);
    }

    /// The first chunk of each choice has the role and an empty content, as in `OpenAI`'s API.
    fn introduce(&mut self, index: u32, out: &mut String) {
        if !self.introduced.contains(&index) {
            self.introduced.push(index);
            let first = WireDelta {
                role: Some("assistant"),
                content: Some(""),
                ..WireDelta::default()
            };
            self.choice(index, first, None, None, out);
        }
    }

    fn choice<D: Serialize>(
        &self,
        index: u32,
        delta: D,
        logprobs: Option<&Json>,
        finish_reason: Option<FinishReason>,
        out: &mut String,
    ) {
        let choice = ChunkChoice {
            index,
            delta,
            logprobs,
            finish_reason,
        };
        self.write(&[choice], self.no_usage(), None, None, out);
    }

    const fn no_usage(&self) -> UsageField {
        if self.include_usage {
            UsageField::Null
        } else {
            UsageField::Absent
        }
    }

    fn chunk(
        &self,
        choices: &[ChunkChoice<'_>],
        usage: UsageField,
        activity: Option<&[ToolActivity]>,
        out: &mut String,
    ) {
        self.write(choices, usage, activity, None, out);
    }

    fn write<C: Serialize>(
        &self,
        choices: &[C],
        usage: UsageField,
        activity: Option<&[ToolActivity]>,
        members: Option<&Members>,
        out: &mut String,
    ) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage,
            clawless: activity.map(|tool_executions| Extension { tool_executions }),
        };
        out.push_str("data: ");
        // Serializing strings and numbers cannot fail.
        let json = match members {
            None => serde_json::to_string(&chunk),
            Some(members) => serde_json::to_string(&WithMembers {
                object: chunk,
                members,
            }),
        };
        let json = json.unwrap_or_default();
        if json.contains(['\n', '\r']) {
            // Unparsed JSON of a provider may contain line ends between its tokens. They would end
            // the event.
            out.push_str(&json.replace(['\n', '\r'], " "));
        } else {
            out.push_str(&json);
        }
        out.push_str("\n\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_json_with_line_ends_stays_on_one_line() {
        let pretty = "{\r\n  \"content\": [\"a\\n\"]\n}".to_owned();
        let event = LlmEvent::Delta {
            index: 0,
            delta: Delta::Logprobs(Json::parse(pretty).expect("JSON")),
        };
        let (id, model) = ("chatcmpl-1".to_owned(), "m".to_owned());
        let mut out = String::new();
        ChunkWriter::new(id, Timestamp::default(), model, false).event(&event, &mut out);
        let events: Vec<_> = out.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 2, "the role, then the log probabilities");
        let json = events[1].strip_prefix("data: ").expect("data");
        assert!(!json.contains(['\n', '\r']), "{json}");
        let chunk: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(chunk["choices"][0]["logprobs"]["content"][0], "a\n");
    }
}
