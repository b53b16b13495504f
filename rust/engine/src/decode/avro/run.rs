//! The steps of a plan, taken over the bytes of one record.

use super::plan::{Plan, Step, Value};
use super::schema::Unit;
use super::skip::{length, no_branch};
use crate::decode::binary::{self, Cursor};
use crate::decode::columns::Columns;
use crate::decode::fault::{Fault, Parsed};
use crate::decode::store::Store;

/// Takes the steps of one record; the cursor is left behind its last byte.
pub(super) fn run(plan: &Plan, steps: &[Step], cursor: &mut Cursor<'_>, columns: &mut Columns) -> Parsed<()> {
    for step in steps {
        take(plan, step, cursor, columns)?;
    }
    Ok(())
}

#[inline(always)]
fn take(plan: &Plan, step: &Step, cursor: &mut Cursor<'_>, columns: &mut Columns) -> Parsed<()> {
    match step {
        Step::Value { column, value } => read(*column, value, cursor, columns),
        Step::Nullable { column, null, value } => {
            let at = cursor.at();
            match unzigzag_branch(cursor)? {
                branch if branch == *null => null_at(*column, at, columns),
                0 | 1 => read(*column, value, cursor, columns),
                _ => Err(no_branch(at).in_column(*column)),
            }
        }
        Step::SkipBytes(count) => cursor.skip(*count),
        Step::SkipVarint => cursor.varint().map(drop),
        Step::Skip { of, depth } => plan.skipper.skip(*of, cursor, *depth),
        other => take_rare(plan, other, cursor, columns),
    }
}

#[inline(never)]
fn take_rare(plan: &Plan, step: &Step, cursor: &mut Cursor<'_>, columns: &mut Columns) -> Parsed<()> {
    match step {
        Step::Record(steps) => run(plan, steps, cursor, columns),
        Step::Nulls(of) => of.iter().try_for_each(|&column| null_at(column, cursor.at(), columns)),
        Step::Union(branches) => {
            let at = cursor.at();
            let branch = unzigzag_branch(cursor)?;
            match usize::try_from(branch).ok().and_then(|branch| branches.get(branch)) {
                Some(step) => take(plan, step, cursor, columns),
                None => Err(no_branch(at)),
            }
        }
        Step::Refused { subject, found } => Err(Fault::wrong_type(cursor.at(), found).in_column(*subject)),
        Step::Default { datum, step } => {
            let at = cursor.at();
            let mut inner = Cursor::new(datum, 0);
            take(plan, step, &mut inner, columns).map_err(|fault| fault.placed(at))
        }
        other => take(plan, other, cursor, columns),
    }
}

/// A branch's number; one beyond the schema's for a negative one.
#[inline(always)]
fn unzigzag_branch(cursor: &mut Cursor<'_>) -> Parsed<u64> {
    Ok(u64::try_from(cursor.zigzag()?).unwrap_or(u64::MAX))
}

#[inline(always)]
fn null_at(column: usize, at: usize, columns: &mut Columns) -> Parsed<()> {
    if columns.name(column).is_none() {
        return Err(twice(column, at));
    }
    columns.push_null(column, at)
}

#[inline(always)]
fn read(column: usize, value: &Value, cursor: &mut Cursor<'_>, columns: &mut Columns) -> Parsed<()> {
    let at = cursor.at();
    let Some(store) = columns.name(column) else { return Err(twice(column, at)) };
    read_into(store, value, cursor, at).map_err(|fault| fault.in_column(column))
}

#[inline(always)]
fn read_into(store: &mut Store, value: &Value, cursor: &mut Cursor<'_>, at: usize) -> Parsed<()> {
    match value {
        Value::Long => binary::integer(store, cursor.zigzag()?, at),
        Value::Double => binary::double(store, f64::from_le_bytes(cursor.array()?), at),
        Value::Float => binary::float(store, f32::from_le_bytes(cursor.array()?), at),
        Value::Int => binary::integer(store, i64::from(int(cursor)?), at),
        Value::Bytes => {
            let length = length(cursor)?;
            let from = cursor.at();
            binary::bytes(store, cursor.take(length)?, from)
        }
        Value::Boolean => match cursor.array()? {
            [0] => binary::boolean(store, false, at),
            [1] => binary::boolean(store, true, at),
            _ => Err(Fault::malformed(at, "a boolean that is neither 0 nor 1")),
        },
        Value::Timestamp(unit) => {
            let ticks = cursor.zigzag()?;
            let micros = match unit {
                Unit::Millis => ticks.saturating_mul(1000),
                Unit::Micros => ticks,
                Unit::Nanos => ticks.div_euclid(1000),
            };
            binary::instant(store, micros, at)
        }
        Value::Date => binary::date(store, int(cursor)?, at),
        other => read_rare(store, other, cursor, at),
    }
}

