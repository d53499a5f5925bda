//! Whether the arguments of a tool call are complete.

/// Follows a JSON object or array through its pieces. Other texts never count as complete.
#[derive(Debug, Default)]
pub(super) struct ArgumentScan {
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    is_complete: bool,
}

impl ArgumentScan {
    /// Adds a piece.
    pub(super) fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    self.is_complete |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether the value has ended.
    pub(super) const fn is_complete(&self) -> bool {
        self.is_complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_complete_at_its_last_bracket() {
        let text = r#" {"a":"}\"}","b":[{}]} "#;
        let end = text.rfind('}').expect("a bracket");
        for at in 0..=text.len() {
            let mut scan = ArgumentScan::default();
            scan.push(&text[..at]);
            scan.push(&text[at..at]);
            assert_eq!(scan.is_complete(), at > end, "{at}");
        }
        let mut scan = ArgumentScan::default();
        scan.push("}\"a\" 5");
        assert!(!scan.is_complete());
    }
}
