//! Limits for JSON that is sent to providers unparsed: schemas, tools, formats, predictions. It must
//! be valid for every JSON parser, and cheap to check.

use std::fmt;

use clawless_core::chat::ChatOptions;
use clawless_core::json::Json;
use clawless_core::{ApiError, ErrorCode, json};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The maximum size in one request, in bytes. `OpenAI` allows 120,000 characters of names and values
/// in a schema; this allows several schemas, with punctuation.
const MAX_BYTES: usize = 512 * 1024;

/// The maximum number of names and values in one request. `OpenAI` allows 5,000 properties in a
/// schema.
const MAX_NODES: usize = 50_000;

/// The maximum nesting depth. `OpenAI` allows 10 levels of a schema, each of which is two of JSON.
const MAX_LEVELS: usize = 40;

/// Checks all unparsed JSON of a request.
///
/// # Errors
/// 400 that names the parameter that is invalid or exceeds a limit.
pub(crate) fn check(options: &ChatOptions) -> Result<(), ApiError> {
    check_shapes(options)?;
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
        let json = [tool.custom.as_ref(), parameters, tool.cache_mark()];
        json.map(|json| ("tools", json))
    });
    let legacy = options.functions.iter().flatten();
    let legacy = legacy.map(|function| ("functions", function.parameters.as_ref()));
    let mut budget = Budget::default();
    for (name, value) in plain
        .into_iter()
        .chain(tools)
        .chain(legacy)
        .chain(extensions)
    {
        if let Some(value) = value {
            budget.check(value.as_str()).map_err(|reason| {
                let message = format!("Invalid `{name}`: {reason}.");
                ApiError::new(ErrorCode::InvalidValue, message).param(name)
            })?;
        }
    }
    Ok(())
}

/// Rejects values that are no objects where the API has an object. A choice may be a text, too.
fn check_shapes(options: &ChatOptions) -> Result<(), ApiError> {
    let object = |name: &str, json: Option<&Json>, or_text: bool| {
        let Some(json) = json else { return Ok(()) };
        let (expected, is_valid) = match json.as_str().as_bytes().first() {
            Some(b'{') => return Ok(()),
            first if or_text => ("a string or an object", first == Some(&b'"')),
            _ => ("an object", false),
        };
        if is_valid {
            return Ok(());
        }
        let message = format!("Invalid `{name}`: expected {expected}.");
        Err(ApiError::new(ErrorCode::InvalidType, message).param(name))
    };
    object("response_format", options.response_format.as_ref(), false)?;
    object("tool_choice", options.tool_choice.as_ref(), true)?;
    object("function_call", options.function_call.as_ref(), true)?;
    object("audio", options.audio.as_ref(), false)?;
    object("prediction", options.prediction.as_ref(), false)?;
    for (position, tool) in options.tools.iter().flatten().enumerate() {
        let custom = format!("tools[{position}].custom");
        object(&custom, tool.custom.as_ref(), false)?;
        let function = tool.function.as_ref();
        let parameters = format!("tools[{position}].function.parameters");
        object(
            &parameters,
            function.and_then(|it| it.parameters.as_ref()),
            false,
        )?;
    }
    for (position, function) in options.functions.iter().flatten().enumerate() {
        let parameters = format!("functions[{position}].parameters");
        object(&parameters, function.parameters.as_ref(), false)?;
    }
    Ok(())
}

/// The remaining budget of a request.
struct Budget {
    bytes: usize,
    nodes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: MAX_BYTES,
            nodes: MAX_NODES,
        }
    }
}

impl Budget {
    /// Checks a text within the remaining budget. The error is the reason for the client.
    fn check(&mut self, text: &str) -> Result<(), String> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or_else(|| {
            format!("the schemas, tools and formats of a request have {MAX_BYTES} bytes at most")
        })?;
        let root = Node {
            budget: self,
            levels: MAX_LEVELS,
        };
        root.deserialize(&mut serde_json::Deserializer::from_str(text))
            .map_err(|error| json::error_reason(&error))
    }
}

/// A name or value, which is checked and discarded.
struct Node<'a> {
    budget: &'a mut Budget,
    /// The number of levels allowed below.
    levels: usize,
}

impl Node<'_> {
    /// A node one level below.
    fn child<E: Error>(&mut self) -> Result<Node<'_>, E> {
        let levels = self
            .levels
            .checked_sub(1)
            .ok_or_else(|| E::custom(format_args!("it nests deeper than {MAX_LEVELS} levels")))?;
        let budget = &mut *self.budget;
        Ok(Node { budget, levels })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.budget.nodes = self.budget.nodes.checked_sub(1).ok_or_else(|| {
            D::Error::custom(format_args!(
                "the schemas, tools and formats of a request have {MAX_NODES} names and values at most"
            ))
        })?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
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
        while items.next_element_seed(self.child()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(self.child()?)?.is_some() {
            members.next_value_seed(self.child()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn schemas_of_twice_the_usual_limits_are_accepted() {
        let mut budget = Budget::default();
        budget.check(&wide(10_000)).expect("10,000 properties");
        budget
            .check(&nested(MAX_LEVELS))
            .expect("20 levels of a schema");
    }

    #[test]
    fn json_that_some_parsers_reject_is_invalid() {
        for invalid in ["1e400", r#""\ud800""#, r#"{"\ud800":1}"#, "[1,]"] {
            Budget::default().check(invalid).expect_err(invalid);
        }
    }

    #[test]
    fn huge_text_is_read_only_within_the_budget() {
        let (many, deep) = (format!("[{}0]", "0,".repeat(200_000)), nested(100_000));
        for (hostile, max) in [(&*many, MAX_NODES), (&*deep, MAX_LEVELS + 1)] {
            let mut budget = Budget::default();
            budget.check(hostile).expect_err("too much");
            assert!(
                MAX_NODES - budget.nodes <= max,
                "{} nodes were read",
                MAX_NODES - budget.nodes
            );
        }
        let mut budget = Budget::default();
        budget
            .check(&" ".repeat(MAX_BYTES + 1))
            .expect_err("too long");
        assert_eq!(budget.nodes, MAX_NODES, "nothing was read");
    }
}
