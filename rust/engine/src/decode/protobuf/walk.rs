//! The bytes of a message, field by field, into the columns.
//!
//! Source of the rules: "Encoding" in the Protocol Buffers documentation. What comes twice counts the last time;
//! messages that come twice are merged, which is the same, column by column.

use super::plan::{Action, Constant, Plan, Scalar, Target};
use crate::decode::binary::{self, Cursor, unzigzag};
use crate::decode::columns::Columns;
use crate::decode::fault::{Fault, Parsed};
use crate::decode::store::Store;
use crate::stage::RejectCode;

/// Largest field number.
const MAX_NUMBER: u64 = (1 << 29) - 1;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Which levels of the record at hand came; and the limit on groups.
#[derive(Debug)]
pub(super) struct Walk {
    /// By level: the last record in which its message came.
    came_in: Vec<u64>,
    max_depth: usize,
}

impl Walk {
    pub(super) fn new(levels: usize, max_depth: usize) -> Self {
        Self { came_in: vec![0; levels], max_depth }
    }

    /// Reads one message of `level`, which the cursor holds and nothing else.
    pub(super) fn message(
        &mut self,
        plan: &Plan,
        level: usize,
        mut cursor: Cursor<'_>,
        columns: &mut Columns,
    ) -> Parsed<()> {
        let Some(fields) = plan.levels.get(level) else { return Ok(()) };
        self.came_in[level] = columns.record();
        while !cursor.is_done() {
            let at = cursor.at();
            let (number, wire) = key(&mut cursor)?;
            let Some(target) = fields.find(number) else {
                skip(&mut cursor, number, wire, at, 1, self.max_depth)?;
                continue;
            };
            if !target.clears.is_empty() || !target.clears_levels.is_empty() {
                self.clear(target, columns);
            }
            match &target.action {
                Action::Column(column, scalar) => {
                    let Some(store) = columns.name_anew(*column) else { continue };
                    read(store, scalar, wire, &mut cursor, at).map_err(|fault| fault.in_column(*column))?;
                }
                Action::Message { level, subject } => {
                    if wire != 2 {
                        return Err(other_wire(wire, at).in_column(*subject));
                    }
                    let length = cursor.varint()?;
                    let inner = cursor.inner(length)?;
                    self.message(plan, *level, inner, columns)?;
                }
                Action::Skip => skip(&mut cursor, number, wire, at, 1, self.max_depth)?,
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn clear(&mut self, target: &Target, columns: &mut Columns) {
        target.clears.iter().for_each(|&column| columns.unname(column));
        for &level in &target.clears_levels {
            self.came_in[level] = 0;
        }
    }

    /// Gives their defaults to the columns whose fields did not come.
    #[inline]
    pub(super) fn fill(&self, plan: &Plan, columns: &mut Columns) -> Parsed<()> {
        let record = columns.record();
        for fill in &plan.fills {
            if self.came_in[fill.level] == record && !columns.is_named(fill.column) {
                let Some(store) = columns.name(fill.column) else { continue };
                put(store, &fill.value).map_err(|fault| fault.in_column(fill.column))?;
            }
        }
        Ok(())
    }
}

fn put(store: &mut Store, value: &Constant) -> Parsed<()> {
    match value {
        Constant::Integer(value) => binary::integer(store, *value, 0),
        Constant::Unsigned(value) => binary::unsigned(store, *value, 0),
        Constant::Float(value) => binary::float(store, *value, 0),
        Constant::Double(value) => binary::double(store, *value, 0),
        Constant::Bool(value) => binary::boolean(store, *value, 0),
        Constant::Bytes(value) => binary::bytes(store, value, 0),
    }
}

/// A field's number and wire type.
#[inline(always)]
fn key(cursor: &mut Cursor<'_>) -> Parsed<(u64, u8)> {
    let at = cursor.at();
    let key = cursor.varint()?;
    let number = key >> 3;
    if number == 0 || number > MAX_NUMBER {
        return Err(Fault::malformed(at, "a field number outside 1 to 536870911"));
    }
    Ok((number, (key & 7) as u8))
}

#[inline(always)]
fn read(store: &mut Store, scalar: &Scalar, wire: u8, cursor: &mut Cursor<'_>, at: usize) -> Parsed<()> {
    match (scalar, wire) {
        (Scalar::Int64, 0) => binary::integer(store, cursor.varint()? as i64, at),
        // 32-bit numbers are what is left of 64 bits, as every implementation has it.
        (Scalar::Int32, 0) => binary::integer(store, i64::from(cursor.varint()? as i32), at),
        (Scalar::Double, 1) => binary::double(store, f64::from_le_bytes(cursor.array()?), at),
        (Scalar::Float, 5) => binary::float(store, f32::from_le_bytes(cursor.array()?), at),
        (Scalar::Bytes, 2) => {
            let length = cursor.varint()?;
            let from = cursor.at();
            binary::bytes(store, cursor.take(length)?, from)
        }
        (Scalar::Bool, 0) => binary::boolean(store, cursor.varint()? != 0, at),
        _ => read_rare(store, scalar, wire, cursor, at),
    }
}

#[inline(never)]
fn read_rare(store: &mut Store, scalar: &Scalar, wire: u8, cursor: &mut Cursor<'_>, at: usize) -> Parsed<()> {
    match (scalar, wire) {
        (Scalar::Uint32, 0) => binary::integer(store, i64::from(cursor.varint()? as u32), at),
        (Scalar::Uint64, 0) => binary::unsigned(store, cursor.varint()?, at),
        (Scalar::Sint32, 0) => binary::integer(store, unzigzag(u64::from(cursor.varint()? as u32)), at),
        (Scalar::Sint64, 0) => binary::integer(store, unzigzag(cursor.varint()?), at),
        (Scalar::Fixed32, 5) => binary::integer(store, i64::from(u32::from_le_bytes(cursor.array()?)), at),
        (Scalar::Sfixed32, 5) => binary::integer(store, i64::from(i32::from_le_bytes(cursor.array()?)), at),
        (Scalar::Fixed64, 1) => binary::unsigned(store, u64::from_le_bytes(cursor.array()?), at),
        (Scalar::Sfixed64, 1) => binary::integer(store, i64::from_le_bytes(cursor.array()?), at),
        (Scalar::Enum(names), 0) => {
            let number = cursor.varint()? as i32;
            match names.binary_search_by_key(&number, |(number, _)| *number).ok().and_then(|found| names.get(found)) {
                Some((_, name)) => binary::text(store, name, at),
                None => {
                    let what = "an enum number that the descriptor does not know";
                    Err(Fault::new(RejectCode::OutOfRange, at, what))
                }
            }
        }
        (Scalar::Timestamp, 2) => {
            let length = cursor.varint()?;
            let inner = cursor.inner(length)?;
            binary::instant(store, timestamp(inner)?, at)
        }
        _ => Err(other_wire(wire, at)),
    }
}

/// Microseconds of a `google.protobuf.Timestamp`: seconds in field 1, nanoseconds in field 2, cut to microseconds.
fn timestamp(mut cursor: Cursor<'_>) -> Parsed<i64> {
    let start = cursor.at();
    let (mut seconds, mut nanos) = (0i64, 0i64);
    while !cursor.is_done() {
        let at = cursor.at();
        match key(&mut cursor)? {
            (1, 0) => seconds = cursor.varint()? as i64,
            (2, 0) => nanos = i64::from(cursor.varint()? as i32),
            (number, wire) => skip(&mut cursor, number, wire, at, 1, 1)?,
        }
    }
    if !(0..NANOS_PER_SECOND).contains(&nanos) {
        return Err(Fault::new(RejectCode::OutOfRange, start, "nanoseconds outside 0 to 999999999"));
    }
    Ok(seconds.saturating_mul(1_000_000).saturating_add(nanos / 1000))
}

/// Passes over a field's value. Groups may hold groups; `depth` counts them.
fn skip(cursor: &mut Cursor<'_>, number: u64, wire: u8, at: usize, depth: usize, max_depth: usize) -> Parsed<()> {
    match wire {
        0 => cursor.varint().map(drop),
        1 => cursor.skip(8),
        2 => {
            let length = cursor.varint()?;
            cursor.skip(length)
        }
        3 => {
            if depth >= max_depth {
                return Err(Fault::new(RejectCode::TooDeep, at, "nested deeper than max_depth"));
            }
            loop {
                let at = cursor.at();
                match key(cursor)? {
                    (end, 4) if end == number => return Ok(()),
                    (inner, wire) => skip(cursor, inner, wire, at, depth + 1, max_depth)?,
                }
            }
        }
        4 => Err(Fault::malformed(at, "the end of a group that did not begin")),
        5 => cursor.skip(4),
        _ => Err(Fault::malformed(at, "a wire type that does not exist")),
    }
}

/// A value that is written in another way than the descriptor's type.
#[cold]
fn other_wire(wire: u8, at: usize) -> Fault {
    match wire {
        0 => Fault::wrong_type(at, "a number of variable length"),
        1 => Fault::wrong_type(at, "a number of 8 bytes"),
        2 => Fault::wrong_type(at, "text, bytes, a message or packed numbers"),
        3 => Fault::wrong_type(at, "a group"),
        4 => Fault::malformed(at, "the end of a group that did not begin"),
        5 => Fault::wrong_type(at, "a number of 4 bytes"),
        _ => Fault::malformed(at, "a wire type that does not exist"),
    }
}
