//! Assembles whole characters from the bytes of tokens, which may end in the middle of one.

/// Holds back the bytes of an unfinished character.
#[derive(Debug, Default)]
pub(crate) struct Utf8Assembler {
    pending: Vec<u8>,
}

impl Utf8Assembler {
    /// Takes a token's bytes and returns the text that is complete with them. Bytes that can never
    /// become a character turn into U+FFFD.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    let Some(broken) = error.error_len() else {
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = rest.get(broken..).unwrap_or_default();
                }
            }
        }
        self.pending = rest.to_vec();
        text
    }

    /// The rest at the end: empty, or one U+FFFD for an incomplete character.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_split_over_tokens_is_returned_whole() {
        let mut utf8 = Utf8Assembler::default();
        let bytes = "a🦀é".as_bytes();
        let parts: Vec<String> = bytes.iter().map(|b| utf8.push(&[*b])).collect();
        assert_eq!(parts, ["a", "", "", "", "🦀", "", "é"]);
        assert_eq!(utf8.finish(), "");
    }

    #[test]
    fn invalid_bytes_are_replaced_and_the_rest_is_decoded() {
        let mut utf8 = Utf8Assembler::default();
        assert_eq!(utf8.push(b"x\xFFy"), "x\u{FFFD}y");
        assert_eq!(utf8.push(b"\xF0\x9F"), "");
        assert_eq!(utf8.push(b"z"), "\u{FFFD}z");
    }

    #[test]
    fn an_unfinished_character_at_the_end_is_replaced() {
        let mut utf8 = Utf8Assembler::default();
        assert_eq!(utf8.push(b"\xF0\x9F"), "");
        assert_eq!(utf8.finish(), "\u{FFFD}");
    }
}
