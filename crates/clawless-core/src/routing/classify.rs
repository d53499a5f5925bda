//! Classifies requests by word lists and counts: deterministic and in microseconds. A wrong class
//! selects a more or less capable model, with no other effect. `data/queries.tsv` contains labelled
//! requests; half of them were not used when the words were chosen.

use super::demands::{DEMANDING, DEMANDING_JAPANESE, SMALL, WEIGHTY};
use super::vocabulary::{CODE_ONLY, CODING, CODING_JAPANESE, CREATION, TECHNOLOGY};
use crate::chat::{Content, Message, MessageView, Part, Role};
use crate::model::ModelRole;

/// Bytes that are inspected at the beginning and at the end of a request.
const INSPECTED_BYTES: usize = 4096;

/// Length in bytes from which a text is a task, not a question.
const LONG_BYTES: usize = 600;

/// Length in bytes from which a text may be a task.
const MEDIUM_BYTES: usize = 180;

/// Number of words from which a request is rarely for a fact.
const SOME_WORDS: usize = 16;
/// Number of words from which a request is almost never for a fact.
const MANY_WORDS: usize = 26;

/// The kind of answer that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryClass {
    /// A fact, a phrase, small talk.
    Simple,
    /// Reasoning or a long text.
    Complex,
    /// Code, or an explanation of code.
    Code,
    /// Analysis of an image.
    Vision,
}

impl QueryClass {
    /// The model role for the class.
    pub const fn role(self) -> ModelRole {
        match self {
            Self::Simple => ModelRole::Fast,
            Self::Complex => ModelRole::Smart,
            Self::Code => ModelRole::Code,
            Self::Vision => ModelRole::Vision,
        }
    }

    /// The name of the class in labelled data and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Complex => "complex",
            Self::Code => "code",
            Self::Vision => "vision",
        }
    }
}

/// Classifies a conversation by its last user message.
pub fn classify(messages: &[Message]) -> QueryClass {
    let last = messages.iter().rev().find(|it| it.role() == Role::User);
    let Some(view) = last.and_then(|message| message.view().ok()) else {
        return QueryClass::Simple;
    };
    if contains_image(&view) {
        return QueryClass::Vision;
    }
    let texts: Vec<&str> = view.content.iter().flat_map(Content::texts).collect();
    classify_text(&texts.join("\n"))
}

fn contains_image(view: &MessageView) -> bool {
    match &view.content {
        Some(Content::Parts(parts)) => parts.iter().any(|it| matches!(it, Part::Image(_))),
        _ => false,
    }
}

/// Classifies a text without images.
pub fn classify_text(text: &str) -> QueryClass {
    let text_sample = sample(text);
    let lower = text_sample.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '+' | '#' | '-' | '_')))
        .filter(|word| !word.is_empty())
        .collect();
    let length = words.len();
    // A compound is matched as a whole and by its parts.
    let parts = words.iter().filter(|word| word.contains('-'));
    let parts: Vec<&str> = parts.flat_map(|word| word.split('-')).collect();
    let words = [words, parts].concat();
    let count = |list: &[&str]| words.iter().filter(|word| matches_word(list, word)).count();
    let found = |list: &[&str]| list.iter().filter(|it| lower.contains(**it)).count();

    let technology = count(TECHNOLOGY) + usize::from(names_go(&text_sample));
    let coding = count(CODING) + 2 * found(CODING_JAPANESE);
    let looks_like_code = code_marks(&text_sample);
    let creation = count(CREATION);
    let code_only = count(CODE_ONLY);
    let underscored = words.iter().filter(|word| word.contains('_')).count();
    let identifying =
        identifiers(&text_sample) + underscored + 2 * files(&text_sample) + 2 * statuses(&words);
    let code = 2 * looks_like_code + technology + coding + identifying;
    let is_code = code_only >= 1
        || (code >= 2
            && (looks_like_code >= 1 || technology >= 1 || coding >= 2 || identifying >= 3))
        || (technology >= 1 && creation >= 1);
    let is_code = is_code && !is_prose(&words);
    if is_code {
        return QueryClass::Code;
    }

    let demanding = count(DEMANDING) + found(DEMANDING_JAPANESE);
    let weighty = count(WEIGHTY);
    let sentences = text_sample.matches(['.', '?', '!', '。', '？']).count();
    let mut score = 2 * demanding + weighty;
    score += match (text.len(), length) {
        (LONG_BYTES.., _) => 3,
        (_, MANY_WORDS..) => 2,
        (MEDIUM_BYTES.., _) | (_, SOME_WORDS..) => 1,
        _ => 0,
    };
    score += usize::from(sentences >= 3);
    score += usize::from(text_sample.matches(',').count() >= 3);
    score = score.saturating_sub(2 * count(SMALL));
    let is_demanding = demanding >= 1 && (length >= 6 || found(DEMANDING_JAPANESE) >= 1);
    if score >= 3 || is_demanding {
        return QueryClass::Complex;
    }
    QueryClass::Simple
}

