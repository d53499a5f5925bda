//! Unparsed JSON values, checks of untrusted JSON before it is parsed, and its deserialization.

mod reason;
mod strict;
mod trail;

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeSeed;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use reason::error_reason;
use strict::Strict;
use trail::Trail;

/// The maximum nesting depth of a request. Deeper than real schemas, and within the limits of the
/// parsers of providers (`serde_json` stops at 128).
pub const MAX_DEPTH: usize = 96;

/// A JSON value in its original text: member order, whitespace and numbers are preserved.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Parses a text that is one JSON value.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    /// Serializes a value.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Deserializes the JSON. An array is never accepted as an object.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(self.as_str());
        let value = T::deserialize(Strict(&mut deserializer, &Trail::default()))?;
        deserializer.end()?;
        Ok(value)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

/// Whether a JSON text nests deeper than [`MAX_DEPTH`]. Works without recursion, so that hostile
/// input cannot exhaust the stack of a recursive parser.
pub fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The path of the first duplicate member. Works without recursion. The result for invalid JSON is
/// unspecified.
pub fn duplicate_member(text: &str) -> Option<String> {
    /// The members of an object up to here and the last of them; `None` for an array.
    type Level = Option<(BTreeSet<String>, String)>;
    let (mut levels, mut is_name): (Vec<Level>, _) = (Vec::new(), false);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' => {
                levels.push(Some(Default::default()));
                is_name = true;
            }
            b'[' => levels.push(None),
            b'}' | b']' => {
                levels.pop();
            }
            b',' => is_name = matches!(levels.last(), Some(Some(_))),
            b'"' => {
                let start = at - 1;
                while let Some(&byte) = bytes.get(at) {
                    at += 1;
                    match byte {
                        b'"' => break,
                        b'\\' => at += 1,
                        _ => {}
                    }
                }
                if let (true, Some(Some((seen, last)))) = (is_name, levels.last_mut()) {
                    // Compare names after unescaping.
                    let name: String = serde_json::from_str(text.get(start..at)?).ok()?;
                    name.clone_into(last);
                    if !seen.insert(name) {
                        let names = levels.iter().flatten().map(|(_, name)| name.as_str());
                        return Some(names.collect::<Vec<_>>().join("."));
                    }
                    is_name = false;
                }
            }
            _ => {}
        }
    }
    None
}

/// The first member name that writes an ASCII letter, digit or underscore as an escape, such as
/// `"tt\u006c"`. No serializer does that: it hides a member from checks that search the text. The result
/// for invalid JSON is unspecified.
pub fn disguised_name(text: &str) -> Option<&str> {
    /// The beginning of every such escape.
    const PREFIX: &str = "\\u00";
    if !text.contains(PREFIX) {
        return None;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte != b'"' {
            continue;
        }
        let (start, mut is_disguised) = (at, false);
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    is_disguised |= escapes_word_character(text.get(at - 1..));
                    at += 1;
                }
                _ => {}
            }
        }
        let rest = text.get(at..).unwrap_or_default();
        if is_disguised && rest.trim_ascii_start().starts_with(':') {
            return text.get(start..at - 1);
        }
    }
    None
}

/// Whether a text begins with the escape of an ASCII letter, digit or underscore.
fn escapes_word_character(text: Option<&str>) -> bool {
    let digits = text.and_then(|text| text.strip_prefix("\\u")?.get(..4));
    let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    code.is_some_and(|code| code.is_ascii_alphanumeric() || code == b'_')
}

/// A text that is not the expected JSON.
#[derive(Debug)]
pub struct ReadError {
    /// The path of the invalid value, such as `tools[0].function`; empty for the whole text.
    pub path: String,
    source: serde_json::Error,
}

impl ReadError {
    /// Whether the text is valid JSON that has another shape than expected.
    pub fn is_data(&self) -> bool {
        self.source.is_data()
    }

    /// The reason for the client, in the terms of JSON.
    pub fn reason(&self) -> String {
        error_reason(&self.source)
    }

    /// The reason with line and column, for a text that is not valid JSON.
    pub fn reason_with_position(&self) -> String {
        self.source.to_string()
    }
}

/// Deserializes a text that is one JSON value. An array is never accepted as an object.
///
/// # Errors
/// The path and the reason of what is invalid.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    read_seed(text, PhantomData)
}

/// [`read`] with a seed.
///
/// # Errors
/// As [`read`].
pub fn read_seed<'a, S: DeserializeSeed<'a>>(
    text: &'a str,
    seed: S,
) -> Result<S::Value, ReadError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let trail = Trail::default();
    let result = seed.deserialize(Strict(&mut deserializer, &trail));
    let value = result.map_err(|source| ReadError {
        path: trail.path(text),
        source,
    })?;
    deserializer.end().map_err(|source| ReadError {
        path: String::new(),
        source,
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_strings_only() {
        assert!(is_too_deep("[".repeat(100_000).as_bytes()));
        assert!(!is_too_deep(
            format!("[\"{}\"]", "[\\\"".repeat(1000)).as_bytes()
        ));
        assert!(!is_too_deep(
            format!("{}{}", "[".repeat(96), "]".repeat(96)).as_bytes()
        ));
        assert!(is_too_deep(
            format!("{}{}", "[".repeat(97), "]".repeat(97)).as_bytes()
        ));
    }

    #[test]
    fn json_preserves_its_text() {
        let text = r#"{"z":1e2, "a":[1.0]}"#;
        assert_eq!(Json::parse(text.to_owned()).expect("valid").as_str(), text);
    }
}
