//! The number types that tensors hold, and how a column's values become them.
//!
//! Whether a value may is decided elsewhere ([`super::cast`]); here it is done, as NumPy's `astype` does it.

use half::f16;

/// A number type that tensors hold.
pub(super) trait Number: Copy + Default {
    /// What a null becomes, if the type has a value for it.
    const MISSING: Option<Self>;

    /// 0 or 1.
    fn of_bool(value: bool) -> Self;
    /// A whole number; that it is in the type's range was checked.
    fn of_whole(value: i64) -> Self;
    /// A 32-bit float.
    fn of_single(value: f32) -> Self;
    /// A 64-bit float, rounded once.
    fn of_double(value: f64) -> Self;
}

macro_rules! number {
    ($kind:ty, $missing:expr) => {
        impl Number for $kind {
            const MISSING: Option<Self> = $missing;

            #[inline(always)]
            fn of_bool(value: bool) -> Self {
                u8::from(value) as Self
            }

            #[inline(always)]
            fn of_whole(value: i64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn of_single(value: f32) -> Self {
                value as Self
            }

            #[inline(always)]
            fn of_double(value: f64) -> Self {
                value as Self
            }
        }
    };
}

number!(f32, Some(f32::NAN));
number!(f64, Some(f64::NAN));
number!(i8, None);
number!(i16, None);
number!(i32, None);
number!(i64, None);
number!(u8, None);
number!(u16, None);
number!(u32, None);
number!(u64, None);

impl Number for f16 {
    const MISSING: Option<Self> = Some(f16::NAN);

    fn of_bool(value: bool) -> Self {
        if value { Self::ONE } else { Self::ZERO }
    }

    fn of_whole(value: i64) -> Self {
        Self::from_f64_const(value as f64)
    }

    fn of_single(value: f32) -> Self {
        Self::from_f32_const(value)
    }

    /// Not `from_f64`: on processors with their own conversion it goes through 32 bits and rounds twice.
    fn of_double(value: f64) -> Self {
        Self::from_f64_const(value)
    }
}

/// Only booleans become booleans; the others are for the trait.
impl Number for bool {
    const MISSING: Option<Self> = None;

    fn of_bool(value: bool) -> Self {
        value
    }

    fn of_whole(value: i64) -> Self {
        value != 0
    }

    fn of_single(value: f32) -> Self {
        value != 0.0
    }

    fn of_double(value: f64) -> Self {
        value != 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_becomes_a_half_in_one_rounding() {
        // Halfway between two 16-bit floats but for a bit that 32 bits do not hold: 1 + 2^-11 + 2^-40.
        let value = 1.0 + 2f64.powi(-11) + 2f64.powi(-40);
        assert_eq!(f16::of_double(value).to_bits(), 0x3c01);
        assert_eq!(f16::of_double(1.0 + 2f64.powi(-11)).to_bits(), 0x3c00);
        assert_eq!(f16::of_double(65520.0), f16::INFINITY);
        assert_eq!(f16::of_whole(2048).to_f64(), 2048.0);
    }
}
