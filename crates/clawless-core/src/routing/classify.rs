//! What kind of answer a request wants. A table of words and a few counts: deterministic, in
//! microseconds, and wrong now and then, which costs a somewhat better or cheaper model and
//! nothing else. `data/queries.tsv` holds labelled requests; half of them were never looked at
//! when the words were chosen.

use super::demands::{DEMANDING, DEMANDING_JAPANESE, SMALL, WEIGHTY};
use super::vocabulary::{CODING, CODING_JAPANESE, MAKING, PLAINLY_CODE, TECHNOLOGY};
use crate::chat::{Content, Message, MessageView, Part, Role};
use crate::model::ModelRole;

/// How much of a request is looked at, in bytes. What it wants stands at its beginning or its end.
const LOOKED_AT: usize = 4096;

/// A text of this many bytes is a task, not a question.
const LONG: usize = 600;

/// A text of this many bytes may be either.
const LONGISH: usize = 180;

/// From so many words on, a request is rarely for a fact.
const SOME_WORDS: usize = 16;
/// From so many on, hardly ever.
const MANY_WORDS: usize = 26;

/// What kind of answer a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryClass {
    /// A fact, a phrase, small talk.
    Simple,
    /// Thought, or a long text.
    Complex,
    /// A program, or a word on one.
    Code,
    /// A look at an image.
    Vision,
}

impl QueryClass {
    /// The role of the models that answer it.
    pub const fn role(self) -> ModelRole {
        match self {
            Self::Simple => ModelRole::Fast,
            Self::Complex => ModelRole::Smart,
            Self::Code => ModelRole::Code,
            Self::Vision => ModelRole::Vision,
        }
    }

    /// The class's name in the labelled set and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Complex => "complex",
            Self::Code => "code",
            Self::Vision => "vision",
        }
    }
}

/// Classifies a conversation by what its user said last.
pub fn classify(messages: &[Message]) -> QueryClass {
    let last = messages.iter().rev().find(|it| it.role() == Role::User);
    let Some(view) = last.and_then(|message| message.view().ok()) else {
        return QueryClass::Simple;
    };
    if shows_an_image(&view) {
        return QueryClass::Vision;
    }
    let texts: Vec<&str> = view.content.iter().flat_map(Content::texts).collect();
    classify_text(&texts.join("\n"))
}

fn shows_an_image(view: &MessageView) -> bool {
    match &view.content {
        Some(Content::Parts(parts)) => parts.iter().any(|it| matches!(it, Part::Image(_))),
        _ => false,
    }
}

/// Classifies a text without images.
pub fn classify_text(text: &str) -> QueryClass {
    let seen = beginning_and_end(text);
    let lower = seen.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '+' | '#' | '-' | '_')))
        .filter(|word| !word.is_empty())
        .collect();
    let length = words.len();
    // A compound is looked up as a whole and in its parts.
    let parts = words.iter().filter(|word| word.contains('-'));
    let parts: Vec<&str> = parts.flat_map(|word| word.split('-')).collect();
    let words = [words, parts].concat();
    let count = |list: &[&str]| words.iter().filter(|word| holds(list, word)).count();
    let found = |list: &[&str]| list.iter().filter(|it| lower.contains(**it)).count();

    let technology = count(TECHNOLOGY) + usize::from(names_go(&seen));
    let coding = count(CODING) + 2 * found(CODING_JAPANESE);
    let looks_like_code = code_marks(&seen);
    let asked_to_make = count(MAKING);
    let plainly = count(PLAINLY_CODE);
    let underscored = words.iter().filter(|word| word.contains('_')).count();
    let identifying = identifiers(&seen) + underscored + 2 * files(&seen) + 2 * statuses(&words);
    let code = 2 * looks_like_code + technology + coding + identifying;
    let is_code = plainly >= 1
        || (code >= 2
            && (looks_like_code >= 1 || technology >= 1 || coding >= 2 || identifying >= 3))
        || (technology >= 1 && asked_to_make >= 1);
    let is_code = is_code && !is_prose(&words);
    if is_code {
        return QueryClass::Code;
    }

    let demanding = count(DEMANDING) + found(DEMANDING_JAPANESE);
    let weighty = count(WEIGHTY);
    let sentences = seen.matches(['.', '?', '!', '。', '？']).count();
    let mut score = 2 * demanding + weighty;
    score += match (text.len(), length) {
        (LONG.., _) => 3,
        (_, MANY_WORDS..) => 2,
        (LONGISH.., _) | (_, SOME_WORDS..) => 1,
        _ => 0,
    };
    score += usize::from(sentences >= 3);
    score += usize::from(seen.matches(',').count() >= 3);
    score = score.saturating_sub(2 * count(SMALL));
    let is_demanding = demanding >= 1 && (length >= 6 || found(DEMANDING_JAPANESE) >= 1);
    if score >= 3 || is_demanding {
        return QueryClass::Complex;
    }
    QueryClass::Simple
}

