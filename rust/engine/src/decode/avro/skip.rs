//! Passing over values that no column wants, directed by the schema.
//!
//! Types may hold themselves, so nesting follows the data; it counts for `max_depth`. Types that take no bytes at all
//! (null, empty records) are known beforehand, so that an array of 2^60 of them costs nothing.

use super::schema::{Schema, Type, TypeId};
use crate::decode::binary::Cursor;
use crate::decode::fault::{Fault, Parsed};
use crate::stage::RejectCode;

/// Passes over values of one schema.
#[derive(Debug)]
pub(super) struct Skipper {
    schema: Schema,
    /// By type: takes no bytes, whatever the value.
    is_empty: Vec<bool>,
    max_depth: usize,
}

impl Skipper {
    pub(super) fn new(schema: Schema, max_depth: usize) -> Self {
        let mut is_empty: Vec<bool> =
            (0..schema.len()).map(|id| matches!(schema.get(id), Type::Null | Type::Fixed(0, _))).collect();
        // Records of empty fields are empty; each round may find more of them. One that holds itself never is.
        loop {
            let found = (0..schema.len()).find(|&id| match schema.get(id) {
                Type::Record(fields) => !is_empty[id] && fields.iter().all(|field| is_empty[field.of]),
                _ => false,
            });
            match found {
                Some(id) => is_empty[id] = true,
                None => return Self { schema, is_empty, max_depth },
            }
        }
    }

    /// Passes over a value of type `id` that stands in a record of level `depth`.
    pub(super) fn skip(&self, id: TypeId, cursor: &mut Cursor<'_>, depth: usize) -> Parsed<()> {
        if self.is_empty.get(id).copied().unwrap_or(true) {
            return Ok(());
        }
        match self.schema.get(id) {
            Type::Null => Ok(()),
            Type::Boolean => cursor.skip(1),
            Type::Int(_) | Type::Long(_) | Type::Enum(_) => cursor.varint().map(drop),
            Type::Float => cursor.skip(4),
            Type::Double => cursor.skip(8),
            Type::Bytes(_) | Type::String => {
                let length = length(cursor)?;
                cursor.skip(length)
            }
            Type::Fixed(size, _) => cursor.skip(*size as u64),
            Type::Union(branches) => {
                let at = cursor.at();
                let branch = cursor.zigzag()?;
                match usize::try_from(branch).ok().and_then(|branch| branches.get(branch)) {
                    Some(&branch) => self.skip(branch, cursor, depth),
                    None => Err(no_branch(at)),
                }
            }
            Type::Record(fields) => {
                let depth = self.deeper(depth, cursor)?;
                fields.iter().try_for_each(|field| self.skip(field.of, cursor, depth))
            }
            Type::Array(items) => self.blocks(cursor, depth, |cursor, depth| self.skip(*items, cursor, depth), *items),
            Type::Map(values) => {
                let entry = |cursor: &mut Cursor<'_>, depth| {
                    let length = length(cursor)?;
                    cursor.skip(length)?;
                    self.skip(*values, cursor, depth)
                };
                // An entry has a key, so it takes bytes: no type of the schema stands for it.
                self.blocks(cursor, depth, entry, TypeId::MAX)
            }
        }
    }

    /// The blocks of an array or a map, up to the empty one.
    fn blocks(
        &self,
        cursor: &mut Cursor<'_>,
        depth: usize,
        item: impl Fn(&mut Cursor<'_>, usize) -> Parsed<()>,
        id: TypeId,
    ) -> Parsed<()> {
        let depth = self.deeper(depth, cursor)?;
        loop {
            let at = cursor.at();
            let count = cursor.zigzag()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // The block's size in bytes follows, for those who want to pass over it.
                let size = cursor.zigzag()?;
                cursor.skip(u64::try_from(size).map_err(|_| Fault::malformed(at, "a block of negative size"))?)?;
            } else if !self.is_empty.get(id).copied().unwrap_or(false) {
                for _ in 0..count {
                    item(cursor, depth)?;
                }
            }
        }
    }

    fn deeper(&self, depth: usize, cursor: &Cursor<'_>) -> Parsed<usize> {
        if depth >= self.max_depth {
            return Err(Fault::new(RejectCode::TooDeep, cursor.at(), "nested deeper than max_depth"));
        }
        Ok(depth + 1)
    }
}

/// The length before bytes and texts.
#[inline(always)]
pub(super) fn length(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    let at = cursor.at();
    u64::try_from(cursor.zigzag()?).map_err(|_| Fault::malformed(at, "a negative length"))
}

/// A union's branch that the schema does not have.
#[cold]
pub(super) fn no_branch(at: usize) -> Fault {
    Fault::malformed(at, "a union branch that the schema does not have")
}
