//! The features of a request: hashed n-grams of words and characters, and structural signals.
//!
//! Each group of n-grams has a total weight that does not depend on the length of the text, so that
//! long texts and short ones are comparable.

use super::signals;
use super::split::{Split, prefix};

/// Number of hash buckets; each has one weight per class.
pub const BUCKETS: usize = 1 << 14;

/// Bytes of the system prompt that are read.
const MAX_SYSTEM_BYTES: usize = 300;

/// Value of a structural signal.
const SIGNAL: f32 = 0.35;

/// What the classifier reads of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestText<'a> {
    /// The last user message.
    pub text: &'a str,
    /// The system prompt, if any.
    pub system: &'a str,
    /// Number of messages before the last user message, without the system prompt.
    pub earlier_messages: usize,
    /// Whether tools are offered.
    pub has_tools: bool,
}

/// A group of n-grams: a namespace of the hash, and the weight of the group.
#[derive(Clone, Copy)]
struct Group {
    namespace: u8,
    weight: f32,
}

impl Group {
    const fn new(namespace: u8, weight: f32) -> Self {
        Self { namespace, weight }
    }
}

const WORDS: Group = Group::new(1, 1.6);
const WORD_PAIRS: Group = Group::new(2, 0.8);
const CHARACTERS: Group = Group::new(3, 2.6);
const OPENING: Group = Group::new(4, 0.9);
const DATA_WORDS: Group = Group::new(5, 1.0);
const SYSTEM_WORDS: Group = Group::new(6, 1.2);
const SIGNALS: u8 = 7;

/// Passes each feature to `emit`: its bucket and its value. A bucket may occur more than once.
pub fn extract(request: &RequestText<'_>, emit: &mut impl FnMut(usize, f32)) {
    let split = Split::new(request.text);
    let instruction = split.instruction.to_lowercase();
    let words = words(&instruction);
    add_group(WORDS, &words, emit);
    let pairs: Vec<u32> = words
        .windows(2)
        .filter_map(|pair| Some(combine(*pair.first()?, *pair.get(1)?)))
        .collect();
    add_group(WORD_PAIRS, &pairs, emit);
    add_group(CHARACTERS, &character_ngrams(&instruction), emit);
    // The first words say most about what is asked.
    let opening: Vec<u32> = words.iter().take(4).copied().collect();
    add_group(OPENING, &opening, emit);
    add_group(DATA_WORDS, &self::words(&split.data.to_lowercase()), emit);
    let system = prefix(request.system, MAX_SYSTEM_BYTES).to_lowercase();
    add_group(SYSTEM_WORDS, &self::words(&system), emit);
    add_signals(request, &split, words.len(), emit);
}

fn add_signals(
    request: &RequestText<'_>,
    split: &Split,
    words: usize,
    emit: &mut impl FnMut(usize, f32),
) {
    let instruction = split.instruction.as_str();
    let counts = [
        ("words", log2(words)),
        ("bytes", log2(instruction.len())),
        ("sentences", signals::sentences(instruction).min(6)),
        (
            "commas",
            instruction.matches([',', '、', '，', ';']).count().min(6),
        ),
        ("items", signals::list_items(instruction).min(4)),
        ("data", log2(split.data_bytes)),
        ("identifiers", signals::identifiers(instruction).min(4)),
        ("files", signals::files(instruction).min(3)),
        ("marks", signals::code_marks(instruction).min(6)),
        ("data marks", signals::code_marks(&split.data).min(8) / 2),
        (
            "digits",
            log2(instruction.bytes().filter(u8::is_ascii_digit).count()),
        ),
        ("earlier", log2(request.earlier_messages)),
    ];
    for (name, count) in counts {
        emit(signal_bucket(name, count), SIGNAL);
    }
    let flags = [
        ("question", ends_with_question(instruction)),
        ("fence", split.has_fence),
        ("tools", request.has_tools),
        ("system", !request.system.is_empty()),
        ("wide", instruction.chars().any(is_wide)),
    ];
    for (name, is_set) in flags {
        emit(signal_bucket(name, usize::from(is_set)), SIGNAL);
    }
}

fn ends_with_question(text: &str) -> bool {
    text.trim_end().ends_with(['?', '？', '؟'])
}

