//! JSON that is carried and not interpreted, and the checks that untrusted JSON needs before it
//! is parsed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The deepest nesting of arrays and objects that a request may have. Deeper than any real schema,
/// and shallow enough for every parser behind us (`serde_json` itself stops at 128).
pub const MAX_DEPTH: usize = 96;

/// A piece of JSON kept as it was written: member order, spacing and numbers included.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Takes a text that must be one JSON value.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    /// Writes a value as JSON.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// Reads the JSON as a type.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
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

/// Whether a JSON text nests deeper than [`MAX_DEPTH`]. One pass without recursion, so that a
/// hostile text cannot exhaust the stack of the parser that comes after.
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
    fn carried_json_keeps_its_members_in_order() {
        let text = r#"{"z":1e2, "a":[1.0]}"#;
        assert_eq!(Json::parse(text.to_owned()).expect("valid").as_str(), text);
    }
}
