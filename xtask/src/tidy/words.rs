//! Words that the style of this repository does without.

use super::source_file::SourceFile;

/// The words, put together here so that this file has none of them.
const WORDS: [&str; 4] = [
    concat!("who", "ever"),
    concat!("no", "body"),
    concat!("an", "ew"),
    concat!("where", "in"),
];

/// Files and folders that quote others: licences, lockfiles, recorded and sampled data.
const QUOTED: [&str; 10] = [
    "LICENSE",
    "NOTICE",
    "Cargo.lock",
    "package-lock.json",
    "crates/clawless-classifier/data/",
    "crates/clawless-core/data/",
    "crates/clawless-llm/tests/estimates/",
    "crates/clawless-llm/tests/streams/",
    "fuzz/Cargo.lock",
    "fuzz/corpus/",
];

/// The places of those words, whole and in any case. An underscore ends a word too: names count.
pub(super) fn unwanted(files: &[SourceFile]) -> Vec<String> {
    files
        .iter()
        .filter(|file| !QUOTED.iter().any(|quoted| file.path.starts_with(quoted)))
        .flat_map(|file| {
            let lines = file.text.lines().enumerate();
            lines.flat_map(move |(index, line)| {
                let words = line.split(|letter: char| !letter.is_alphanumeric());
                words
                    .filter(|word| {
                        WORDS
                            .iter()
                            .any(|unwanted| word.eq_ignore_ascii_case(unwanted))
                    })
                    .map(move |word| format!("{}:{}: {word}: {ADVICE}", file.path, index + 1))
            })
        })
        .collect()
}

const ADVICE: &str = "use a plainer word";

#[cfg(test)]
mod tests {
    use super::{super::source_file::file, *};

    #[test]
    fn an_unwanted_word_is_a_breach_in_prose_and_in_names() {
        for word in WORDS {
            let (capital, name) = (word.to_uppercase(), format!("fn {word}_is_refused() {{}}"));
            for text in [format!("See\n{word}, that."), capital, name] {
                assert_eq!(unwanted(&[file("docs/x.md", &text)]).len(), 1, "{text}");
            }
            assert!(unwanted(&[file("a.rs", &format!("x{word} {word}s"))]).is_empty());
            assert!(unwanted(&[file("LICENSE", word)]).is_empty());
        }
        let found = unwanted(&[file("a.rs", &format!("\n// {}", WORDS[1]))]);
        assert!(found[0].starts_with("a.rs:2: "));
    }
}
