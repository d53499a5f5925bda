//! Limits on texts.

/// The beginning of a text with at most `max_bytes`, cut between two characters.
pub(super) fn truncated(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes))
        .unwrap_or(text)
}
