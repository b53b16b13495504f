//! From a key path to a place in the file, and from an offset inside a text to the character in the file.
//!
//! Stages find faults long after the file was read and know only key paths (`features.amount_log`). The loaded spec
//! keeps the text and the place of every key and value, so those faults get line and column too.

use std::collections::HashMap;
use std::fmt;

use crate::error::{Place, SpecError};

/// The file a spec was loaded from. Empty for a spec from JSON.
#[derive(Clone, Default)]
pub(super) struct Source {
    pub(super) file: String,
    pub(super) text: String,
    pub(super) places: HashMap<String, Located>,
}

impl fmt::Debug for Source {
    /// The name alone: what the author wrote is not repeated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Where the value at a key path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) place: Place,
    /// Byte offset at which a scalar starts, quotes included.
    pub(super) start: Option<usize>,
}

impl Source {
    /// The same fault with file, line and column.
    ///
    /// `error.path` names the key; if the exact path is unknown, the nearest parent counts. A place that the error
    /// brings along is relative to the text at that path (line and column from 1, as an SQL parser counts them).
    pub(super) fn locate(&self, error: SpecError, value: Option<&str>) -> SpecError {
        if self.file.is_empty() || !error.file.is_empty() {
            return error;
        }
        let Some((located, exact)) = self.lookup(&error.path) else {
            return error.at(&self.file, Place { line: 1, column: 1 });
        };
        let inner = error.place;
        let place = match (exact, inner.line, value, located.start) {
            (true, 1.., Some(value), Some(start)) => self.inside(start, value, inner).unwrap_or(located.place),
            _ => located.place,
        };
        error.at(&self.file, place)
    }

    fn lookup(&self, path: &str) -> Option<(Located, bool)> {
        let mut rest = path;
        let mut exact = true;
        loop {
            if let Some(located) = self.places.get(rest) {
                return Some((*located, exact));
            }
            exact = false;
            let cut = rest.rfind(['.', '['])?;
            rest = &rest[..cut];
        }
    }

    /// The place in the file of a place inside the scalar that starts at byte `start` and reads `value`.
    ///
    /// Walks source and value side by side; where they differ (an escape in a quoted scalar) it gives up.
    fn inside(&self, start: usize, value: &str, inner: Place) -> Option<Place> {
        let offset = char_offset(value, inner)?;
        let scalar = self.text.get(start..)?;
        let skipped = match scalar.chars().next()? {
            '"' | '\'' => 1,
            // A block scalar: its text starts on the next line.
            '|' | '>' => scalar.find('\n')? + 1,
            _ => 0,
        };
        let mut source = scalar[skipped..].char_indices().peekable();
        let mut wanted = value.chars().peekable();
        let mut passed = 0;
        // Leading indentation of a block scalar.
        while wanted.peek().is_some_and(|c| !c.is_whitespace()) && source.peek().is_some_and(|(_, c)| c.is_whitespace())
        {
            source.next();
        }
        while passed < offset {
            let next = wanted.next()?;
            passed += 1;
            let (_, found) = source.next()?;
            if next.is_whitespace() && found.is_whitespace() {
                // A line break and its indentation fold to one space, or stay a break without the indentation.
                let more_wanted = wanted.peek().is_some_and(|c| c.is_whitespace()) && passed < offset;
                while !more_wanted && source.peek().is_some_and(|(_, c)| c.is_whitespace()) {
                    source.next();
                }
            } else if next != found {
                return None;
            }
        }
        let at = start + skipped + source.peek().map(|(i, _)| *i)?;
        Some(place_of(&self.text, at))
    }
}

/// Characters before `place` in `text`.
fn char_offset(text: &str, place: Place) -> Option<usize> {
    let mut before = 0;
    for (i, line) in text.split('\n').enumerate() {
        let length = line.chars().count();
        if i + 1 == place.line as usize {
            let column = (place.column as usize).checked_sub(1)?;
            return (column <= length).then_some(before + column);
        }
        before += length + 1;
    }
    None
}

fn place_of(text: &str, byte: usize) -> Place {
    let before = &text[..byte];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Place { line: line as u32, column: column as u32 }
}

/// A place inside a one-line text, from a character offset.
pub(crate) fn inner_place(text: &str, offset: usize) -> Place {
    let mut place = Place { line: 1, column: 1 };
    for c in text.chars().take(offset) {
        if c == '\n' {
            place = Place { line: place.line + 1, column: 1 };
        } else {
            place.column += 1;
        }
    }
    place
}
