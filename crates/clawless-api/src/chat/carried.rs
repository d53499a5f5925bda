//! JSON that is carried to a provider as it came: schemas, tools, formats, predictions. It must
//! still be JSON that every parser takes, and little enough that reading it costs little.

use std::fmt;

use clawless_core::chat::ChatOptions;
use clawless_core::{ApiError, ErrorCode, json};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How much of it one request may hold, in bytes. `OpenAI` takes 120,000 characters of names and
/// values in a schema; this leaves room for several, and for the punctuation between.
const MAX_BYTES: usize = 512 * 1024;

/// How many names and values it may have in all. `OpenAI` takes 5,000 properties in a schema.
const MAX_PARTS: usize = 50_000;

/// How deep each may nest. `OpenAI` takes 10 levels of a schema, and each level is two of JSON.
const MAX_LEVELS: usize = 40;

/// Checks all of it in one request.
///
/// # Errors
/// 400 that names the parameter at fault, or the one with which it became too much.
pub(super) fn check(options: &ChatOptions) -> Result<(), ApiError> {
    let plain = [
        ("response_format", &options.response_format),
        ("tool_choice", &options.tool_choice),
        ("function_call", &options.function_call),
        ("audio", &options.audio),
        ("prediction", &options.prediction),
    ];
    let plain = plain.map(|(name, json)| (name, json.as_ref()));
    let extensions = options.extensions.iter();
    let extensions = extensions.map(|(name, value)| (name.as_str(), Some(value)));
    let tools = options.tools.iter().flatten().flat_map(|tool| {
        let parameters = tool.function.as_ref();
        let parameters = parameters.and_then(|function| function.parameters.as_ref());
        [("tools", tool.custom.as_ref()), ("tools", parameters)]
    });
    let older = options.functions.iter().flatten();
    let older = older.map(|function| ("functions", function.parameters.as_ref()));
    let mut left = Left::default();
    for (name, value) in plain
        .into_iter()
        .chain(tools)
        .chain(older)
        .chain(extensions)
    {
        if let Some(value) = value {
            left.take(value.as_str()).map_err(|reason| {
                let message = format!("Invalid `{name}`: {reason}.");
                ApiError::new(ErrorCode::InvalidValue, message).param(name)
            })?;
        }
    }
    Ok(())
}

/// How much more may come.
struct Left {
    bytes: usize,
    parts: usize,
}

impl Default for Left {
    fn default() -> Self {
        Self {
            bytes: MAX_BYTES,
            parts: MAX_PARTS,
        }
    }
}

impl Left {
    /// Reads a text, up to what is left. The error says what is wrong with it.
    fn take(&mut self, text: &str) -> Result<(), String> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or_else(|| {
            format!("the schemas, tools and formats of a request have {MAX_BYTES} bytes at most")
        })?;
        let part = Part {
            left: self,
            levels: MAX_LEVELS,
        };
        part.deserialize(&mut serde_json::Deserializer::from_str(text))
            .map_err(|error| json::error_reason(&error))
    }
}

/// A name or a value, of which nothing is kept.
struct Part<'a> {
    left: &'a mut Left,
    /// How many levels may be below it.
    levels: usize,
}

impl Part<'_> {
    /// A part of this one.
    fn below<E: Error>(&mut self) -> Result<Part<'_>, E> {
        let levels = self
            .levels
            .checked_sub(1)
            .ok_or_else(|| E::custom(format_args!("it nests deeper than {MAX_LEVELS} levels")))?;
        let left = &mut *self.left;
        Ok(Part { left, levels })
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.left.parts = self.left.parts.checked_sub(1).ok_or_else(|| {
            D::Error::custom(format_args!(
                "the schemas, tools and formats of a request have {MAX_PARTS} names and values at most"
            ))
        })?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self.below()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(self.below()?)?.is_some() {
            members.next_value_seed(self.below()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::parse;

    /// A schema of an object with many properties.
    fn wide(properties: usize) -> String {
        let property = |n| format!(r#""p{n}":{{"type":"string"}}"#);
        let properties: Vec<_> = (0..properties).map(property).collect();
        format!(
            r#"{{"type":"object","properties":{{{}}}}}"#,
            properties.join(",")
        )
    }

    fn nested(levels: usize) -> String {
        format!("{}{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn schemas_of_twice_the_usual_limits_are_taken() {
        let mut left = Left::default();
        left.take(&wide(10_000)).expect("10,000 properties");
        left.take(&nested(MAX_LEVELS))
            .expect("20 levels of a schema");
    }

    #[test]
    fn what_is_not_every_parsers_json_is_refused() {
        for bad in ["1e400", r#""\ud800""#, r#"{"\ud800":1}"#, "[1,]"] {
            Left::default().take(bad).expect_err(bad);
        }
    }

    #[test]
    fn a_huge_text_costs_no_more_than_what_is_read_of_it() {
        let (many, deep) = (format!("[{}0]", "0,".repeat(200_000)), nested(100_000));
        for (hostile, most) in [(&*many, MAX_PARTS), (&*deep, MAX_LEVELS + 1)] {
            let mut left = Left::default();
            left.take(hostile).expect_err("too much");
            assert!(
                MAX_PARTS - left.parts <= most,
                "{} parts were read",
                MAX_PARTS - left.parts
            );
        }
        let mut left = Left::default();
        left.take(&" ".repeat(MAX_BYTES + 1)).expect_err("too long");
        assert_eq!(left.parts, MAX_PARTS, "nothing of it was read");
    }

    #[test]
    fn many_schemas_are_as_costly_as_one_large_one() {
        let tool = |n| {
            let parameters = wide(200);
            format!(
                r#"{{"type":"function","function":{{"name":"t{n}","parameters":{parameters}}}}}"#
            )
        };
        let request = |tools: usize| {
            let tools: Vec<_> = (0..tools).map(tool).collect();
            let body = format!(
                r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{}]}}"#,
                tools.join(",")
            );
            parse(body.as_bytes())
        };
        request(60).expect("60 tools of 200 properties");
        let error = request(128).expect_err("128 tools of 200 properties");
        assert_eq!(
            (error.status(), error.param.as_deref()),
            (400, Some("tools"))
        );
        let custom = r#"{"type":"custom","custom":{"name":"c","x":1e400}}"#;
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{custom}]}}"#
        );
        parse(body.as_bytes()).expect_err("custom tools are looked at too");
    }
}