/// The beginning and the end of a long text, or a short text unchanged.
fn sample(text: &str) -> String {
    if text.len() <= 2 * INSPECTED_BYTES {
        return text.to_owned();
    }
    let begin = text.get(..text.floor_char_boundary(INSPECTED_BYTES));
    let end = text.get(text.ceil_char_boundary(text.len() - INSPECTED_BYTES)..);
    format!("{}\n{}", begin.unwrap_or_default(), end.unwrap_or_default())
}

fn matches_word(list: &[&str], word: &str) -> bool {
    list.iter().any(|entry| match entry.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => *entry == word,
    })
}

/// Number of syntactic signs of program text.
fn code_marks(text: &str) -> usize {
    const MARKS: [&str; 17] = [
        "```", "();", "()", "=>", "->", "==", "!=", "+=", "</", "#include", "def ", "fn ", "std::",
        "console.", " = ", "{}", "[]",
    ];
    let marks = MARKS.iter().filter(|mark| text.contains(**mark)).count();
    let upper = text.contains("SELECT ") || text.contains("CREATE TABLE");
    let is_ending = |line: &&str| line.trim_end().ends_with([';', '{', '}']);
    let endings = text.lines().filter(is_ending).count();
    // A name followed directly by a parenthesis is a call; prose has a space between.
    let bytes = text.as_bytes().windows(2);
    let calls = bytes
        .filter(|pair| matches!(pair, [before, b'('] if before.is_ascii_alphanumeric()))
        .count();
    marks + usize::from(upper) + usize::from(endings >= 2) + usize::from(calls >= 1)
}

/// Whether the language Go is named; its name is also a common word.
fn names_go(text: &str) -> bool {
    text.match_indices("in Go").any(|(at, found)| {
        let next = text.get(at + found.len()..).unwrap_or_default();
        !next.starts_with(|c: char| c.is_alphanumeric())
    })
}

/// Number of words that look like source files or paths.
fn files(text: &str) -> usize {
    const ENDINGS: [&str; 16] = [
        "py", "js", "ts", "tsx", "rs", "go", "java", "cpp", "json", "yml", "yaml", "toml", "sh",
        "sql", "sock", "csv",
    ];
    let is_file = |word: &&str| {
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let ending = word.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_some_and(|ending| ENDINGS.contains(&ending))
            || (word.starts_with('/') && word.matches('/').count() >= 2)
    };
    text.split_whitespace().filter(is_file).count()
}

/// Number of error and status codes, such as `error 403` or `exit code 137`.
fn statuses(words: &[&str]) -> usize {
    const BEFORE: [&str; 8] = [
        "error", "erreur", "fehler", "errore", "code", "status", "exit", "http",
    ];
    let is_status = |pair: &&[&str]| matches!(pair, [before, number] if BEFORE.contains(before) && number.len() == 3 && number.bytes().all(|it| it.is_ascii_digit()));
    words.windows(2).filter(is_status).count()
}

/// Score of words that look like identifiers: an upper-case letter after a lower-case one, more than
/// once, or in a word that starts in lower case or ends like an error type.
fn identifiers(text: &str) -> usize {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let humps = word
                .as_bytes()
                .windows(2)
                .filter(|pair| matches!(pair, [b'a'..=b'z', b'A'..=b'Z']))
                .count();
            let is_error = word.ends_with("Error") || word.ends_with("Exception");
            match humps {
                0 => 0,
                _ if is_error => 3,
                1 if is_camel_case(word) => 2,
                1 => 0,
                _ => 1,
            }
        })
        .sum()
}

