//! What Avro and Protobuf share: a cursor over a record's bytes, and values that go into columns as they are.
//!
//! The plans of both formats are made so that a value's kind and its column's type fit; what may still go wrong with
//! one value is its range. Nothing here allocates.

use super::fault::{Fault, Parsed};
use super::store::Store;
use super::text::{decimal, timestamp};
use crate::stage::RejectCode;

/// A place in a record's bytes. The bytes may end before the record does: a nested message's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At byte `at`.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Number of the next byte in the record.
    #[inline(always)]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Whether no byte is left.
    #[inline(always)]
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Bytes that are left.
    #[inline(always)]
    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// A base-128 number, lowest seven bits first, of at most 64 bits.
    #[inline(always)]
    pub(super) fn varint(&mut self) -> Parsed<u64> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            Some(_) => self.long_varint(),
            None => Err(self.ends()),
        }
    }

    #[inline]
    fn long_varint(&mut self) -> Parsed<u64> {
        let mut value = 0u64;
        for (place, &byte) in self.bytes.get(self.at..).unwrap_or_default().iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7F) << (7 * place);
            if byte < 0x80 {
                if place == 9 && byte > 1 {
                    break;
                }
                self.at += place + 1;
                return Ok(value);
            }
        }
        Err(if self.left() < 10 { self.ends() } else { Fault::malformed(self.at, "a number of more than 64 bits") })
    }

    /// A base-128 number that stands for a signed one: 0, -1, 1, -2, …
    #[inline(always)]
    pub(super) fn zigzag(&mut self) -> Parsed<i64> {
        self.varint().map(unzigzag)
    }

    /// The next `N` bytes.
    #[inline(always)]
    pub(super) fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        match self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => Err(self.ends()),
        }
    }

    /// The next `length` bytes.
    #[inline(always)]
    pub(super) fn take(&mut self, length: u64) -> Parsed<&'a [u8]> {
        let from = self.at;
        self.skip(length)?;
        Ok(self.bytes.get(from..self.at).unwrap_or_default())
    }

    /// A cursor over the next `length` bytes, which are passed over here.
    #[inline(always)]
    pub(super) fn inner(&mut self, length: u64) -> Parsed<Self> {
        let from = self.at;
        self.skip(length)?;
        Ok(Self { bytes: self.bytes.get(..self.at).unwrap_or_default(), at: from })
    }

    /// Passes over `length` bytes.
    #[inline(always)]
    pub(super) fn skip(&mut self, length: u64) -> Parsed<()> {
        if length > self.left() as u64 {
            return Err(Fault::malformed(self.at, "a length beyond the record's end"));
        }
        self.at += length as usize;
        Ok(())
    }

    #[cold]
    fn ends(&self) -> Fault {
        Fault::malformed(self.at, "the record ends inside a value")
    }
}

/// 0, -1, 1, -2, … for 0, 1, 2, 3, …
#[inline(always)]
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A whole number into any column of numbers that holds it; a plain number in a timestamp's place is an epoch in
/// milliseconds, as in every format.
#[inline(always)]
pub(super) fn integer(store: &mut Store, value: i64, at: usize) -> Parsed<()> {
    match store {
        Store::Int64(column) => column.push(value),
        Store::Int32(column) => column.push(narrow(value, at)?),
        Store::Float64(column) => column.push(value as f64),
        other => return other_integer(other, value, at),
    }
    Ok(())
}