fn signal_bucket(name: &str, count: usize) -> usize {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    bucket(SIGNALS, combine(hash(name.as_bytes()), count))
}

fn add_group(group: Group, hashes: &[u32], emit: &mut impl FnMut(usize, f32)) {
    let count = u16::try_from(hashes.len()).unwrap_or(u16::MAX).max(1);
    let value = group.weight / f32::from(count).sqrt();
    for hash in hashes {
        emit(bucket(group.namespace, *hash), value);
    }
}

/// The hashes of the words. Text without spaces between words gives pairs of characters instead.
fn words(text: &str) -> Vec<u32> {
    let is_separator = |c: char| !(c.is_alphanumeric() || matches!(c, '+' | '#' | '_' | '\''));
    let mut hashes = Vec::new();
    for word in text.split(is_separator).filter(|word| !word.is_empty()) {
        if word.chars().any(is_wide) {
            let characters: Vec<char> = word.chars().collect();
            for pair in characters.windows(2) {
                let text: String = pair.iter().collect();
                hashes.push(hash(text.as_bytes()));
            }
        } else {
            hashes.push(hash(word.as_bytes()));
        }
    }
    hashes
}

/// The hashes of all sequences of three to five characters, and of one to three in scripts without
/// spaces. White space counts as one space.
fn character_ngrams(text: &str) -> Vec<u32> {
    let mut characters = vec![' '];
    for word in text.split_whitespace() {
        characters.extend(word.chars());
        characters.push(' ');
    }
    let mut hashes = Vec::with_capacity(3 * characters.len());
    for start in 0..characters.len() {
        let first = characters.get(start).copied().unwrap_or(' ');
        let lengths = if is_wide(first) { 1..=3 } else { 3..=5 };
        for length in lengths {
            if let Some(ngram) = characters.get(start..start + length) {
                hashes.push(
                    ngram
                        .iter()
                        .fold(SEED, |state, c| step(state, u32::from(*c))),
                );
            }
        }
    }
    hashes
}

/// Whether a character belongs to a script that writes words without spaces.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{0e00}'..='\u{0e7f}')
}

/// The integer part of the binary logarithm, plus one; 0 for 0.
fn log2(count: usize) -> usize {
    (usize::BITS - count.leading_zeros()) as usize
}

/// Offset basis and prime of FNV-1a, 32 bits (RFC 9923).
const SEED: u32 = 0x811c_9dc5;
const PRIME: u32 = 0x0100_0193;

const fn step(state: u32, value: u32) -> u32 {
    (state ^ value).wrapping_mul(PRIME)
}

fn hash(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(SEED, |state, byte| step(state, u32::from(*byte)))
}

const fn combine(first: u32, second: u32) -> u32 {
    step(step(first, second & 0xffff), second >> 16)
}

const fn bucket(namespace: u8, hash: u32) -> usize {
    let mixed = step(hash, namespace as u32);
    // FNV's low bits are weak: fold the high half in.
    ((mixed ^ (mixed >> 15)) as usize) % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(text: &str) -> Vec<(usize, f32)> {
        let mut all = Vec::new();
        let request = RequestText {
            text,
            ..RequestText::default()
        };
        extract(&request, &mut |bucket, value| all.push((bucket, value)));
        all
    }

    #[test]
    fn any_text_has_bounded_features() {
        let long = "漢字かな ".repeat(20_000);
        for text in ["", " ", "\u{0}", "?", &"x".repeat(1 << 20), &long] {
            let all = features(text);
            assert!(!all.is_empty() && all.len() < 20_000, "{}", all.len());
            assert!(
                all.iter()
                    .all(|(bucket, value)| *bucket < BUCKETS && value.is_finite())
            );
        }
    }

    #[test]
    fn the_weight_of_a_group_does_not_depend_on_the_length() {
        let norm = |text| {
            let squares: f32 = features(text).iter().map(|(_, value)| value * value).sum();
            squares.sqrt()
        };
        let (short, long) = (
            norm("what is the time in Lima"),
            norm(&"one two three ".repeat(30)),
        );
        assert!((short - long).abs() < 0.4, "{short} {long}");
    }
}
