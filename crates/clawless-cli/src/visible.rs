//! Text from the server, for a terminal. Names, messages and errors are untrusted: what a terminal would
//! execute, or a reader could not see, is escaped.

use std::fmt::Write as _;

use serde_json::Value;

/// Ranges of invisible characters that count as letters or marks: fillers, joiners and variation selectors.
const INVISIBLE: [(char, char); 9] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{e0100}', '\u{e01ef}'),
];

/// Escapes control characters, line and paragraph separators, bidirectional and other format characters,
/// spaces other than U+0020, and characters that are invisible or not assigned.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_visible(letter) {
            escaped.push(letter);
        } else {
            escaped.extend(letter.escape_default());
        }
    }
    escaped
}

/// The same for text of several lines: line feeds stay.
pub(crate) fn escape_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(escape).collect();
    lines.join("\n")
}

/// JSON on one line, in which such characters are written as `\uXXXX`. It stands for the same value.
pub(crate) fn json(value: &Value) -> String {
    escape_json(&value.to_string())
}

/// The same over several lines, indented.
pub(crate) fn indented_json(value: &Value) -> String {
    escape_json(&format!("{value:#}"))
}

/// Outside of strings, JSON has no character to escape but the line feeds of indented JSON.
fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_visible(letter) || letter == '\n' {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a string can't fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

fn is_visible(letter: char) -> bool {
    if letter.is_ascii() {
        return !letter.is_ascii_control();
    }
    let is_invisible = INVISIBLE
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&letter));
    // The standard library escapes what is not printable. Marks are printable after another letter.
    !is_invisible && format!("a{letter}").escape_debug().count() == 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Characters that terminals execute, or that change or hide what a reader sees.
    const DANGEROUS: [&str; 12] = [
        "\u{0}\u{7}\u{8}\t\n\r\u{1b}\u{7f}",
        "\u{80}\u{85}\u{90}\u{9b}\u{9d}\u{9f}",
        "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}",
        "\u{2066}\u{2067}\u{2068}\u{2069}\u{206a}\u{206f}",
        "\u{2028}\u{2029}",
        "\u{ad}\u{34f}\u{180e}\u{200b}\u{200c}\u{200d}\u{2060}\u{2064}\u{feff}",
        "\u{115f}\u{1160}\u{3164}\u{ffa0}\u{17b4}\u{17b5}\u{2800}",
        "\u{fe00}\u{fe0f}\u{e0100}\u{e01ef}",
        "\u{e0001}\u{e0041}\u{e007f}",
        "\u{a0}\u{1680}\u{2000}\u{202f}\u{205f}\u{3000}",
        "\u{fff9}\u{fffa}\u{fffb}\u{e000}\u{f8ff}\u{10ffff}",
        "\u{1d173}\u{1d17a}\u{110bd}\u{13430}",
    ];

    fn dangerous() -> impl Strategy<Value = char> {
        let all: Vec<char> = DANGEROUS.concat().chars().collect();
        prop_oneof![proptest::sample::select(all), any::<char>()]
    }

    fn hostile_text() -> impl Strategy<Value = String> {
        proptest::collection::vec(dangerous(), 0..40).prop_map(String::from_iter)
    }

    fn is_safe(shown: &str) -> bool {
        let all = DANGEROUS.concat();
        !shown
            .chars()
            .any(|letter| letter.is_control() || all.contains(letter))
    }

    #[test]
    fn every_dangerous_character_is_escaped_and_ordinary_text_is_not() {
        for letter in DANGEROUS.concat().chars() {
            assert!(!is_visible(letter), "{}", letter.escape_unicode());
        }
        for text in [
            "Köln",
            "東京",
            "नमस्ते",
            "e\u{301}",
            "שלום",
            "\"a\\b\" 🎉",
            "{'x': 1}",
        ] {
            assert_eq!(escape(text), text);
        }
        assert_eq!(escape("a\u{202e}b\n"), "a\\u{202e}b\\n");
    }

    proptest! {
        #[test]
        fn shown_text_has_no_character_that_a_terminal_obeys_or_hides(text in hostile_text()) {
            prop_assert!(is_safe(&escape(&text)));
            prop_assert!(is_safe(&escape_lines(&text).replace('\n', "")));
            prop_assert_eq!(escape(&escape(&text)), escape(&text));
        }

        #[test]
        fn shown_json_is_safe_and_stands_for_the_same_value(name in hostile_text(), text in hostile_text()) {
            let mut object = serde_json::Map::new();
            object.insert(name, Value::String(text));
            let value = Value::Object(object);
            let (line, indented) = (json(&value), indented_json(&value));
            prop_assert!(is_safe(&line) && is_safe(&indented.replace('\n', "")));
            prop_assert_eq!(&serde_json::from_str::<Value>(&line).unwrap(), &value);
            prop_assert_eq!(&serde_json::from_str::<Value>(&indented).unwrap(), &value);
        }
    }
}
