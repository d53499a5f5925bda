//! Response types, chunks and whole. Every member is parsed tolerantly (`tolerant`). Unknown
//! members are kept as received, for the client and for the next turn.

use std::fmt;

use clawless_core::json::{self, Json};
use clawless_core::members::Members;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

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
    /// The response members listed in [`ANSWER_MEMBERS`].
    pub(crate) members: Members,
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
    pub(crate) finish_reason: LooseText,
    pub(crate) logprobs: Option<Json>,
    /// The usage of the whole call, if it is inside the choice (Moonshot).
    pub(crate) usage: Option<Json>,
    /// An error of the model behind a router (`OpenRouter`).
    pub(crate) error: Option<Json>,
}

#[derive(Default)]
pub(crate) struct Delta {
    pub(crate) content: Content,
    pub(crate) refusal: LooseText,
    pub(crate) reasoning_content: LooseText,
    /// An alias of `reasoning_content`.
    pub(crate) reasoning: LooseText,
    pub(crate) tool_calls: OneOrMany<ToolCall>,
    /// A call in the legacy form.
    pub(crate) function_call: Maybe<Function>,
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
}

#[derive(Default, Debug, Clone)]
pub(crate) struct Function {
    pub(crate) name: LooseText,
    pub(crate) arguments: Option<Arguments>,
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
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            "object" => self.object = map.next_value()?,
            "base_resp" => self.base_resp = map.next_value()?,
            "code" => self.code = map.next_value()?,
            "message" => self.message = map.next_value()?,
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
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            _ => ignore(map)?,
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
            name => keep(&mut self.unknown, name, map)?,
        }
        Ok(())
    }
}

impl Delta {
    /// Whether the delta contains at most the role.
    pub(crate) fn is_void(&self) -> bool {
        self.content.0.is_empty()
            && self.refusal.0.is_none()
            && self.reasoning_content.0.is_none()
            && self.reasoning.0.is_none()
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
            _ => ignore(map)?,
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
            _ => ignore(map)?,
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
    let is_void = matches!(value.as_str(), "null" | "\"\"" | "[]" | "{}");
    if !is_void && !json::is_too_deep(value.as_str().as_bytes()) {
        unknown.0.retain(|(known, _)| known != name);
        unknown.0.push((name.to_owned(), value));
    }
    Ok(())
}

/// Content in pieces, in order. No piece is empty.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Content(pub(crate) Vec<Piece>);

/// A piece of content.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    /// Reasoning, if it is in the list of parts (Mistral).
    Reasoning(String),
    Refusal(String),
    /// An image, as received.
    Image(Value),
}

/// The kind of text in a list of parts.
#[derive(Clone, Copy)]
enum TextKind {
    Answer,
    Reasoning,
}

impl Content {
    fn text(text: String) -> Self {
        let mut content = Self::default();
        content.push(text, TextKind::Answer);
        content
    }

    fn push(&mut self, text: String, kind: TextKind) {
        if text.is_empty() {
            return;
        }
        match (self.0.last_mut(), kind) {
            (Some(Piece::Text(before)), TextKind::Answer)
            | (Some(Piece::Reasoning(before)), TextKind::Reasoning) => before.push_str(&text),
            (_, TextKind::Answer) => self.0.push(Piece::Text(text)),
            (_, TextKind::Reasoning) => self.0.push(Piece::Reasoning(text)),
        }
    }

    /// Adds a text, a part or a list of parts. `serde_json` limits the depth.
    fn take(&mut self, value: Value, kind: TextKind) {
        match value {
            Value::String(text) => self.push(text, kind),
            Value::Array(parts) => {
                for part in parts {
                    self.take(part, kind);
                }
            }
            Value::Object(part) => self.take_part(part, kind),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn take_part(&mut self, mut part: serde_json::Map<String, Value>, kind: TextKind) {
        let of_type = part.get("type").and_then(Value::as_str).unwrap_or_default();
        if of_type == "image_url" || part.contains_key("image_url") {
            self.0.push(Piece::Image(Value::Object(part)));
            return;
        }
        if of_type == "refusal" {
            if let Some(Value::String(text)) = part.remove("refusal") {
                self.0
                    .extend((!text.is_empty()).then_some(Piece::Refusal(text)));
            }
            return;
        }
        let is_reasoning = ["think", "reason", "thought"]
            .iter()
            .any(|word| of_type.contains(word));
        let (kind, names): (_, &[&str]) = if is_reasoning {
            let names = &["thinking", "reasoning", "text", "content", "summary"];
            (TextKind::Reasoning, names)
        } else {
            (kind, &["text", "content"])
        };
        let text = names.iter().find_map(|name| part.remove(*name));
        self.take(text.unwrap_or_default(), kind);
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Contents;

        impl<'de> Visitor<'de> for Contents {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::text(text.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Content, E> {
                Ok(Content::default())
            }

            fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
                Ok(Content::text(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
                Ok(Content::text(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Content, E> {
                Ok(Content::text(number.to_string()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut content = Content::default();
                while let Some(part) = seq.next_element()? {
                    content.take(part, TextKind::Answer);
                }
                Ok(content)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content, A::Error> {
                let part = Value::deserialize(MapAccessDeserializer::new(map))?;
                // Some servers parse the JSON output of the model.
                if !["type", "text", "content"]
                    .iter()
                    .any(|it| part.get(it).is_some())
                {
                    return Ok(Content::text(part.to_string()));
                }
                let mut content = Content::default();
                content.take(part, TextKind::Answer);
                Ok(content)
            }
        }

        deserializer.deserialize_any(Contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(json: &str) -> Vec<Piece> {
        serde_json::from_str::<Content>(json).expect("JSON").0
    }

    #[test]
    fn content_is_parsed_from_a_text_a_part_or_a_list() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let thought = |text: &str| Piece::Reasoning(text.to_owned());
        let cases = [
            (r#""a""#, vec![text("a")]),
            (r#""""#, vec![]),
            ("null", vec![]),
            ("false", vec![]),
            ("7", vec![text("7")]),
            (r#"{"type":"text","text":"a"}"#, vec![text("a")]),
            (r#"{"answer":1}"#, vec![text(r#"{"answer":1}"#)]),
            (r#"["a","b"]"#, vec![text("ab")]),
            (
                r#"[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]},{"type":"text","text":"a"}]"#,
                vec![thought("hm"), text("a")],
            ),
            (
                r#"[{"type":"thinking","thinking":"hm"},{"type":"output_text","text":"a"}]"#,
                vec![thought("hm"), text("a")],
            ),
            (
                r#"[{"type":"reasoning","text":"hm"},{"text":"a"},{"type":"reference","reference_ids":[1]}]"#,
                vec![thought("hm"), text("a")],
            ),
            (
                r#"[{"type":"refusal","refusal":"no"}]"#,
                vec![Piece::Refusal("no".to_owned())],
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(pieces(json), expected, "{json}");
        }
        assert!(matches!(
            pieces(r#"[{"type":"image_url","image_url":{"url":"data:x"}}]"#).as_slice(),
            [Piece::Image(_)]
        ));
    }
}
