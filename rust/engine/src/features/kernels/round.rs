//! `round(x, d)`: half up, on the decimal digits that Java prints for the number.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::error::ArrowError;

use super::{failed, map};

const OVERFLOW: &str = "overflow in round";

/// `round(x, scale)` in the type of `x`.
pub(in super::super) fn round(scale: i32, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let x = &args[0];
    match x.data_type() {
        DataType::Int8 => {
            map::<Int8Type, Int8Type>(x, |x| i8::try_from(whole(x.into(), scale)).or_else(|_| failed(OVERFLOW)))
        }
        DataType::Int16 => {
            map::<Int16Type, Int16Type>(x, |x| i16::try_from(whole(x.into(), scale)).or_else(|_| failed(OVERFLOW)))
        }
        DataType::Int32 => {
            map::<Int32Type, Int32Type>(x, |x| i32::try_from(whole(x.into(), scale)).or_else(|_| failed(OVERFLOW)))
        }
        DataType::Int64 => {
            map::<Int64Type, Int64Type>(x, |x| i64::try_from(whole(x.into(), scale)).or_else(|_| failed(OVERFLOW)))
        }
        DataType::Float32 => map::<Float32Type, Float32Type>(x, |x| Ok(double(f64::from(x), scale) as f32)),
        DataType::Float64 => map::<Float64Type, Float64Type>(x, |x| Ok(double(x, scale))),
        other => Err(ArrowError::SchemaError(format!("round on {other}"))),
    }
}

fn whole(x: i128, scale: i32) -> i128 {
    if scale >= 0 {
        return x;
    }
    let Some(unit) = 10_i128.checked_pow(scale.unsigned_abs()).filter(|unit| *unit < i128::MAX / 4) else { return 0 };
    let (quotient, rest) = (x / unit, x % unit);
    let up = if rest.abs() * 2 >= unit { x.signum() } else { 0 };
    (quotient + up) * unit
}

/// Half up on the shortest decimal text that reads back as `x`.
fn double(x: f64, scale: i32) -> f64 {
    if !x.is_finite() {
        return x;
    }
    // A BigDecimal has no negative zero.
    if x == 0.0 {
        return 0.0;
    }
    // "d.ddde±x": the digits and where the point stands.
    let text = format!("{:e}", x.abs());
    let Some((mantissa, exponent)) = text.split_once('e') else { return x };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    // Digits kept: those before the point and `scale` after it.
    let keep = i64::from(exponent) + 1 + i64::from(scale);
    if keep >= digits.len() as i64 {
        return x;
    }
    if keep < 0 {
        return 0.0;
    }
    let keep = keep as usize;
    let up = digits[keep] >= 5;
    digits.truncate(keep);
    let mut exponent = exponent;
    if up {
        let mut carry = true;
        for digit in digits.iter_mut().rev() {
            *digit += 1;
            carry = *digit == 10;
            if !carry {
                break;
            }
            *digit = 0;
        }
        if carry {
            digits.insert(0, 1);
            exponent += 1;
        }
    }
    if digits.iter().all(|digit| *digit == 0) {
        return 0.0;
    }
    let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    let rounded: f64 = format!("{text}e{}", exponent + 1 - text.len() as i32).parse().unwrap_or(x.abs());
    rounded.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_half_up_on_the_decimal_text() {
        for (x, scale, wanted) in [
            (2.5, 0, 3.0),
            (-2.5, 0, -3.0),
            (0.5, 0, 1.0),
            (0.49, 0, 0.0),
            (1.005, 2, 1.01),
            (2.675, 2, 2.68),
            (9.995, 2, 10.0),
            (99.5, 0, 100.0),
            (1234.5, -2, 1200.0),
            (55.0, -2, 100.0),
            (45.0, -2, 0.0),
            (5e-324, 3, 0.0),
            (1e300, 2, 1e300),
        ] {
            assert_eq!(double(x, scale), wanted, "round({x}, {scale})");
        }
    }

    #[test]
    fn whole_numbers_round_to_tens() {
        assert_eq!(
            (whole(125, -1), whole(-125, -1), whole(124, -1), whole(7, -2), whole(7, 3)),
            (130, -130, 120, 0, 7)
        );
    }
}