#[inline(never)]
fn read_rare(store: &mut Store, value: &Value, cursor: &mut Cursor<'_>, at: usize) -> Parsed<()> {
    match value {
        Value::Enum(symbols) => {
            let position = usize::try_from(int(cursor)?).ok();
            match position.and_then(|position| symbols.get(position)) {
                Some(symbol) => binary::text(store, symbol, at),
                None => Err(Fault::malformed(at, "an enum value that the schema does not have")),
            }
        }
        Value::DecimalBytes(scale) => {
            let length = length(cursor)?;
            let digits = integer_of(cursor.take(length)?, at)?;
            binary::unscaled(store, digits, *scale, at)
        }
        Value::DecimalFixed(size, scale) => {
            let digits = integer_of(cursor.take(*size as u64)?, at)?;
            binary::unscaled(store, digits, *scale, at)
        }
        Value::Fixed(size) => binary::bytes(store, cursor.take(*size as u64)?, at),
        Value::Uuid => binary::text(store, std::str::from_utf8(&uuid(cursor.array()?)).unwrap_or_default(), at),
        other => read_into(store, other, cursor, at),
    }
}

#[inline(always)]
fn int(cursor: &mut Cursor<'_>) -> Parsed<i32> {
    let at = cursor.at();
    i32::try_from(cursor.zigzag()?).map_err(|_| Fault::malformed(at, "an int of more than 32 bits"))
}

/// A two's complement number, most significant byte first.
fn integer_of(bytes: &[u8], at: usize) -> Parsed<i128> {
    let Some(first) = bytes.first() else { return Err(Fault::malformed(at, "a decimal without digits")) };
    let sign = if first & 0x80 == 0 { 0u8 } else { 0xFF };
    let (extra, digits) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut value = [sign; 16];
    value[16 - digits.len()..].copy_from_slice(digits);
    let value = i128::from_be_bytes(value);
    // Bytes beyond the sixteenth must repeat the sign.
    if extra.iter().any(|byte| *byte != sign) || (value < 0) != (sign == 0xFF) {
        return Err(binary::out_of_range(at));
    }
    Ok(value)
}

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, as RFC 9562 writes it.
fn uuid(bytes: [u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut place = 0;
    for (i, byte) in bytes.into_iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            place += 1;
        }
        for digit in [byte >> 4, byte & 15] {
            text[place] = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
            place += 1;
        }
    }
    text
}

/// No plan has a column twice: a fault in Firesteel that must not stop a job.
#[cold]
fn twice(column: usize, at: usize) -> Fault {
    Fault::malformed(at, "two values for one column").in_column(column)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::stage::RejectCode;

    #[test]
    fn decimals_of_any_length() {
        for (bytes, value) in [
            (&[0][..], Some(0)),
            (&[0x7F], Some(127)),
            (&[0x80], Some(-128)),
            (&[0xFF, 0xFF, 0xFE], Some(-2)),
            (&[0; 40], Some(0)),
            (&[0xFF; 40], Some(-1)),
            (&[0x7F; 17], None),
            // 2^127 needs a seventeenth byte for its sign; without the sign it is another number.
            (&[0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None),
        ] {
            assert_eq!(integer_of(bytes, 0).ok(), value, "{bytes:?}");
        }
        assert_eq!(integer_of(&[], 0).unwrap_err().code(), RejectCode::Malformed);
    }

    #[test]
    fn uuids_as_text() {
        let bytes = [0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00];
        assert_eq!(&uuid(bytes), b"123e4567-e89b-12d3-a456-426614174000");
    }
}