/// The beginning and the end of a long text, the whole of a short one.
fn beginning_and_end(text: &str) -> String {
    if text.len() <= 2 * LOOKED_AT {
        return text.to_owned();
    }
    let begin = text.get(..text.floor_char_boundary(LOOKED_AT));
    let end = text.get(text.ceil_char_boundary(text.len() - LOOKED_AT)..);
    format!("{}\n{}", begin.unwrap_or_default(), end.unwrap_or_default())
}

fn holds(list: &[&str], word: &str) -> bool {
    list.iter().any(|entry| match entry.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => *entry == word,
    })
}

/// How many marks of program text there are.
fn code_marks(text: &str) -> usize {
    const MARKS: [&str; 17] = [
        "```", "();", "()", "=>", "->", "==", "!=", "+=", "</", "#include", "def ", "fn ", "std::",
        "console.", " = ", "{}", "[]",
    ];
    let marks = MARKS.iter().filter(|mark| text.contains(**mark)).count();
    let upper = text.contains("SELECT ") || text.contains("CREATE TABLE");
    let is_ending = |line: &&str| line.trim_end().ends_with([';', '{', '}']);
    let endings = text.lines().filter(is_ending).count();
    // A name with its bracket right behind it is a call; prose puts a space between.
    let bytes = text.as_bytes().windows(2);
    let calls = bytes
        .filter(|pair| matches!(pair, [before, b'('] if before.is_ascii_alphanumeric()))
        .count();
    marks + usize::from(upper) + usize::from(endings >= 2) + usize::from(calls >= 1)
}

/// Whether the language is named whose name is a common word.
fn names_go(text: &str) -> bool {
    text.match_indices("in Go").any(|(at, found)| {
        let next = text.get(at + found.len()..).unwrap_or_default();
        !next.starts_with(|c: char| c.is_alphanumeric())
    })
}

/// How many words look like a file of a program, or a path.
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

/// How many codes of errors and statuses are named: `error 403`, `exit code 137`.
fn statuses(words: &[&str]) -> usize {
    const BEFORE: [&str; 8] = [
        "error", "erreur", "fehler", "errore", "code", "status", "exit", "http",
    ];
    let is_status = |pair: &&[&str]| matches!(pair, [before, number] if BEFORE.contains(before) && number.len() == 3 && number.bytes().all(|it| it.is_ascii_digit()));
    words.windows(2).filter(is_status).count()
}

/// How many words look like names in a program: a capital after a small letter, more than once or
/// in a word that begins small or ends like an error.
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
                1 if begins_small(word) => 2,
                1 => 0,
                _ => 1,
            }
        })
        .sum()
}

/// Whether a word is like `useEffect`, and not like `iPhone` or `macOS`.
fn begins_small(word: &str) -> bool {
    let hump = word.find(|c: char| c.is_ascii_uppercase()).unwrap_or(0);
    let after = word.get(hump..).unwrap_or_default();
    hump >= 2 && after.bytes().any(|it| it.is_ascii_lowercase())
}

/// Whether the text asks for prose about a subject, whatever words of the craft are in it.
fn is_prose(words: &[&str]) -> bool {
    const PROSE: [&str; 6] = ["essay", "poem", "history", "invented", "story", "ethics"];
    words.iter().any(|word| PROSE.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    /// A labelled request: its class, its language and its text.
    fn labelled() -> Vec<(&'static str, &'static str, &'static str)> {
        read(include_str!("../../data/queries.tsv"))
    }

    fn read(table: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
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
        let text = Json::of(text).expect("JSON");
        let raw = format!(
            r#"{{"role":"user","content":[{image}{{"type":"text","text":{}}}]}}"#,
            text.as_str()
        );
        Message::parse(Json::parse(raw).expect("JSON")).expect("a message")
    }

    /// The share of a half that is classified as labelled, in percent, and what was not.
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
    fn the_labelled_set_is_large_and_mixed() {
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
    fn nine_in_ten_of_the_half_that_was_tuned_on_are_right() {
        let (percent, wrong) = accuracy(0);
        println!("{percent} % of the half that was tuned on: {wrong:#?}");
        assert!(percent >= 90, "{percent} %: {wrong:#?}");
    }

    #[test]
    fn nine_in_ten_of_the_half_that_was_held_back_are_right() {
        let (percent, wrong) = accuracy(1);
        // Only the count: whoever reads the cases can no longer hold them back.
        println!(
            "{percent} % of the half that was held back, {} wrong",
            wrong.len()
        );
        assert!(percent >= 90, "{percent} %, {} wrong", wrong.len());
    }

    /// An independent set tells how well the words carry over to other people's requests. It is a
    /// measure and not a target: nothing is tuned on it.
    #[test]
    fn requests_by_somebody_else_are_mostly_right() {
        let all = read(include_str!("../../data/queries-independent.tsv"));
        let (percent, wrong) = accuracy_of(&all);
        println!("{percent} % of {} by somebody else: {wrong:#?}", all.len());
        assert!(percent >= 50, "{percent} %");
    }

    #[test]
    fn any_text_has_a_class() {
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
