//! Base62: digits, upper case, lower case.

use crate::entropy::Entropy;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The digit for a value modulo 62.
fn digit(value: u32) -> char {
    ALPHABET
        .get((value % 62) as usize)
        .map_or('0', |&byte| char::from(byte))
}

/// Appends `count` uniformly random digits. Bytes of 248 (4 × 62) and above are discarded, because
/// their remainders would favour small digits.
pub(super) fn push_random(text: &mut String, count: usize, entropy: &impl Entropy) {
    let mut missing = count;
    while missing > 0 {
        let uniform = entropy.bytes::<64>().into_iter().filter(|&byte| byte < 248);
        for byte in uniform.take(missing) {
            text.push(digit(u32::from(byte)));
            missing -= 1;
        }
    }
}

/// Appends a number with exactly `width` digits, most significant digit first.
pub(super) fn push_number(text: &mut String, number: u32, width: usize) {
    let mut rest = number;
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        digits.push(digit(rest));
        rest /= 62;
    }
    text.extend(digits.into_iter().rev());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_fixed_width() {
        let mut text = String::new();
        push_number(&mut text, 0, 6);
        push_number(&mut text, 61, 6);
        push_number(&mut text, 62, 6);
        push_number(&mut text, u32::MAX, 6);
        assert_eq!(text, "00000000000z0000104gfFC3");
    }
}
