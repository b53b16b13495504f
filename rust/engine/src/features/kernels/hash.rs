//! `xxhash64(…)` with Spark's bits: one hash per row, over the values of any number of columns.
//!
//! XXH64 of a value's little-endian bytes; the hash of one column is the seed of the next, and the first seed is 42.
//! What counts as a value's bytes is Spark's choice (`HashExpression`): whole numbers up to INT, BOOLEAN and DATE have
//! four, BIGINT and timestamps eight, floats those of their bits, with one zero and one NaN. A null leaves the hash as
//! it is. These hashes end up in trained models, so they must stay the same for ever.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use twox_hash::XxHash64;

use super::{boolean, primitive, text};

/// Spark's seed.
const SEED: u64 = 42;
/// A DECIMAL of at most this precision is hashed as a BIGINT.
const LONG_DIGITS: u8 = 18;

/// True if values of this type have a hash.
pub(in super::super) fn is_known(data_type: &DataType) -> bool {
    use DataType::{Binary, Boolean, Date32, Decimal128, Null, Timestamp, Utf8};
    let number = data_type.is_integer() || data_type.is_floating();
    number || matches!(data_type, Null | Boolean | Date32 | Timestamp(_, _) | Utf8 | Binary | Decimal128(_, _))
}

/// `xxhash64(…)`; never null.
pub(in super::super) fn xxhash64(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    Ok(Arc::new(Int64Array::from_iter_values(hashes(args)?.into_iter().map(|hash| hash as i64))))
}

/// `pmod(xxhash64(…), buckets)` as INT; `buckets` is positive.
pub(in super::super) fn bucket(buckets: i32, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let bucket = |hash: u64| (hash as i64).rem_euclid(i64::from(buckets)) as i32;
    Ok(Arc::new(Int32Array::from_iter_values(hashes(args)?.into_iter().map(bucket))))
}

fn hashes(args: &[ArrayRef]) -> Result<Vec<u64>, ArrowError> {
    let mut hashes = vec![SEED; args.first().map_or(0, |column| column.len())];
    for column in args {
        add(column, &mut hashes)?;
    }
    Ok(hashes)
}

/// Take one more column into the rows' hashes.
fn add(column: &ArrayRef, hashes: &mut [u64]) -> Result<(), ArrowError> {
    match column.data_type() {
        DataType::Null => {}
        DataType::Boolean => each(hashes, boolean(column)?, |seed, value| four(seed, value.into())),
        DataType::Int8 => each(hashes, primitive::<Int8Type>(column)?, |seed, value| four(seed, value.into())),
        DataType::Int16 => each(hashes, primitive::<Int16Type>(column)?, |seed, value| four(seed, value.into())),
        DataType::Int32 => each(hashes, primitive::<Int32Type>(column)?, four),
        DataType::Date32 => each(hashes, primitive::<Date32Type>(column)?, four),
        DataType::Int64 => each(hashes, primitive::<Int64Type>(column)?, eight),
        DataType::Timestamp(_, _) => each(hashes, primitive::<TimestampMicrosecondType>(column)?, eight),
        DataType::Float32 => each(hashes, primitive::<Float32Type>(column)?, |seed, x| four(seed, float_bits(x))),
        DataType::Float64 => each(hashes, primitive::<Float64Type>(column)?, |seed, x| eight(seed, double_bits(x))),
        DataType::Decimal128(precision, _) if *precision <= LONG_DIGITS => {
            each(hashes, primitive::<Decimal128Type>(column)?, |seed, unscaled| eight(seed, unscaled as i64));
        }
        DataType::Decimal128(_, _) => each(hashes, primitive::<Decimal128Type>(column)?, wide_decimal),
        DataType::Binary => each(hashes, column.as_binary::<i32>(), XxHash64::oneshot),
        _ => each(hashes, text(column)?, |seed, value| XxHash64::oneshot(seed, value.as_bytes())),
    }
    Ok(())
}

