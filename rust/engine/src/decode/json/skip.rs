//! Values that no column wants: checked for well-formedness, never built.
//!
//! Nesting is followed with a stack of bits (object or array), so a record can nest as deep as the limit allows and
//! cannot overflow the thread's stack.

use super::string;
use crate::decode::fault::{Fault, Parsed};
use crate::decode::text::number;
use crate::stage::RejectCode;

/// The first byte from `at` that is no white space.
#[inline(always)]
pub(super) fn white_space(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(&byte) if byte <= b' ' => white_space_run(bytes, at),
        _ => at,
    }
}

#[inline(never)]
fn white_space_run(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).unwrap_or(rest.len())
}

/// What kind of value starts with this byte, in words.
#[cold]
pub(super) fn kind(first: u8) -> &'static str {
    match first {
        b'"' => "a string",
        b'{' => "an object",
        b'[' => "an array",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        b'N' | b'I' => "NaN or Infinity",
        _ => "a number",
    }
}

/// The IEEE values that JSON has no numbers for, in the spelling that Python and JavaScript write, and where they end.
#[cold]
#[inline(never)]
pub(super) fn non_finite(bytes: &[u8], at: usize) -> Option<(f64, usize)> {
    let rest = bytes.get(at..).unwrap_or_default();
    [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)]
        .into_iter()
        .find(|(word, _)| rest.starts_with(word.as_bytes()))
        .map(|(word, value)| (value, at + word.len()))
}

/// One past the literal that starts at `at`.
#[inline(always)]
pub(super) fn literal(bytes: &[u8], at: usize, word: &'static [u8]) -> Parsed<usize> {
    if bytes.get(at..at + word.len()) == Some(word) {
        Ok(at + word.len())
    } else {
        Err(Fault::malformed(at, "expected a value"))
    }
}

/// A colon between `at` and the value, which is where the result points.
#[inline(always)]
pub(super) fn colon(bytes: &[u8], at: usize) -> Parsed<usize> {
    let at = white_space(bytes, at);
    if bytes.get(at) == Some(&b':') {
        Ok(white_space(bytes, at + 1))
    } else {
        Err(Fault::malformed(at, "expected ':' after a key"))
    }
}

/// Nested deeper than allowed.
#[cold]
pub(super) fn too_deep(at: usize) -> Fault {
    Fault::new(RejectCode::TooDeep, at, "objects and arrays nested deeper than max_depth")
}

/// Skips values.
#[derive(Debug)]
pub(super) struct Skipper {
    max_depth: usize,
    /// One bit per open level, set for an object; a scratch pad that is empty between calls.
    open: Vec<u64>,
}

impl Skipper {
    /// Levels beyond `max_depth` are refused; the record's own object is level 1.
    pub(super) fn new(max_depth: usize) -> Self {
        Self { max_depth, open: Vec::new() }
    }

    /// The deepest level allowed.
    pub(super) fn max_depth(&self) -> usize {
        self.max_depth
    }

    /// One past the value that starts at `at`, inside `depth` open levels.
    #[inline]
    pub(super) fn value(&mut self, bytes: &[u8], at: usize, depth: usize) -> Parsed<usize> {
        match bytes.get(at) {
            Some(b'{' | b'[') => self.nested(bytes, at, depth),
            _ => scalar(bytes, at),
        }
    }

    /// `value` for an object or array.
    #[inline(never)]
    fn nested(&mut self, bytes: &[u8], mut at: usize, outer: usize) -> Parsed<usize> {
        let mut levels = 0usize;
        loop {
            // Here a value starts.
            let first = bytes.get(at).copied().unwrap_or_default();
            let mut is_closed = false;
            if matches!(first, b'{' | b'[') {
                if outer + levels >= self.max_depth {
                    return Err(too_deep(at));
                }
                let is_object = first == b'{';
                self.set(levels, is_object);
                levels += 1;
                at = white_space(bytes, at + 1);
                if bytes.get(at) == Some(if is_object { &b'}' } else { &b']' }) {
                    is_closed = true;
                } else {
                    if is_object {
                        at = key(bytes, at)?;
                    }
                    continue;
                }
            } else {
                at = white_space(bytes, scalar(bytes, at)?);
            }
            // Here a value has ended, or an empty level is about to.
            loop {
                let is_object = self.is_object(levels - 1);
                match bytes.get(at) {
                    Some(b',') if !is_closed => {
                        at = white_space(bytes, at + 1);
                        if is_object {
                            at = key(bytes, at)?;
                        }
                        break;
                    }
                    Some(b'}') if is_object => {}
                    Some(b']') if !is_object => {}
                    None => return Err(Fault::malformed(at, "the record ends inside an object or array")),
                    Some(_) if is_object => return Err(Fault::malformed(at, "expected ',' or '}'")),
                    Some(_) => return Err(Fault::malformed(at, "expected ',' or ']'")),
                }
                is_closed = false;
                at += 1;
                levels -= 1;
                if levels == 0 {
                    return Ok(at);
                }
                at = white_space(bytes, at);
            }
        }
    }

