//! Text as HTML: escaping, and the little Markdown that descriptions use.

/// A text for HTML, also within attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A line of Markdown: code in backticks and bold text.
pub(crate) fn inline(text: &str) -> String {
    let mut html = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            html.extend(["<code>", &escape(part), "</code>"]);
            continue;
        }
        for (at, part) in part.split("**").enumerate() {
            let part = escape(part);
            if at % 2 == 1 {
                html.extend(["<strong>", &part, "</strong>"]);
            } else {
                html.push_str(&part);
            }
        }
    }
    html
}

/// Paragraphs of Markdown.
pub(crate) fn paragraphs(text: &str) -> String {
    let paragraphs = text.trim().split("\n\n").filter(|it| !it.is_empty());
    let lines = paragraphs.map(|paragraph| inline(&paragraph.replace('\n', " ")));
    lines
        .flat_map(|line| ["<p>".to_owned(), line, "</p>".to_owned()])
        .collect()
}

/// JSON with marks for names, texts and other values, which the style colours.
pub(crate) fn json(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let (before, from) = rest.split_at(start);
        html.push_str(&escape(before));
        let end = end_of_string(from);
        let (token, after) = from.split_at(end);
        let mark = if after.trim_start().starts_with(':') {
            "b"
        } else {
            "i"
        };
        html.extend(["<", mark, ">", &escape(token), "</", mark, ">"]);
        rest = after;
    }
    html + &escape(rest)
}

/// The length of the JSON string that a text begins with.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_escaped_and_marked() {
        assert_eq!(
            inline("Send `a<b>` **now** & \"then\"."),
            "Send <code>a&lt;b&gt;</code> <strong>now</strong> &amp; &quot;then&quot;."
        );
    }

    #[test]
    fn names_and_texts_of_json_are_marked() {
        assert_eq!(
            json(r#"{"a\"": "<", "n": 1}"#),
            r"{<b>&quot;a\&quot;&quot;</b>: <i>&quot;&lt;&quot;</i>, <b>&quot;n&quot;</b>: 1}"
        );
    }
}
