//! JSON, directed by the schema: one pass over a record's bytes, straight into the columns.
//!
//! No tree and no tape is built. A key says at once which column its value goes to, the column's type says how the
//! value is read, and values that no column wants are checked and passed over. Recursion follows the schema's nesting
//! only; the data's own nesting costs no call stack. Start at [`JsonReader::read`].

mod keys;
mod skip;
mod string;
mod value;

use keys::{Keys, Target};
use skip::Skipper;

use super::columns::Columns;
use super::fault::{Fault, Parsed};
use super::paths::{self, Wanted};
use crate::error::SpecError;
use crate::stage::RejectCode;

/// Reads JSON records.
#[derive(Debug)]
pub(super) struct JsonReader {
    /// Levels of the schema; the first is the record itself.
    levels: Vec<Level>,
    skipper: Skipper,
    /// Text with escapes resolved; empty between calls as far as anyone may rely on.
    scratch: Vec<u8>,
}

/// One object level of the schema.
#[derive(Debug)]
struct Level {
    keys: Keys,
    /// Dotted path, for messages; empty for the record itself.
    path: String,
    /// The last record that named this object.
    named_in: u64,
}

impl JsonReader {
    /// Fails on names that cannot all be columns: an empty key in a path, one column inside another.
    pub(super) fn try_new(names: &[&str], max_depth: usize) -> Result<Self, SpecError> {
        let levels = paths::levels(names, max_depth)?.into_iter().map(|level| {
            let keys = level.keys.into_iter().map(|(key, wanted)| {
                let target = match wanted {
                    Wanted::Column(column) => Target::Column(column),
                    Wanted::Level(inner) => Target::Object(inner),
                };
                (key.into_bytes().into_boxed_slice(), target)
            });
            Level { keys: Keys::new(keys.collect()), path: level.path, named_in: 0 }
        });
        Ok(Self { levels: levels.collect(), skipper: Skipper::new(max_depth), scratch: Vec::new() })
    }

    /// Dotted path of an object level.
    pub(super) fn path(&self, level: usize) -> &str {
        self.levels.get(level).map_or("", |level| &level.path)
    }

    /// Reads one record from byte `at` on into one row. After a fault the columns must be rolled back.
    pub(super) fn read(&mut self, bytes: &[u8], at: usize, columns: &mut Columns) -> Parsed<()> {
        let at = skip::white_space(bytes, at);
        if bytes.get(at) != Some(&b'{') {
            return Err(self.other_record(bytes, at).in_column(columns.len()));
        }
        let end = self.object(bytes, at, 0, 1, columns)?;
        let end = skip::white_space(bytes, end);
        if end < bytes.len() {
            return Err(Fault::malformed(end, "more text after the record's value"));
        }
        columns.end_row()
    }

    /// One past the object that starts at `at` and makes up `level`.
    fn object(&mut self, bytes: &[u8], at: usize, level: usize, depth: usize, columns: &mut Columns) -> Parsed<usize> {
        if depth > self.skipper.max_depth() {
            return Err(skip::too_deep(at));
        }
        let mut at = skip::white_space(bytes, at + 1);
        if bytes.get(at) == Some(&b'}') {
            return Ok(at + 1);
        }
        let mut turn = 0;
        loop {
            let (target, after_key) = self.levels[level].keys.read(bytes, at, &mut turn, &mut self.scratch)?;
            let key_at = at;
            at = skip::colon(bytes, after_key)?;
            at = match target {
                Target::Column(column) => self.column(bytes, at, key_at, column, depth, columns)?,
                Target::Skip => self.skipper.value(bytes, at, depth)?,
                Target::Object(inner) => self.inner(bytes, at, key_at, inner, depth, columns)?,
            };
            at = skip::white_space(bytes, at);
            match bytes.get(at) {
                Some(b',') => at = skip::white_space(bytes, at + 1),
                Some(b'}') => return Ok(at + 1),
                Some(_) => return Err(Fault::malformed(at, "expected ',' or '}'")),
                None => return Err(Fault::malformed(at, "the record ends inside an object")),
            }
        }
    }

    #[inline(always)]
    fn column(
        &mut self,
        bytes: &[u8],
        at: usize,
        key_at: usize,
        column: usize,
        depth: usize,
        columns: &mut Columns,
    ) -> Parsed<usize> {
        let Some(store) = columns.name(column) else {
            return Err(
                Fault::new(RejectCode::DuplicateKey, key_at, "the key stands twice in its object").in_column(column)
            );
        };
        let first = bytes.get(at).copied().unwrap_or_default();
        if first == b'n' {
            let end = skip::literal(bytes, at, b"null").map_err(|fault| fault.in_column(column))?;
            columns.push_null(column, at)?;
            return Ok(end);
        }
        match value::read(store, bytes, at, first, &mut self.scratch) {
            Ok(Some(end)) => Ok(end),
            Ok(None) => Err(self.mismatch(bytes, at, depth).in_column(column)),
            Err(fault) => Err(fault.in_column(column)),
        }
    }

    /// The value of a key that has columns inside: an object, or null for nulls in all of them.
    #[inline(never)]
    fn inner(
        &mut self,
        bytes: &[u8],
        at: usize,
        key_at: usize,
        level: usize,
        depth: usize,
        columns: &mut Columns,
    ) -> Parsed<usize> {
        let record = columns.record();
        let subject = columns.len() + level;
        if std::mem::replace(&mut self.levels[level].named_in, record) == record {
            return Err(
                Fault::new(RejectCode::DuplicateKey, key_at, "the key stands twice in its object").in_column(subject)
            );
        }
        match bytes.get(at) {
            Some(b'{') => self.object(bytes, at, level, depth + 1, columns),
            Some(b'n') => skip::literal(bytes, at, b"null").map_err(|fault| fault.in_column(subject)),
            _ => Err(self.mismatch(bytes, at, depth).in_column(subject)),
        }
    }

    /// A value of another type than its column's. Where it is not even well-formed, that is the fault.
    #[cold]
    #[inline(never)]
    fn mismatch(&mut self, bytes: &[u8], at: usize, depth: usize) -> Fault {
        match self.skipper.value(bytes, at, depth) {
            Ok(_) => Fault::wrong_type(at, skip::kind(bytes.get(at).copied().unwrap_or_default())),
            Err(fault) => fault,
        }
    }

    /// A record that is another value than an object, or none at all.
    #[cold]
    #[inline(never)]
    fn other_record(&mut self, bytes: &[u8], at: usize) -> Fault {
        match self.skipper.value(bytes, at, 0).map(|end| skip::white_space(bytes, end)) {
            Ok(end) if end < bytes.len() => Fault::malformed(end, "more text after the record's value"),
            Ok(_) => self.mismatch(bytes, at, 0),
            Err(fault) => fault,
        }
    }
}
