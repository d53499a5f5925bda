//! The content of a message: a text, a part, or a list of parts of many types.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

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
    /// A part without text: a reference, a recording, encrypted reasoning. As received.
    Other(Value),
}

/// The kind of text in a list of parts.
#[derive(Clone, Copy)]
enum TextKind {
    Answer,
    Reasoning,
}

impl Content {
    /// The texts of all pieces; `None` if there are none.
    pub(crate) fn into_text(self) -> Option<String> {
        let texts = self.0.into_iter().filter_map(|piece| match piece {
            Piece::Text(text) | Piece::Reasoning(text) => Some(text),
            Piece::Refusal(_) | Piece::Image(_) | Piece::Other(_) => None,
        });
        let text: String = texts.collect();
        (!text.is_empty()).then_some(text)
    }

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
        let is_image = matches!(of_type, "image_url" | "output_image" | "image");
        if is_image || part.contains_key("image_url") {
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
        match names.iter().find_map(|name| part.remove(*name)) {
            Some(text) => self.take(text, kind),
            None if part.len() > 1 => self.0.push(Piece::Other(Value::Object(part))),
            None => {}
        }
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
                r#"[{"type":"reasoning","text":"hm"},{"text":"a"}]"#,
                vec![thought("hm"), text("a")],
            ),
            (
                r#"[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"type":"text","text":null},{"type":"text"}]"#,
                vec![thought("hm")],
            ),
            (
                r#"{"type":"message","content":[{"type":"output_text","text":"a","annotations":[]}]}"#,
                vec![text("a")],
            ),
            (r#"{"type":"thinking","thinking":""}"#, vec![]),
            (
                r#"[{"type":"refusal","refusal":"no"}]"#,
                vec![Piece::Refusal("no".to_owned())],
            ),
        ];
        for (json, expected) in cases {
            assert_eq!(pieces(json), expected, "{json}");
        }
        for part in [
            r#"{"type":"image_url","image_url":{"url":"data:x"}}"#,
            r#"{"type":"output_image","image":"data:x"}"#,
            r#"{"image_url":"data:x"}"#,
        ] {
            assert!(
                matches!(pieces(&format!("[{part}]")).as_slice(), [Piece::Image(_)]),
                "{part}"
            );
        }
        for part in [
            r#"{"type":"reference","reference_ids":[1]}"#,
            r#"{"type":"audio","audio":{"data":"AA=="}}"#,
            r#"{"type":"video_url","video_url":{"url":"data:x"}}"#,
            r#"{"type":"redacted_thinking","data":"x"}"#,
            r#"{"type":"tool_use","id":"a","name":"f","input":{}}"#,
        ] {
            assert!(
                matches!(pieces(&format!("[{part}]")).as_slice(), [Piece::Other(_)]),
                "{part}"
            );
        }
    }
}
