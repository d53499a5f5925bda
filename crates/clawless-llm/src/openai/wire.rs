//! What comes back, as it stands on the wire. Lenient where servers differ, strict where a
//! mistake would lose a part of the answer.

use std::fmt;

use clawless_core::json::Json;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One chunk of a stream, or a whole answer: they differ in `delta` and `message` alone.
#[derive(Deserialize)]
pub(crate) struct Envelope {
    #[serde(default)]
    pub(crate) id: Lenient,
    #[serde(default)]
    pub(crate) choices: Option<Vec<Choice>>,
    /// Read on its own: bad usage must not spoil a good answer.
    #[serde(default)]
    pub(crate) usage: Option<Json>,
    /// Present and not null where the server reports an error.
    #[serde(default)]
    pub(crate) error: Option<Json>,
    /// `error` in the older form of some servers, whose message stands beside it.
    #[serde(default)]
    pub(crate) object: Lenient,
}

#[derive(Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    pub(crate) index: Option<u32>,
    #[serde(default)]
    pub(crate) delta: Option<Delta>,
    #[serde(default)]
    pub(crate) message: Option<Delta>,
    #[serde(default)]
    pub(crate) finish_reason: Option<String>,
    #[serde(default)]
    pub(crate) logprobs: Option<Json>,
}

#[derive(Deserialize)]
pub(crate) struct Delta {
    #[serde(default)]
    pub(crate) content: Option<String>,
    #[serde(default)]
    pub(crate) refusal: Lenient,
    #[serde(default)]
    pub(crate) reasoning_content: Lenient,
    /// The other name of `reasoning_content`.
    #[serde(default)]
    pub(crate) reasoning: Lenient,
    #[serde(default)]
    pub(crate) tool_calls: Option<Vec<ToolCall>>,
    /// A call in the older form.
    #[serde(default)]
    pub(crate) function_call: Option<Function>,
}

#[derive(Deserialize, Default)]
pub(crate) struct ToolCall {
    #[serde(default)]
    pub(crate) index: Option<i64>,
    #[serde(default)]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) function: Option<Function>,
    /// A call of a custom tool.
    #[serde(default)]
    pub(crate) custom: Option<Custom>,
}

#[derive(Deserialize)]
pub(crate) struct Custom {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) input: Option<String>,
}

#[derive(Deserialize, Default)]
pub(crate) struct Function {
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) arguments: Option<Arguments>,
}

/// A call's arguments: JSON text, or from some servers the JSON itself.
#[derive(Deserialize)]
#[serde(from = "Json")]
pub(crate) struct Arguments(pub(crate) String);

impl From<Json> for Arguments {
    fn from(json: Json) -> Self {
        Self(json.read().unwrap_or_else(|_| json.as_str().to_owned()))
    }
}

/// A text, or nothing where something else stands in its place.
#[derive(Default)]
pub(crate) struct Lenient(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Lenient;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Lenient, E> {
                Ok(Lenient((!text.is_empty()).then(|| text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Lenient, E> {
                Ok(Lenient(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lenient, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lenient, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Lenient(None))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}
