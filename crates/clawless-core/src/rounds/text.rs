//! The text of several rounds as one.

/// Separates the texts of two rounds.
pub(super) const SEPARATOR: &str = "\n\n";

/// Appends the text of a round to the text of the rounds before.
pub fn join(text: &mut Option<String>, more: Option<&str>) {
    let Some(more) = more.filter(|more| !more.is_empty()) else {
        return;
    };
    let text = text.get_or_insert_default();
    if !text.is_empty() {
        text.push_str(SEPARATOR);
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_texts_add_no_separator() {
        let mut text = None;
        for more in [None, Some("a"), Some(""), Some("b")] {
            join(&mut text, more);
        }
        assert_eq!(text.as_deref(), Some("a\n\nb"));
    }
}
