//! `DECIMAL(p,s)` columns: exact from the text, rounded half up (away from zero) to the scale as Spark does.

use super::number::Number;
use crate::decode::fault::Parsed;

/// The digits scaled by `10^scale`; refused where more than `precision` digits are needed.
pub(in crate::decode) fn scaled(number: Number, bytes: &[u8], precision: u8, scale: i8) -> Parsed<i128> {
    let magnitude = if number.is_exact {
        shift(u128::from(number.digits), i64::from(number.exponent) + i64::from(scale))
    } else {
        from_text(number, bytes, scale)
    };
    let limit = 10u128.pow(u32::from(precision.min(38)));
    match magnitude.filter(|&magnitude| magnitude < limit) {
        // Below 10^38, so the conversion cannot change the value.
        Some(magnitude) => Ok(if number.is_negative { -(magnitude as i128) } else { magnitude as i128 }),
        None => Err(number.out_of_range()),
    }
}

/// `unscaled × 10^-from_scale` at another scale; `None` where more than `precision` digits are needed.
#[inline]
pub(in crate::decode) fn rescaled(unscaled: i128, from_scale: i32, precision: u8, scale: i8) -> Option<i128> {
    let limit = 10u128.pow(u32::from(precision.min(38)));
    let magnitude = shift(unscaled.unsigned_abs(), i64::from(scale) - i64::from(from_scale))?;
    // Below 10^38, so the conversion cannot change the value.
    (magnitude < limit).then(|| if unscaled < 0 { -(magnitude as i128) } else { magnitude as i128 })
}

/// `digits × 10^power`, rounded half up; `None` if it does not fit.
fn shift(digits: u128, power: i64) -> Option<u128> {
    if digits == 0 {
        return Some(0);
    }
    let factor = u32::try_from(power.unsigned_abs()).ok().and_then(|power| 10u128.checked_pow(power));
    if power >= 0 {
        digits.checked_mul(factor?)
    } else {
        // A divisor beyond 10^38 leaves nothing of digits below 2^128 / 10: they are below half of it.
        Some(factor.map_or(0, |divisor| digits / divisor + u128::from(digits % divisor >= divisor / 2)))
    }
}

/// The slow way, for more digits than a `u64` holds: digit by digit, the first dropped one decides the rounding.
#[cold]
fn from_text(number: Number, bytes: &[u8], scale: i8) -> Option<u128> {
    let mantissa = number.text(bytes).split(['e', 'E']).next().unwrap_or_default();
    let all = || mantissa.bytes().filter(u8::is_ascii_digit);
    let count = all().count() as i64;
    // Digits before the place where the scale cuts.
    let kept = count + i64::from(number.exponent) + i64::from(scale);
    let mut magnitude = 0u128;
    for (place, digit) in all().enumerate() {
        let digit = u128::from(digit - b'0');
        if (place as i64) < kept {
            magnitude = magnitude.checked_mul(10)?.checked_add(digit)?;
        } else {
            let is_first_dropped = place as i64 == kept;
            return magnitude.checked_add(u128::from(is_first_dropped && digit >= 5));
        }
    }
    shift(magnitude, kept - count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decode::text::number::scan;

    fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
        scaled(scan(text.as_bytes(), 0).unwrap(), text.as_bytes(), precision, scale).ok()
    }

    #[test]
    fn exact_within_precision_and_scale() {
        assert_eq!(decimal("12.34", 10, 2), Some(1234));
        assert_eq!(decimal("-12.3", 10, 2), Some(-1230));
        assert_eq!(decimal("1e3", 10, 2), Some(100_000));
        assert_eq!(decimal("125e-2", 10, 2), Some(125));
        assert_eq!(decimal("-0", 5, 2), Some(0));
        assert_eq!(decimal("0e999999", 5, 2), Some(0));
        assert_eq!(decimal("0.1", 38, 38), Some(10i128.pow(37)));
        let nines = "99999999999999999999999999999999999999";
        assert_eq!(decimal(nines, 38, 0), Some(10i128.pow(38) - 1));
        assert_eq!(decimal(&format!("-{}.{}", &nines[..20], &nines[..18]), 38, 18), Some(1 - 10i128.pow(38)));
    }

    #[test]
    fn rounds_half_up_at_the_scale() {
        assert_eq!(decimal("1.005", 10, 2), Some(101));
        assert_eq!(decimal("1.0049999", 10, 2), Some(100));
        assert_eq!(decimal("-1.005", 10, 2), Some(-101));
        assert_eq!(decimal("0.5", 3, 0), Some(1));
        assert_eq!(decimal("0.05", 3, 0), Some(0));
        assert_eq!(decimal("0.005000000000000000000000000000000000000001", 10, 2), Some(1));
        assert_eq!(decimal("123456789012345678901.995", 38, 2), Some(12_345_678_901_234_567_890_200));
        assert_eq!(decimal("0.9999999999999999999999999999999999999999999999", 10, 2), Some(100));
        assert_eq!(decimal("123456789012345678901234567890e-29", 3, 2), Some(123));
        assert_eq!(decimal("123456789012345678901234567890e-99", 3, 2), Some(0));
        assert_eq!(decimal("1e-99", 3, 2), Some(0));
    }

    #[test]
    fn moves_from_scale_to_scale() {
        assert_eq!(rescaled(12345, 3, 10, 2), Some(1235));
        assert_eq!(rescaled(-12345, 3, 10, 2), Some(-1235));
        assert_eq!(rescaled(12345, 2, 10, 4), Some(1_234_500));
        assert_eq!(rescaled(12345, 2, 6, 4), None);
        assert_eq!(rescaled(i128::MIN, 0, 38, 0), None);
        assert_eq!(rescaled(i128::MAX, 38, 38, 37), Some(17_014_118_346_046_923_173_168_730_371_588_410_573));
        assert_eq!(rescaled(5, 0, 38, 38), None);
        assert_eq!(rescaled(5, 90, 38, 0), Some(0));
    }

    #[test]
    fn refuses_more_digits_than_the_precision() {
        for (text, precision, scale) in [
            ("1000", 5, 2),
            ("999.995", 5, 2),
            ("1e38", 38, 0),
            ("100000000000000000000000000000000000000", 38, 0),
            ("999999999999999999999999999999999999999999999999", 38, 0),
            ("1e999999999", 38, 10),
            ("123456789012345678901e999999999", 38, 10),
        ] {
            assert_eq!(decimal(text, precision, scale), None, "{text}");
        }
        assert_eq!(decimal("999.99", 5, 2), Some(99_999));
    }
}
