//! Which column types become which element types, and what is lost on the way. Decided once, on the driver.
//!
//! Three kinds of cast. Exact ones need no word. Floats may be rounded, as everyone does with `astype(float32)`; the
//! plan says so. Whole numbers are never changed unseen: where the type alone does not say that every value fits, each
//! value is looked at, and one that the model's type can't hold rejects its row. `allow_lossy: true` lets whole numbers be
//! rounded too; out of range they are rejected even so.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type};

use super::tensor::ElementType;

/// What is asked of each whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Within this range, ends included.
    Within(i64, i64),
    /// Of at most so many significant bits, and of a size up to this.
    Bits(u32, u64),
}

/// Largest finite 16-bit float.
const HALF_MAX: u64 = 65504;

impl Check {
    fn passes(self, value: i64) -> bool {
        match self {
            Self::Within(least, most) => (least..=most).contains(&value),
            Self::Bits(bits, most) => {
                let size = value.unsigned_abs();
                let significant = || u64::BITS - size.leading_zeros() - size.trailing_zeros();
                size == 0 || (significant() <= bits && size <= most)
            }
        }
    }
}

/// Whether a column of this type may feed an input of that type.
pub(super) fn converts(from: &DataType, to: ElementType) -> bool {
    use DataType as D;
    match to {
        ElementType::Float16 | ElementType::Float32 | ElementType::Float64 => {
            matches!(from, D::Boolean | D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::Float32 | D::Float64)
        }
        ElementType::Bool => matches!(from, D::Boolean),
        ElementType::String => matches!(from, D::Utf8),
        _ => matches!(from, D::Boolean | D::Int8 | D::Int16 | D::Int32 | D::Int64),
    }
}

/// What must be asked of the values; `None` if all of them fit.
pub(super) fn check(from: &DataType, to: ElementType, allow_lossy: bool) -> Option<Check> {
    let bits = match from {
        DataType::Int8 => 7,
        DataType::Int16 => 15,
        DataType::Int32 => 31,
        DataType::Int64 => 63,
        _ => return None,
    };
    let within = |least: i64, most: i64| {
        let fits = least <= -1 - (i64::MAX >> (63 - bits)) && most >= i64::MAX >> (63 - bits);
        (!fits).then_some(Check::Within(least, most))
    };
    let exact = |precision: u32, most: u64| (bits > precision && !allow_lossy).then_some(Check::Bits(precision, most));
    match to {
        ElementType::Float16 => exact(11, HALF_MAX),
        ElementType::Float32 => exact(24, u64::MAX),
        ElementType::Float64 => exact(53, u64::MAX),
        ElementType::Int8 => within(i8::MIN.into(), i8::MAX.into()),
        ElementType::Int16 => within(i16::MIN.into(), i16::MAX.into()),
        ElementType::Int32 => within(i32::MIN.into(), i32::MAX.into()),
        ElementType::Int64 | ElementType::Bool | ElementType::String => None,
        ElementType::Uint8 => within(0, u8::MAX.into()),
        ElementType::Uint16 => within(0, u16::MAX.into()),
        ElementType::Uint32 => within(0, u32::MAX.into()),
        ElementType::Uint64 => within(0, i64::MAX),
    }
}

/// What the plan says of a cast; `None` for an exact one.
pub(super) fn remark(from: &DataType, to: ElementType, allow_lossy: bool) -> Option<&'static str> {
    if let Some(check) = check(from, to, allow_lossy) {
        return Some(match check {
            Check::Within(..) => "checked: a value out of range rejects its row",
            Check::Bits(..) => "checked: a value that would be rounded rejects its row",
        });
    }
    match (from, to) {
        (DataType::Float64, ElementType::Float32) => Some("rounded to 24 bits"),
        (DataType::Float32 | DataType::Float64, ElementType::Float16) => Some("rounded to 11 bits, up to 65504"),
        (DataType::Int16 | DataType::Int32 | DataType::Int64, ElementType::Float16) => {
            Some("exact up to 2^11, rounded beyond")
        }
        (DataType::Int32 | DataType::Int64, ElementType::Float32) => Some("exact up to 2^24, rounded beyond"),
        (DataType::Int64, ElementType::Float64) => Some("exact up to 2^53, rounded beyond"),
        _ => None,
    }
}

