//! Where in a JSON text an error occurred.
//!
//! A type that is deserialized through wrappers with its path exists twice in the program, for the path
//! alone. Here the wrappers only count: an error passes one after the other on its way out, and each adds
//! the number of its part. The names are looked up in the text afterwards.

use std::cell::RefCell;
use std::fmt::Write;

/// The numbers of the parts that contain an error, the innermost first: of items in arrays and of members
/// in objects, from 0.
#[derive(Default)]
pub(super) struct Trail(RefCell<Vec<usize>>);

impl Trail {
    /// Adds the part around the last one.
    pub(super) fn add(&self, part: usize) {
        self.0.borrow_mut().push(part);
    }

    /// Forgets an error that was handled.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// The path in the text, such as `tools[0].function`; empty for the whole text.
    pub(super) fn path(&self, text: &str) -> String {
        let mut path = String::new();
        let mut rest = text;
        for &part in self.0.borrow().iter().rev() {
            rest = rest.trim_ascii_start();
            let is_object = rest.starts_with('{');
            rest = rest.get(1..).unwrap_or_default();
            for _ in 0..part {
                rest = after_part(rest);
            }
            if is_object {
                let (name, value) = rest.split_at(end_of_text(rest));
                let name: String = serde_json::from_str(name.trim_ascii()).unwrap_or_default();
                let separator = if path.is_empty() { "" } else { "." };
                path.extend([separator, &name]);
                rest = value
                    .trim_ascii_start()
                    .strip_prefix(':')
                    .unwrap_or_default();
            } else {
                // Writing to a string cannot fail.
                let _ = write!(path, "[{part}]");
            }
        }
        path
    }
}

/// What follows the next comma outside of texts, arrays and objects.
fn after_part(text: &str) -> &str {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                at += end_of_text(text.get(at..).unwrap_or_default());
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
        at += 1;
    }
    ""
}

/// The position behind the first text in quotes, whitespace before it included.
fn end_of_text(json: &str) -> usize {
    let mut bytes = json.bytes().enumerate();
    bytes.find(|(_, byte)| *byte == b'"');
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::Trail;

    #[test]
    fn the_path_is_found_by_the_numbers_of_the_parts() {
        let text = r#" { "a" : [ 1, {"x]":"}\"{,", "b" : {"c\u0064":null, "e" : tr"#;
        for (parts, path) in [
            (&[][..], ""),
            (&[0], "a"),
            (&[0, 0], "a[0]"),
            (&[0, 1, 0], "a[1].x]"),
            (&[0, 1, 1], "a[1].b"),
            (&[0, 1, 1, 0], "a[1].b.cd"),
            (&[0, 1, 1, 1], "a[1].b.e"),
        ] {
            let trail = Trail::default();
            parts.iter().rev().for_each(|part| trail.add(*part));
            assert_eq!(trail.path(text), path);
        }
        let trail = Trail::default();
        trail.add(1);
        assert_eq!(trail.path("[{}, 5]"), "[1]");
        trail.forget();
        assert_eq!(trail.path("[{}, 5]"), "");
    }
}