    #[inline]
    fn set(&mut self, level: usize, is_object: bool) {
        let word = level / 64;
        if word == self.open.len() {
            self.open.push(0);
        }
        if let Some(bits) = self.open.get_mut(word) {
            let bit = 1 << (level % 64);
            *bits = if is_object { *bits | bit } else { *bits & !bit };
        }
    }

    #[inline]
    fn is_object(&self, level: usize) -> bool {
        self.open.get(level / 64).is_some_and(|bits| bits >> (level % 64) & 1 == 1)
    }
}

/// One past the key and the colon at `at`.
#[inline]
fn key(bytes: &[u8], at: usize) -> Parsed<usize> {
    match bytes.get(at) {
        Some(b'"') => colon(bytes, string::skip(bytes, at + 1)?),
        Some(_) => Err(Fault::malformed(at, "expected a key in double quotes")),
        None => Err(Fault::malformed(at, "the record ends inside an object")),
    }
}

#[inline]
fn scalar(bytes: &[u8], at: usize) -> Parsed<usize> {
    match bytes.get(at) {
        Some(b'"') => string::skip(bytes, at + 1),
        Some(b'0'..=b'9') => Ok(number::scan(bytes, at)?.end),
        Some(b't') => literal(bytes, at, b"true"),
        Some(b'f') => literal(bytes, at, b"false"),
        Some(b'n') => literal(bytes, at, b"null"),
        Some(b'-') if bytes.get(at + 1) != Some(&b'I') => Ok(number::scan(bytes, at)?.end),
        Some(b'N' | b'I' | b'-') => match non_finite(bytes, at) {
            Some((_, end)) => Ok(end),
            None => Err(Fault::malformed(at, "expected a value")),
        },
        Some(_) => Err(Fault::malformed(at, "expected a value")),
        None => Err(Fault::malformed(at, "the record ends where a value is expected")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn skip(text: &str, max_depth: usize) -> Parsed<usize> {
        Skipper::new(max_depth).value(text.as_bytes(), 0, 0)
    }

    #[test]
    fn well_formed_values_are_skipped_whole() {
        for text in [
            "{}",
            "[]",
            "[ ]",
            "{ }",
            "[[],{},[[]]]",
            r#"{"a":{"b":[1,2,{"c":null}]},"d":[]}"#,
            "[1 , 2\t,\r\n3 ]",
            "true",
            "false",
            "null",
            "-1.5e-7",
            r#""x\n""#,
            "NaN",
            "-Infinity",
            "[Infinity,NaN]",
            r#"{"":""}"#,
        ] {
            assert_eq!(skip(text, 10).unwrap(), text.len(), "{text}");
        }
    }

    #[test]
    fn malformed_values_are_found() {
        for text in [
            "",
            "[",
            "{",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            "{1:2}",
            "[1}",
            r#"{"a":1]"#,
            "[[]",
            "[}",
            "{]",
            "tru",
            "nul",
            "Nan",
            "-Inf",
            "'x'",
            "[1 2]",
            "// c",
            "+1",
            "[01]",
            "[1.]",
        ] {
            assert_eq!(skip(text, 10).unwrap_err().code(), RejectCode::Malformed, "{text}");
        }
    }

    #[test]
    fn depth_is_counted_exactly_and_needs_no_call_stack() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(skip(&nested(200), 200).unwrap(), 400);
        assert_eq!(skip(&nested(201), 200).unwrap_err().code(), RejectCode::TooDeep);
        assert_eq!(skip(&nested(1_000_000), usize::MAX).unwrap(), 2_000_000);
        let objects = r#"{"a":"#.repeat(300) + "1" + &"}".repeat(300);
        assert_eq!(skip(&objects, 300).unwrap(), objects.len());
    }
}