/// The rows in `range` whose value does not pass; nulls do.
pub(super) fn misfits(column: &ArrayRef, check: Check, range: Range<usize>) -> Vec<usize> {
    fn of<T: ArrowPrimitiveType<Native: Into<i64>>>(
        column: &ArrayRef,
        check: Check,
        range: Range<usize>,
    ) -> Vec<usize> {
        let Some(array) = column.as_primitive_opt::<T>() else { return Vec::new() };
        let values = &array.values()[range.clone()];
        // Mostly all pass; only then is it worth asking which are null.
        let failed = values.iter().zip(range).filter(|(value, _)| !check.passes((**value).into())).map(|(_, row)| row);
        failed.filter(|&row| array.is_valid(row)).collect()
    }
    match column.data_type() {
        DataType::Int8 => of::<Int8Type>(column, check, range),
        DataType::Int16 => of::<Int16Type>(column, check, range),
        DataType::Int32 => of::<Int32Type>(column, check, range),
        _ => of::<Int64Type>(column, check, range),
    }
}

/// What to write instead of a column that has no cast.
pub(super) fn advice(to: ElementType) -> &'static str {
    match to {
        ElementType::Float16 | ElementType::Float32 | ElementType::Float64 => {
            "make it a number in a feature, such as CAST(x AS DOUBLE)"
        }
        ElementType::Bool => "make it a boolean in a feature, such as x > 0",
        ElementType::String => "make it text in a feature, such as CAST(x AS STRING)",
        _ => "make it a whole number in a feature, such as CAST(x AS BIGINT)",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_value_passes_if_the_cast_there_and_back_keeps_it() {
        let values =
            [0, 1, -1, 1 << 24, (1 << 24) + 1, (1 << 24) + 2, 1 << 53, (1 << 53) + 1, i64::MIN, i64::MAX, 3 << 61];
        let single = check(&DataType::Int64, ElementType::Float32, false).unwrap();
        let double = check(&DataType::Int64, ElementType::Float64, false).unwrap();
        let half = check(&DataType::Int64, ElementType::Float16, false).unwrap();
        for value in values {
            assert_eq!(single.passes(value), value as f32 as i128 == i128::from(value), "{value}");
            assert_eq!(double.passes(value), value as f64 as i128 == i128::from(value), "{value}");
        }
        for value in -70_000..70_000 {
            let there = half::f16::from_f64_const(value as f64).to_f64();
            assert_eq!(half.passes(value), there == value as f64, "{value}");
        }
    }

    #[test]
    fn only_types_that_may_not_fit_are_looked_at() {
        use ElementType as E;
        for (from, to, looked_at) in [
            (DataType::Int8, E::Int8, false),
            (DataType::Int8, E::Uint8, true),
            (DataType::Int16, E::Int8, true),
            (DataType::Int32, E::Int32, false),
            (DataType::Int64, E::Int64, false),
            (DataType::Int64, E::Uint64, true),
            (DataType::Int8, E::Float16, false),
            (DataType::Int16, E::Float16, true),
            (DataType::Int16, E::Float32, false),
            (DataType::Int32, E::Float32, true),
            (DataType::Int32, E::Float64, false),
            (DataType::Int64, E::Float64, true),
            (DataType::Float64, E::Float32, false),
            (DataType::Boolean, E::Uint8, false),
        ] {
            assert_eq!(check(&from, to, false).is_some(), looked_at, "{from} to {to:?}");
        }
        assert_eq!(check(&DataType::Int64, E::Float32, true), None);
        assert_eq!(check(&DataType::Int64, E::Int8, true), Some(Check::Within(-128, 127)));
    }
}
