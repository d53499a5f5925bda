//! Stop sequences.

use serde::{Deserialize, Deserializer, Serialize};

/// Up to four stop sequences. JSON: a string, or an array of strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Stop(Vec<String>);

impl Stop {
    /// Stop sequences.
    pub const fn new(texts: Vec<String>) -> Self {
        Self(texts)
    }

    /// The stop sequences.
    pub fn texts(&self) -> &[String] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Stop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StopVisitor;

        impl<'de> serde::de::Visitor<'de> for StopVisitor {
            type Value = Stop;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or an array of up to 4 strings")
            }

            fn visit_str<E>(self, text: &str) -> Result<Stop, E> {
                Ok(Stop(vec![text.to_owned()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Stop, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = seq.next_element()? {
                    texts.push(text);
                }
                Ok(Stop(texts))
            }
        }

        deserializer.deserialize_any(StopVisitor)
    }
}
