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
        // Beyond 2^53, where a double would round, all are infinite.
        Self::of_double(value as f64)
    }

    fn of_single(value: f32) -> Self {
        Self::from_f32_const(value)
    }

    /// Not `from_f64`, which rounds twice on some processors and drops the lower half of the bits on others.
    fn of_double(value: f64) -> Self {
        Self::from_f32_const(to_odd(value))
    }
}

/// The 32-bit float for which another rounding, to few bits, gives what rounding once would: cut off, and the last bit
/// set if anything was lost (round to odd; Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
fn to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let back = f64::from(nearest);
    if back == value || value.is_nan() {
        return nearest;
    }
    let cut = nearest.to_bits() - u32::from(back.abs() > value.abs());
    f32::from_bits(cut | 1)
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
        assert_eq!(f16::of_double(65520.0 - 1e-9), f16::MAX);
        assert_eq!(f16::of_double(-1e300), f16::NEG_INFINITY);
        assert!(f16::of_double(f64::NAN).is_nan());
        // Beside every middle of two neighbours, the subnormal ones too.
        for bits in 0..f16::MAX.to_bits() {
            let (below, above) = (f16::from_bits(bits), f16::from_bits(bits + 1));
            let middle = f64::midpoint(below.to_f64(), above.to_f64());
            assert_eq!(f16::of_double(middle.next_down()), below);
            assert_eq!(f16::of_double(middle.next_up()), above);
            assert_eq!(f16::of_double(-middle).to_bits(), 0x8000 | (bits + bits % 2));
            assert_eq!(f16::of_double(below.to_f64()), below);
        }
        assert_eq!(f16::of_whole(2048).to_f64(), 2048.0);
    }
}
