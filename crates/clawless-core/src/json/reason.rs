//! Reasons of parse errors in the terms of JSON. The library's own texts name Rust types.

/// The longest quotation of a client's value, in bytes.
const MAX_QUOTED_BYTES: usize = 100;

/// The reason of a parse error, without line and column.
pub fn error_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text),
        None => &text,
    };
    in_json_terms(text)
}

fn in_json_terms(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        let (found, expected) = rest.rsplit_once(", expected ").unwrap_or((rest, ""));
        return format!("unknown value {}, expected {expected}", shortened(found));
    }
    let Some((found, expected)) = text.rsplit_once(", expected ") else {
        return shortened(text);
    };
    let found = match found.split_once(": ") {
        Some((what @ ("invalid type" | "invalid value"), value)) => {
            format!("{what}: {}", found_value(value))
        }
        _ => shortened(found),
    };
    format!("{found}, expected {}", expected_value(expected))
}

/// A value of the client.
fn found_value(value: &str) -> String {
    if let Some(number) = value.strip_prefix("floating point ") {
        return format!("number {number}");
    }
    match value {
        "sequence" => "array".to_owned(),
        "map" => "object".to_owned(),
        "unit value" | "Option value" => "null".to_owned(),
        _ => shortened(value),
    }
}

fn expected_value(expected: &str) -> String {
    let unsigned = |max: u64| format!("a whole number from 0 to {max}");
    let is_type = |names: &[&str]| names.iter().any(|name| expected.starts_with(name));
    match expected {
        "u8" => unsigned(u8::MAX.into()),
        "u16" => unsigned(u16::MAX.into()),
        "u32" => unsigned(u32::MAX.into()),
        "u64" | "u128" | "usize" => "a whole number from 0".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        "unit" | "option" => "null".to_owned(),
        "enum" => "a string".to_owned(),
        _ if is_type(&["struct ", "internally tagged ", "adjacently tagged "]) => {
            "an object".to_owned()
        }
        _ if is_type(&["enum ", "unit variant ", "variant ", "newtype ", "tuple "]) => {
            "another value".to_owned()
        }
        _ => expected.to_owned(),
    }
}

/// A text of at most [`MAX_QUOTED_BYTES`].
fn shortened(text: &str) -> String {
    if text.len() <= MAX_QUOTED_BYTES {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_QUOTED_BYTES);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_json_types() {
        for (text, expected) in [
            (
                "invalid type: sequence, expected struct Limits",
                "invalid type: array, expected an object",
            ),
            (
                "invalid type: floating point `1.5`, expected u32",
                "invalid type: number `1.5`, expected a whole number from 0 to 4294967295",
            ),
            (
                "invalid type: map, expected a string",
                "invalid type: object, expected a string",
            ),
            (
                "invalid type: string \"a, expected u8\", expected f64",
                "invalid type: string \"a, expected u8\", expected a number",
            ),
            (
                "unknown variant `a`, expected `b` or `c`",
                "unknown value `a`, expected `b` or `c`",
            ),
            ("a text part needs `text`", "a text part needs `text`"),
        ] {
            assert_eq!(in_json_terms(text), expected);
        }
    }

    #[test]
    fn long_values_are_not_repeated() {
        let value = "\u{e9}".repeat(1000);
        for text in [
            format!("invalid type: string {value:?}, expected u8"),
            format!("unknown variant `{value}`, expected `b`"),
        ] {
            assert!(in_json_terms(&text).len() < 200);
        }
    }
}
