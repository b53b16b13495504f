//! Functions of texts. Positions and lengths count characters (code points), as in Spark.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use arrow::error::ArrowError;

use super::{failed, primitive, text};

fn strings(args: &[ArrayRef], f: impl Fn(&str) -> String) -> Result<ArrayRef, ArrowError> {
    let output: StringArray = text(&args[0])?.iter().map(|s| s.map(&f)).collect();
    Ok(Arc::new(output))
}

/// `lower(s)`
pub(in super::super) fn lower(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    strings(args, str::to_lowercase)
}

/// `upper(s)`
pub(in super::super) fn upper(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    strings(args, str::to_uppercase)
}

/// `reverse(s)`
pub(in super::super) fn reverse(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    strings(args, |s| s.chars().rev().collect())
}

/// `length(s)` in characters, of a `BINARY` in bytes.
pub(in super::super) fn length(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let output: Int32Array = match args[0].data_type() {
        DataType::Binary => args[0].as_binary::<i32>().iter().map(|b| b.map(|b| b.len() as i32)).collect(),
        _ => text(&args[0])?.iter().map(|s| s.map(|s| s.chars().count() as i32)).collect(),
    };
    Ok(Arc::new(output))
}

/// Which ends `trim` cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Ends {
    Both,
    Left,
    Right,
}

/// `trim(s)` cuts spaces (nothing else); with a second argument, any of its characters.
pub(in super::super) fn trim(ends: Ends, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let cut = |s: &str, set: &str| -> String {
        let hit = |c: char| set.contains(c);
        match ends {
            Ends::Both => s.trim_matches(hit),
            Ends::Left => s.trim_start_matches(hit),
            Ends::Right => s.trim_end_matches(hit),
        }
        .to_owned()
    };
    let Some(sets) = args.get(1) else { return strings(args, |s| cut(s, " ")) };
    let output: StringArray =
        text(&args[0])?.iter().zip(text(sets)?.iter()).map(|(s, set)| Some(cut(s?, set?))).collect();
    Ok(Arc::new(output))
}

/// Characters `start..end`; what lies outside the text is cut off.
fn slice(s: &str, start: i64, end: i64) -> &str {
    if end <= start || end <= 0 {
        return "";
    }
    let start = start.max(0) as usize;
    let count = (end as usize).saturating_sub(start);
    let from = s.char_indices().nth(start).map_or(s.len(), |(i, _)| i);
    let rest = &s[from..];
    &rest[..rest.char_indices().nth(count).map_or(rest.len(), |(i, _)| i)]
}

/// `substring(s, position, length)`: positions count from 1, negative ones from the end, 0 is 1.
fn substring_of(s: &str, position: i32, length: i32) -> &str {
    let start = match position {
        1.. => i64::from(position) - 1,
        0 => 0,
        _ => s.chars().count() as i64 + i64::from(position),
    };
    slice(s, start, start + i64::from(length))
}

/// `substring(s, position[, length])`
pub(in super::super) fn substring(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (s, position) = (text(&args[0])?, primitive::<Int32Type>(&args[1])?);
    let output: StringArray = match args.get(2) {
        None => s.iter().zip(position.iter()).map(|(s, p)| Some(substring_of(s?, p?, i32::MAX))).collect(),
        Some(length) => s
            .iter()
            .zip(position.iter())
            .zip(primitive::<Int32Type>(length)?.iter())
            .map(|((s, p), l)| Some(substring_of(s?, p?, l?)))
            .collect(),
    };
    Ok(Arc::new(output))
}

/// `left(s, n)`
pub(in super::super) fn left(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (s, n) = (text(&args[0])?, primitive::<Int32Type>(&args[1])?);
    let output: StringArray = s.iter().zip(n.iter()).map(|(s, n)| Some(substring_of(s?, 1, n?))).collect();
    Ok(Arc::new(output))
}

/// `right(s, n)`
pub(in super::super) fn right(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (s, n) = (text(&args[0])?, primitive::<Int32Type>(&args[1])?);
    let last = |s, n: i32| if n <= 0 { "" } else { substring_of(s, -n, i32::MAX) };
    let output: StringArray = s.iter().zip(n.iter()).map(|(s, n)| Some(last(s?, n?))).collect();
    Ok(Arc::new(output))
}

/// `concat(…)`: null if any part is null.
pub(in super::super) fn concat(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let parts = args.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let output: StringArray = (0..parts[0].len())
        .map(|i| parts.iter().map(|part| part.is_valid(i).then(|| part.value(i))).collect::<Option<String>>())
        .collect();
    Ok(Arc::new(output))
}

/// `instr(s, sub)`: position of the first occurrence from 1, 0 if there is none.
pub(in super::super) fn instr(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let find = |s: &str, sub: &str| s.find(sub).map_or(0, |at| s[..at].chars().count() as i32 + 1);
    let output: Int32Array =
        text(&args[0])?.iter().zip(text(&args[1])?.iter()).map(|(s, sub)| Some(find(s?, sub?))).collect();
    Ok(Arc::new(output))
}

/// `replace(s, search, replacement)`; an empty search changes nothing.
pub(in super::super) fn replace(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let swap = |s: &str, search: &str, new: &str| if search.is_empty() { s.to_owned() } else { s.replace(search, new) };
    let output: StringArray = text(&args[0])?
        .iter()
        .zip(text(&args[1])?.iter())
        .zip(text(&args[2])?.iter())
        .map(|((s, search), new)| Some(swap(s?, search?, new?)))
        .collect();
    Ok(Arc::new(output))
}

/// `startswith`, `endswith`, `contains`
pub(in super::super) fn test(f: fn(&str, &str) -> bool, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let output: BooleanArray =
        text(&args[0])?.iter().zip(text(&args[1])?.iter()).map(|(s, part)| Some(f(s?, part?))).collect();
    Ok(Arc::new(output))
}

/// True if a `\` stands before something that needs no escape, which Spark refuses.
pub(in super::super) fn bad_escape(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && !matches!(chars.next(), Some('%' | '_' | '\\')) {
            return true;
        }
    }
    false
}

/// The pattern of `value LIKE pattern` as it is; a bad escape in it fails its row, unless the value is null.
pub(in super::super) fn like_pattern(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (values, patterns) = (text(&args[0])?, text(&args[1])?);
    if values.iter().zip(patterns.iter()).any(|(value, pattern)| value.is_some() && pattern.is_some_and(bad_escape)) {
        return failed("a LIKE pattern has a \\ before another character than %, _ or \\");
    }
    Ok(Arc::clone(&args[1]))
}