/// Whether a word is like `useEffect`, not like `iPhone` or `macOS`.
fn is_camel_case(word: &str) -> bool {
    let hump = word.find(|c: char| c.is_ascii_uppercase()).unwrap_or(0);
    let after = word.get(hump..).unwrap_or_default();
    hump >= 2 && after.bytes().any(|it| it.is_ascii_lowercase())
}

/// Whether the text requests prose, even if it contains programming terms.
fn is_prose(words: &[&str]) -> bool {
    const PROSE: [&str; 6] = ["essay", "poem", "history", "invented", "story", "ethics"];
    words.iter().any(|word| PROSE.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    /// Labelled requests: class, language and text.
    fn labelled() -> Vec<(&'static str, &'static str, &'static str)> {
        parse(include_str!("../../data/queries.tsv"))
    }

    fn parse(table: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
        table
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| {
                let mut fields = line.splitn(3, '\t');
                let mut next = || fields.next().expect("three fields");
                (next(), next(), next())
            })
            .collect()
    }

    fn message(text: &str) -> Message {
        let (image, text) = match text.strip_prefix("[image] ") {
            Some(text) => (
                r#"{"type":"image_url","image_url":{"url":"https://x/y.png"}},"#,
                text,
            ),
            None => ("", text),
        };
        let text = Json::from_value(text).expect("JSON");
        let raw = format!(
            r#"{{"role":"user","content":[{image}{{"type":"text","text":{}}}]}}"#,
            text.as_str()
        );
        Message::parse(Json::parse(raw).expect("JSON")).expect("a message")
    }

    /// Accuracy in percent of one half of the data, and its misclassified requests.
    fn accuracy(half: usize) -> (usize, Vec<String>) {
        let all = labelled();
        accuracy_of(&all.into_iter().skip(half).step_by(2).collect::<Vec<_>>())
    }

    fn accuracy_of(half: &[(&str, &str, &str)]) -> (usize, Vec<String>) {
        let wrong: Vec<String> = half
            .iter()
            .filter_map(|(class, language, text)| {
                let found = classify(&[message(text)]).as_str();
                (found != *class).then(|| format!("{class}→{found} [{language}] {text}"))
            })
            .collect();
        ((half.len() - wrong.len()) * 100 / half.len(), wrong)
    }

    #[test]
    fn the_labelled_set_covers_classes_and_languages() {
        let all = labelled();
        assert!(all.len() >= 200, "{}", all.len());
        for class in ["simple", "complex", "code", "vision"] {
            assert!(
                all.iter().filter(|it| it.0 == class).count() >= 20,
                "{class}"
            );
        }
        for language in ["de", "fr", "es", "it", "ja"] {
            assert!(
                all.iter().filter(|it| it.1 == language).count() >= 6,
                "{language}"
            );
        }
    }

    #[test]
    fn accuracy_on_the_tuning_half_is_at_least_90_percent() {
        let (percent, wrong) = accuracy(0);
        println!("tuning half: {percent} % correct: {wrong:#?}");
        assert!(percent >= 90, "{percent} %: {wrong:#?}");
    }

    #[test]
    fn accuracy_on_the_held_out_half_is_at_least_90_percent() {
        let (percent, wrong) = accuracy(1);
        // Print the count only: reading the cases would make them unusable as held-out data.
        println!("held-out half: {percent} % correct, {} wrong", wrong.len());
        assert!(percent >= 90, "{percent} %, {} wrong", wrong.len());
    }

    /// An independent data set measures how well the words generalise. Nothing is tuned on it.
    #[test]
    fn accuracy_on_independent_requests_is_at_least_50_percent() {
        let all = parse(include_str!("../../data/queries-independent.tsv"));
        let (percent, wrong) = accuracy_of(&all);
        println!(
            "independent set: {percent} % of {} correct: {wrong:#?}",
            all.len()
        );
        assert!(percent >= 50, "{percent} %");
    }

    #[test]
    fn every_text_has_a_class() {
        for text in [
            "",
            " ",
            "\u{0}",
            "?",
            &"x".repeat(1 << 20),
            &"\u{6f22}".repeat(10_000),
        ] {
            classify_text(text);
        }
        assert_eq!(classify(&[]), QueryClass::Simple);
    }
}
