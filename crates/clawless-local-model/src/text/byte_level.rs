//! The alphabet of byte-level BPE: a printable character represents every byte in the
//! vocabulary. Printable Latin-1 characters represent themselves; the others are numbered from U+0100.

/// Turns vocabulary entries back into bytes.
#[derive(Debug)]
pub(crate) struct ByteLevel {
    /// The byte for each of the characters U+0000 to U+0143.
    bytes: Vec<Option<u8>>,
}

impl ByteLevel {
    pub(crate) fn new() -> Self {
        let mut bytes = vec![None; 0x144];
        let mut next = 0x100_usize;
        for byte in 0..=u8::MAX {
            let stands_for_itself = matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
            let character = if stands_for_itself {
                usize::from(byte)
            } else {
                next += 1;
                next - 1
            };
            if let Some(slot) = bytes.get_mut(character) {
                *slot = Some(byte);
            }
        }
        Self { bytes }
    }

    /// The bytes of a vocabulary entry. Characters outside the alphabet are unchanged.
    pub(crate) fn decode(&self, entry: &str) -> Box<[u8]> {
        let mut out = Vec::with_capacity(entry.len());
        for character in entry.chars() {
            let known = usize::try_from(u32::from(character))
                .ok()
                .and_then(|index| self.bytes.get(index).copied().flatten());
            match known {
                Some(byte) => out.push(byte),
                None => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.into_boxed_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_exactly_one_character() {
        let alphabet = ByteLevel::new();
        let mut seen: Vec<u8> = alphabet.bytes.iter().copied().flatten().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..=u8::MAX).collect::<Vec<_>>());
    }

    #[test]
    fn spaces_newlines_and_partial_characters_are_decoded() {
        let alphabet = ByteLevel::new();
        assert_eq!(&*alphabet.decode("Ġhello"), b" hello");
        assert_eq!(&*alphabet.decode("Ċ"), b"\n");
        assert_eq!(&*alphabet.decode("Ã©"), "é".as_bytes());
    }
}