#[inline(never)]
fn other_integer(store: &mut Store, value: i64, at: usize) -> Parsed<()> {
    match store {
        Store::Int8(column) => column.push(narrow(value, at)?),
        Store::Int16(column) => column.push(narrow(value, at)?),
        Store::Float32(column) => column.push(value as f32),
        Store::Decimal(..) => return unscaled(store, i128::from(value), 0, at),
        Store::Instant(_) => {
            let micros = timestamp::from_epoch_millis(value).map_err(|fault| fault.placed(at))?;
            return instant(store, micros, at);
        }
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// A whole number without sign, as [`integer`].
#[inline(always)]
pub(super) fn unsigned(store: &mut Store, value: u64, at: usize) -> Parsed<()> {
    match i64::try_from(value) {
        Ok(value) => integer(store, value, at),
        Err(_) => large_unsigned(store, value, at),
    }
}

#[inline(never)]
fn large_unsigned(store: &mut Store, value: u64, at: usize) -> Parsed<()> {
    match store {
        Store::Float64(column) => column.push(value as f64),
        Store::Float32(column) => column.push(value as f32),
        Store::Decimal(..) => return unscaled(store, i128::from(value), 0, at),
        _ => return Err(out_of_range(at)),
    }
    Ok(())
}

#[inline(always)]
fn narrow<T: TryFrom<i64>>(value: i64, at: usize) -> Parsed<T> {
    T::try_from(value).map_err(|_| out_of_range(at))
}

/// A 32-bit number with a fraction.
#[inline(always)]
pub(super) fn float(store: &mut Store, value: f32, at: usize) -> Parsed<()> {
    match store {
        Store::Float32(column) => column.push(value),
        Store::Float64(column) => column.push(f64::from(value)),
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// A 64-bit number with a fraction.
#[inline(always)]
pub(super) fn double(store: &mut Store, value: f64, at: usize) -> Parsed<()> {
    match store {
        Store::Float64(column) => column.push(value),
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// A truth value.
#[inline(always)]
pub(super) fn boolean(store: &mut Store, value: bool, at: usize) -> Parsed<()> {
    match store {
        Store::Boolean(column) => column.push(value),
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// Bytes for a column of text, where they must be UTF-8, or of bytes. `at` is where they start.
#[inline(always)]
pub(super) fn bytes(store: &mut Store, value: &[u8], at: usize) -> Parsed<()> {
    match store {
        Store::Text(column) => {
            check_utf8(value, at)?;
            column.push(value);
        }
        Store::Binary(column) => column.push(value),
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// Text that is known to be UTF-8.
#[inline(always)]
pub(super) fn text(store: &mut Store, value: &str, at: usize) -> Parsed<()> {
    match store {
        Store::Text(column) => column.push(value.as_bytes()),
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

#[inline(always)]
fn check_utf8(value: &[u8], at: usize) -> Parsed<()> {
    // Most texts are short and plain.
    if value.is_ascii() {
        return Ok(());
    }
    match simdutf8::compat::from_utf8(value) {
        Ok(_) => Ok(()),
        Err(error) => {
            let at = at + error.valid_up_to();
            Err(Fault::new(RejectCode::InvalidUtf8, at, "bytes that are not UTF-8"))
        }
    }
}

/// Days since 1970-01-01.
#[inline]
pub(super) fn date(store: &mut Store, days: i32, at: usize) -> Parsed<()> {
    match store {
        Store::Date(column) => column.push(timestamp::day_in_range(days).map_err(|fault| fault.placed(at))?),
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// Microseconds since 1970 for a column of instants or of clock readings.
#[inline]
pub(super) fn instant(store: &mut Store, micros: i64, at: usize) -> Parsed<()> {
    match store {
        Store::Instant(column) | Store::Wall(column) => {
            column.push(timestamp::in_range(micros).map_err(|fault| fault.placed(at))?);
        }
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// `value × 10^-scale`, rounded half up to the column's scale.
#[inline]
pub(super) fn unscaled(store: &mut Store, value: i128, scale: i32, at: usize) -> Parsed<()> {
    match store {
        Store::Decimal(column, precision, wanted) => {
            let fits = decimal::rescaled(value, scale, *precision, *wanted);
            column.push(fits.ok_or_else(|| out_of_range(at))?);
        }
        _ => return Err(unplanned(at)),
    }
    Ok(())
}

/// A number that its column's type cannot hold.
#[cold]
pub(super) fn out_of_range(at: usize) -> Fault {
    Fault::new(RejectCode::OutOfRange, at, "a number outside the range of {type}")
}

/// A kind of value that no plan sends to this type of column: a fault in Firesteel that must not stop a job.
#[cold]
fn unplanned(at: usize) -> Fault {
    Fault::wrong_type(at, "a value of a kind that was not expected here")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn varints_of_every_length() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[0x7F], 127),
            (&[0x80, 1], 128),
            (&[0xFF, 0x7F], 16_383),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], 1 << 63),
            (&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], u64::MAX),
            // Longer than it must be, as some writers do.
            (&[0x80, 0x80, 0], 0),
        ] {
            let mut cursor = Cursor::new(bytes, 0);
            assert_eq!((cursor.varint().unwrap(), cursor.is_done()), (value, true), "{bytes:?}");
        }
    }

    #[test]
    fn varints_that_end_early_or_never() {
        for bytes in [&[][..], &[0x80], &[0xFF; 9], &[0xFF; 10], &[0xFF; 20]] {
            assert_eq!(Cursor::new(bytes, 0).varint().unwrap_err().code(), RejectCode::Malformed, "{bytes:?}");
        }
        let two_bits_too_many = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2];
        assert!(Cursor::new(&two_bits_too_many, 0).varint().is_err());
    }

    #[test]
    fn zigzag_reaches_both_ends() {
        assert_eq!([0, 1, 2, 3].map(unzigzag), [0, -1, 1, -2]);
        assert_eq!((unzigzag(u64::MAX), unzigzag(u64::MAX - 1)), (i64::MIN, i64::MAX));
    }

    #[test]
    fn lengths_stay_inside() {
        let mut cursor = Cursor::new(b"abcdef", 2);
        assert!(cursor.take(5).is_err() && cursor.skip(u64::MAX).is_err() && cursor.array::<5>().is_err());
        let mut inner = cursor.inner(3).unwrap();
        assert_eq!((inner.at(), inner.left(), cursor.at()), (2, 3, 5));
        assert!(inner.take(4).is_err());
        assert_eq!(inner.take(3).unwrap(), b"cde");
    }
}
