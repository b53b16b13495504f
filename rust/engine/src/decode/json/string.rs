//! JSON strings: where they end, what their escapes mean.
//!
//! The record was checked to be UTF-8 before, so only escapes, control characters and the end are left to check.

use crate::decode::fault::{Fault, Parsed};
use crate::decode::swar;

/// The first byte from `at` that is not plain: a quote, a backslash, a control character or the end.
#[inline(always)]
pub(super) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let stops = swar::string_stops(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return at + swar::first_mark(stops);
        }
        at += 8;
    }
    tail_end(bytes, at)
}

#[inline(never)]
fn tail_end(bytes: &[u8], at: usize) -> usize {
    let tail = bytes.get(at..).unwrap_or_default();
    at + tail.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20).unwrap_or(tail.len())
}

/// One past the closing quote of a string whose text starts at `at`. The text is checked, not built.
#[inline]
pub(super) fn skip(bytes: &[u8], at: usize) -> Parsed<usize> {
    let end = plain_end(bytes, at);
    if bytes.get(end) == Some(&b'"') { Ok(end + 1) } else { skip_escaped(bytes, end) }
}

#[inline(never)]
fn skip_escaped(bytes: &[u8], mut at: usize) -> Parsed<usize> {
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(bytes, at)?.1,
            _ => return Err(broken(bytes, at)),
        }
        at = plain_end(bytes, at);
    }
}

/// The text of a string that starts at `at` (after its quote), and one past its closing quote. Borrows from the
/// record where nothing is escaped, from `scratch` otherwise.
#[inline]
pub(super) fn read<'a>(bytes: &'a [u8], at: usize, scratch: &'a mut Vec<u8>) -> Parsed<(&'a [u8], usize)> {
    let end = plain_end(bytes, at);
    if bytes.get(end) == Some(&b'"') {
        return Ok((bytes.get(at..end).unwrap_or_default(), end + 1));
    }
    scratch.clear();
    let end = unescape(bytes, at, scratch)?;
    Ok((scratch, end))
}

/// Appends the text of a string that starts at `at` (after its quote); gives one past its closing quote.
#[inline(never)]
pub(super) fn unescape(bytes: &[u8], mut at: usize, text: &mut Vec<u8>) -> Parsed<usize> {
    loop {
        let end = plain_end(bytes, at);
        text.extend_from_slice(bytes.get(at..end).unwrap_or_default());
        match bytes.get(end) {
            Some(b'"') => return Ok(end + 1),
            Some(b'\\') => {
                let (character, after) = escape(bytes, end)?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at = after;
            }
            _ => return Err(broken(bytes, end)),
        }
    }
}

/// The character that the escape at `at` (a backslash) stands for, and one past it.
fn escape(bytes: &[u8], at: usize) -> Parsed<(char, usize)> {
    let simple = match bytes.get(at + 1) {
        Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(bytes, at),
        Some(_) => return Err(Fault::malformed(at, "an unknown escape in a string")),
        None => return Err(broken(bytes, at + 1)),
    };
    Ok((simple, at + 2))
}

/// `\uXXXX`, or two of them that make one character. Half a pair is refused: it has no form in UTF-8.
fn unicode_escape(bytes: &[u8], at: usize) -> Parsed<(char, usize)> {
    let unit = hex4(bytes, at + 2)?;
    let is_high = (0xD800..0xDC00).contains(&unit);
    if is_high && bytes.get(at + 6..at + 8) == Some(b"\\u") {
        let low = hex4(bytes, at + 8)?;
        if (0xDC00..0xE000).contains(&low) {
            let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            if let Some(character) = char::from_u32(code) {
                return Ok((character, at + 12));
            }
        }
    }
    match char::from_u32(unit) {
        Some(character) => Ok((character, at + 6)),
        None => Err(Fault::malformed(at, "half of a surrogate pair in a string")),
    }
}

fn hex4(bytes: &[u8], at: usize) -> Parsed<u32> {
    let mut value = 0;
    for place in at..at + 4 {
        let digit = bytes.get(place).and_then(|&byte| char::from(byte).to_digit(16));
        value =
            value * 16 + digit.ok_or_else(|| Fault::malformed(place, "expected four hexadecimal digits after \\u"))?;
    }
    Ok(value)
}

#[cold]
fn broken(bytes: &[u8], at: usize) -> Fault {
    match bytes.get(at) {
        Some(_) => Fault::malformed(at, "a control character in a string"),
        None => Fault::malformed(at, "the record ends inside a string"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(literal: &str) -> Result<String, Fault> {
        let mut scratch = Vec::new();
        let (text, end) = read(literal.as_bytes(), 1, &mut scratch)?;
        assert_eq!((end, skip(literal.as_bytes(), 1)?), (literal.len(), literal.len()));
        Ok(String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn resolves_every_escape() {
        assert_eq!(text(r#""a\"\\\/\b\f\n\r\t z""#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\t z");
        assert_eq!(text(r#""\u0041\u00e9\u4E2d\ud83d\uDE00\u0000""#).unwrap(), "Aé中😀\0");
        assert_eq!(text("\"plain é 中 😀 \u{7f}\"").unwrap(), "plain é 中 😀 \u{7f}");
        assert_eq!(text(r#""a longer text before the \n escape and after it""#).unwrap().lines().count(), 2);
    }

    #[test]
    fn refuses_what_is_no_string() {
        for literal in [
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\u0041""#,
            r#""\ud83dxx""#,
            r#""\ud83d\ud83d\ude00""#,
            r#""\x41""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\u+123""#,
            r#""\ud83d\u12""#,
            "\"a\nb\"",
            "\"a\0b\"",
            "\"12345678\u{1f}\"",
            "\"abc",
            "\"",
            r#""abc\"#,
            r#""abc\""#,
            r#""\u00"#,
        ] {
            let fault = read(literal.as_bytes(), 1, &mut Vec::new()).unwrap_err();
            assert_eq!(fault, skip(literal.as_bytes(), 1).unwrap_err(), "{literal:?}");
        }
    }
}
