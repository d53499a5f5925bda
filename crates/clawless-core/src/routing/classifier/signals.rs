//! Structural signals of a text: program text, identifiers, files, status codes.

/// Score of syntactic signs of program text.
pub(super) fn code_marks(text: &str) -> usize {
    const MARKS: [&str; 18] = [
        "();", "()", "=>", "->", "==", "!=", "+=", "</", "#include", "def ", "fn ", "std::",
        "console.", " = ", "{}", "[]", "SELECT ", "import ",
    ];
    let marks = MARKS.iter().filter(|mark| text.contains(**mark)).count();
    let is_ending = |line: &&str| line.trim_end().ends_with([';', '{', '}']);
    let endings = text.lines().filter(is_ending).count();
    // A name followed directly by a parenthesis is a call; prose has a space between.
    let mut bytes = text.as_bytes().windows(2);
    let has_call =
        bytes.any(|pair| matches!(pair, [before, b'('] if before.is_ascii_alphanumeric()));
    marks + usize::from(endings >= 2) + usize::from(has_call)
}

/// Number of words that look like source files or paths.
pub(super) fn files(text: &str) -> usize {
    const ENDINGS: [&str; 22] = [
        "py", "js", "ts", "tsx", "jsx", "rs", "go", "java", "cpp", "c", "h", "json", "yml", "yaml",
        "toml", "sh", "sql", "css", "html", "php", "rb", "kt",
    ];
    let is_file = |word: &&str| {
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let ending = word.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_some_and(|ending| ENDINGS.contains(&ending))
            || (word.starts_with('/') && word.matches('/').count() >= 2)
    };
    text.split_whitespace().filter(is_file).count()
}

/// Number of words that look like identifiers: `useEffect`, `snake_case`, `TypeError`.
pub(super) fn identifiers(text: &str) -> usize {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| is_identifier(word))
        .count()
}

fn is_identifier(word: &str) -> bool {
    let inner = word.trim_matches('_');
    if inner.contains('_') || word.ends_with("Exception") {
        return true;
    }
    let humps = word
        .as_bytes()
        .windows(2)
        .filter(|pair| matches!(pair, [b'a'..=b'z', b'A'..=b'Z']))
        .count();
    match humps {
        0 => false,
        1 => is_camel_case(word) || (word.len() > 5 && word.ends_with("Error")),
        _ => true,
    }
}

/// Whether a word is like `useEffect`, not like `iPhone` or `macOS`.
fn is_camel_case(word: &str) -> bool {
    let hump = word.find(|c: char| c.is_ascii_uppercase()).unwrap_or(0);
    let after = word.get(hump..).unwrap_or_default();
    hump >= 2 && after.bytes().any(|it| it.is_ascii_lowercase())
}

/// Number of sentences, at least one.
pub(super) fn sentences(text: &str) -> usize {
    text.matches(['.', '?', '!', '。', '？', '！'])
        .count()
        .max(1)
}

/// Number of lines that are items of a list.
pub(super) fn list_items(text: &str) -> usize {
    let is_item = |line: &&str| {
        let line = line.trim_start();
        let after_number = line.trim_start_matches(|c: char| c.is_ascii_digit());
        line.starts_with("- ")
            || line.starts_with("* ")
            || (after_number.len() < line.len() && after_number.starts_with(['.', ')']))
    };
    text.lines().filter(is_item).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_code() {
        assert_eq!(
            identifiers("useEffect snake_case TypeError IndexOutOfBoundsException"),
            4
        );
        assert_eq!(identifiers("iPhone macOS plain HTTP"), 0);
        assert_eq!(files("see src/main.rs and /usr/bin/env, not e.g. that"), 2);
        assert!(code_marks("let x = f(1);\nif (x == 2) {\n}") >= 4);
        assert_eq!(code_marks("Is this (really) true?"), 0);
        assert_eq!(list_items("1. a\n2) b\n- c\nd"), 3);
    }
}
