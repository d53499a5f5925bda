//! Splits a message into the instruction and the data that was pasted with it.

/// Bytes of the instruction that are read, at its beginning and at its end.
const MAX_INSTRUCTION_BYTES: usize = 1_200;

/// Bytes of pasted data that are read.
const MAX_DATA_BYTES: usize = 1_600;

/// Length in bytes from which the middle paragraphs of a text count as pasted data.
const LONG_TEXT_BYTES: usize = 700;

/// Length in bytes of the paragraphs at both ends of a long text that are instruction.
const EDGE_BYTES: usize = 500;

/// A message, split by purpose. Both parts are bounded samples of long texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// What the user asks for.
    pub(super) instruction: String,
    /// What the user pasted: code blocks, quotes, logs, the middle of a long text.
    pub(super) data: String,
    /// Bytes of pasted data before it was sampled.
    pub(super) data_bytes: usize,
    /// Whether the message has a fenced code block.
    pub(super) has_fence: bool,
}

impl Split {
    pub(super) fn new(text: &str) -> Self {
        let mut split = Self::default();
        let mut instruction = String::new();
        let mut in_fence = false;
        for line in text.lines() {
            let trimmed = line.trim_start();
            if is_fence(trimmed) {
                in_fence = !in_fence;
                split.has_fence |= trimmed.starts_with("```");
                continue;
            }
            if in_fence || is_quoted(trimmed) {
                split.add_data(line);
            } else {
                instruction.push_str(line);
                instruction.push('\n');
            }
        }
        if instruction.len() > LONG_TEXT_BYTES {
            split.move_middle(&instruction);
        } else {
            split.instruction = instruction;
        }
        split.instruction = sample(&split.instruction, MAX_INSTRUCTION_BYTES);
        split
    }

    fn add_data(&mut self, line: &str) {
        self.data_bytes += line.len() + 1;
        if self.data.len() < MAX_DATA_BYTES {
            self.data.push_str(prefix(line, MAX_DATA_BYTES));
            self.data.push('\n');
        }
    }

    /// Keeps the paragraphs at both ends of a long text; the others are data.
    fn move_middle(&mut self, text: &str) {
        let paragraphs: Vec<&str> = text
            .split("\n\n")
            .filter(|it| !it.trim().is_empty())
            .collect();
        let count = paragraphs.len();
        for (index, paragraph) in paragraphs.into_iter().enumerate() {
            if index != 0 && index + 1 != count {
                self.add_data(paragraph);
                continue;
            }
            let head = prefix(paragraph, EDGE_BYTES);
            self.instruction.push_str(head);
            self.instruction.push('\n');
            let rest = paragraph.get(head.len()..).unwrap_or_default();
            let tail = suffix(rest, EDGE_BYTES / 2);
            let middle = rest.get(..rest.len() - tail.len()).unwrap_or_default();
            if !middle.is_empty() {
                self.add_data(middle);
            }
            self.instruction.push_str(tail);
            self.instruction.push('\n');
        }
    }
}

fn is_fence(line: &str) -> bool {
    line.starts_with("```") || line.starts_with("~~~") || line.trim_end() == "\"\"\""
}

/// Whether a line is quoted, or is a line of a log: it starts with a date or time.
fn is_quoted(line: &str) -> bool {
    let digits = line.bytes().take(10).filter(u8::is_ascii_digit).count();
    let starts_with_time = digits >= 4
        && line
            .bytes()
            .take(10)
            .filter(|it| matches!(it, b'-' | b':' | b'/' | b'.'))
            .count()
            >= 2;
    line.starts_with('>') || (starts_with_time && line.len() > 30)
}

/// The beginning and the end of a long text, or a short text unchanged.
fn sample(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    format!("{}\n{}", prefix(text, most / 2), suffix(text, most / 2))
}

/// At most so many bytes at the beginning of a text.
pub(super) fn prefix(text: &str, bytes: usize) -> &str {
    let end = text.floor_char_boundary(bytes.min(text.len()));
    text.get(..end).unwrap_or_default()
}

fn suffix(text: &str, bytes: usize) -> &str {
    let begin = text.ceil_char_boundary(text.len().saturating_sub(bytes));
    text.get(begin..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_quotes_and_logs_are_data() {
        let split = Split::new(
            "Why does it fail?\n```rust\nfn main() {}\n```\n> an old mail\n2026-11-29 10:00:01 ERROR upstream timed out after 30 s\nThanks",
        );
        assert_eq!(split.instruction, "Why does it fail?\nThanks\n");
        assert!(split.data.contains("fn main") && split.data.contains("upstream timed out"));
        assert!(split.has_fence);
    }

    #[test]
    fn the_ends_of_a_long_text_are_the_instruction() {
        let middle = "The delivery arrived late.\n".repeat(60);
        let split = Split::new(&format!("Summarise this mail.\n\n{middle}\n\nIn one line."));
        let lines: Vec<&str> = split.instruction.split_whitespace().collect();
        assert_eq!(lines.join(" "), "Summarise this mail. In one line.");
        assert!(split.data_bytes > 1_500 && split.data.len() <= 2 * MAX_DATA_BYTES);
    }

    #[test]
    fn any_text_can_be_split() {
        for text in [
            "",
            "\n",
            "```",
            "漢",
            &"漢".repeat(9_000),
            &"a\n\n".repeat(9_000),
        ] {
            let split = Split::new(text);
            assert!(
                split.instruction.len() <= 2 * MAX_INSTRUCTION_BYTES,
                "{}",
                text.len()
            );
        }
    }
}