fn each<V>(hashes: &mut [u64], values: impl IntoIterator<Item = Option<V>>, hash: impl Fn(u64, V) -> u64) {
    for (seed, value) in hashes.iter_mut().zip(values) {
        if let Some(value) = value {
            *seed = hash(*seed, value);
        }
    }
}

fn four(seed: u64, value: i32) -> u64 {
    XxHash64::oneshot(seed, &value.to_le_bytes())
}

fn eight(seed: u64, value: i64) -> u64 {
    XxHash64::oneshot(seed, &value.to_le_bytes())
}

/// As Java's `Float.floatToIntBits`, and -0.0 is 0.0.
fn float_bits(x: f32) -> i32 {
    if x == 0.0 {
        return 0;
    }
    if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() as i32 }
}

/// As Java's `Double.doubleToLongBits`, and -0.0 is 0.0.
fn double_bits(x: f64) -> i64 {
    if x == 0.0 {
        return 0;
    }
    if x.is_nan() { 0x7ff8_0000_0000_0000 } else { x.to_bits() as i64 }
}

/// A wide DECIMAL has the bytes of Java's `BigInteger.toByteArray`: big-endian, as few as hold the number and its sign.
fn wide_decimal(seed: u64, unscaled: i128) -> u64 {
    let bytes = unscaled.to_be_bytes();
    let sign = if unscaled < 0 { 0xff } else { 0 };
    let spare = bytes.windows(2).take_while(|pair| pair[0] == sign && (pair[1] ^ sign) < 0x80).count();
    XxHash64::oneshot(seed, &bytes[spare..])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{BooleanArray, Decimal128Array, Float64Array, NullArray, StringArray};

    fn hashed(columns: &[ArrayRef]) -> Vec<i64> {
        xxhash64(columns).unwrap().as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn a_null_leaves_the_hash_as_it_is() {
        let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let nothing: ArrayRef = Arc::new(NullArray::new(2));
        assert_eq!(hashed(&[Arc::clone(&nothing)]), [42, 42]);
        let alone = hashed(&[Arc::clone(&words)]);
        assert_eq!(alone[1], 42);
        assert_eq!(hashed(&[words, nothing]), alone);
    }

    #[test]
    fn zeros_are_one_and_so_are_nans() {
        let other_nan = f64::from_bits(0xfff8_0000_0000_0001);
        let column: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, other_nan, 1.0]));
        let hashes = hashed(&[column]);
        assert_eq!((hashes[0], hashes[2]), (hashes[1], hashes[3]));
        assert!(hashes[0] != hashes[2] && hashes[0] != hashes[4]);
    }

    #[test]
    fn a_wide_decimal_has_the_bytes_of_a_big_integer() {
        for (unscaled, bytes) in [
            (0_i128, vec![0x00]),
            (127, vec![0x7f]),
            (128, vec![0x00, 0x80]),
            (-1, vec![0xff]),
            (-128, vec![0x80]),
            (-129, vec![0xff, 0x7f]),
            (i128::MAX, i128::MAX.to_be_bytes().to_vec()),
            (i128::MIN, i128::MIN.to_be_bytes().to_vec()),
        ] {
            assert_eq!(wide_decimal(7, unscaled), XxHash64::oneshot(7, &bytes), "{unscaled}");
        }
        let of = |precision: u8| {
            let column = Decimal128Array::from(vec![5]).with_precision_and_scale(precision, 0).unwrap();
            hashed(&[Arc::new(column)])[0]
        };
        assert_eq!(of(18), eight(SEED, 5) as i64);
        assert_eq!(of(19), wide_decimal(SEED, 5) as i64);
    }

    #[test]
    fn buckets_are_not_negative() {
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let words: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
        let columns = [flags, words];
        for buckets in [1, 2, 7, i32::MAX] {
            let output = bucket(buckets, &columns).unwrap();
            for (bucket, hash) in output.as_primitive::<Int32Type>().values().iter().zip(hashed(&columns)) {
                assert!((0..buckets).contains(bucket));
                assert_eq!((i128::from(hash) - i128::from(*bucket)) % i128::from(buckets), 0);
            }
        }
    }
}
