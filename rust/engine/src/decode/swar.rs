//! Eight bytes at a time in one `u64`: finding the end of a string, counting and reading digits.
//!
//! Plain integer arithmetic in safe Rust, so the same code runs on every platform. The first byte of the text is the
//! lowest byte of the word. Masks returned here have the high bit of a byte set where that byte matches; only the
//! *first* (lowest) match is exact, later ones may be echoes of a borrow, and callers use only the first.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Eight bytes from `at`, zeros after the end of `bytes`.
#[inline(always)]
pub(super) fn load(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => load_tail(bytes, at),
    }
}

/// The last, incomplete word of a text.
#[inline(never)]
fn load_tail(bytes: &[u8], at: usize) -> u64 {
    let mut word = 0u64;
    for (shift, &byte) in bytes.get(at..).unwrap_or_default().iter().take(8).enumerate() {
        word |= u64::from(byte) << (8 * shift);
    }
    word
}

/// Marks the bytes that end a run of plain characters in a JSON string: `"`, `\` and control characters.
#[inline(always)]
pub(super) fn string_stops(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (control | quote | backslash) & HIGH
}

/// How many bytes lie before the first marked one; 8 if none is marked.
#[inline(always)]
pub(super) fn first_mark(mask: u64) -> usize {
    (mask.trailing_zeros() / 8) as usize
}

/// Value and number of the decimal digits that `word` starts with (0 to 8).
///
/// The digits are moved to the end of the word, so that the zeros that come in stand for leading zeros, and then
/// joined in pairs, fours and eights (the well-known multiply trick, see Daniel Lemire's "Quickly parsing eight
/// digits").
#[inline(always)]
pub(super) fn leading_digits(word: u64) -> (u64, usize) {
    let digits = word ^ (ONES * b'0' as u64);
    // A byte above 9 gets its high bit. Carries go upwards only, past the first such byte.
    let stops = (digits.wrapping_add(ONES * 0x76) | digits) & HIGH;
    let count = first_mark(stops);
    if count == 0 {
        return (0, 0);
    }
    let digits = digits << (64 - 8 * count);
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    const EVERY_FOURTH: u64 = 0x0000_00FF_0000_00FF;
    const HIGH_FOUR: u64 = 100 + (1_000_000 << 32);
    const LOW_FOUR: u64 = 1 + (10_000 << 32);
    let value = (pairs & EVERY_FOURTH)
        .wrapping_mul(HIGH_FOUR)
        .wrapping_add(((pairs >> 16) & EVERY_FOURTH).wrapping_mul(LOW_FOUR))
        >> 32;
    (value & 0xFFFF_FFFF, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_digits_up_to_the_first_other_byte() {
        for (text, value, count) in [
            ("12345678", 12_345_678, 8),
            ("99999999", 99_999_999, 8),
            ("00000001", 1, 8),
            ("7", 7, 1),
            ("42,", 42, 2),
            ("0.5", 0, 1),
            ("", 0, 0),
            ("x123", 0, 0),
            ("1/2", 1, 1),
            ("1:2", 1, 1),
            ("123\u{ff}456", 123, 3),
        ] {
            assert_eq!(leading_digits(load(text.as_bytes(), 0)), (value, count), "{text:?}");
        }
    }

    #[test]
    fn every_byte_is_told_apart_at_every_place() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                let mut text = *b"aaaaaaaa";
                text[place] = byte;
                let stops = byte == b'"' || byte == b'\\' || byte < 0x20;
                let found = first_mark(string_stops(u64::from_le_bytes(text)));
                assert_eq!(found, if stops { place } else { 8 }, "byte {byte:#x} at {place}");

                let mut digits = *b"11111111";
                digits[place] = byte;
                let expected = if byte.is_ascii_digit() { 8 } else { place };
                assert_eq!(leading_digits(u64::from_le_bytes(digits)).1, expected, "byte {byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn loads_zeros_past_the_end() {
        assert_eq!(load(b"ab", 1), u64::from(b'b'));
        assert_eq!(load(b"ab", 2), 0);
        assert_eq!(load(b"ab", 9), 0);
    }
}
