//! Numbers in JSON's grammar: `-`? digits without leading zeros, then perhaps a fraction, then perhaps an exponent.
//!
//! One scan gives sign, digits and exponent; the column's type decides what becomes of them. Integers are exact.
//! `DOUBLE` and `FLOAT` get the nearest value of their own width (ties to even), taken from the decimal text.

use crate::decode::fault::{Fault, Parsed};
use crate::decode::swar;
use crate::stage::RejectCode;

/// A number as it stands in the text: `(-)digits × 10^exponent`.
#[derive(Debug, Clone, Copy)]
pub(in crate::decode) struct Number {
    /// First byte.
    pub(in crate::decode) start: usize,
    /// One past the last byte.
    pub(in crate::decode) end: usize,
    /// Starts with `-`.
    pub(in crate::decode) is_negative: bool,
    /// Has neither fraction nor exponent.
    pub(in crate::decode) is_integer: bool,
    /// All digits as one integer; right only if `is_exact`.
    pub(in crate::decode) digits: u64,
    /// Power of ten that the digits are to be multiplied by.
    pub(in crate::decode) exponent: i32,
    /// The digits fit into `digits`.
    pub(in crate::decode) is_exact: bool,
}

/// This many significant digits always fit into a `u64`.
const EXACT_DIGITS: usize = 19;

/// An exponent is cut off here: beyond, every number is zero or too large in every type.
const EXPONENT_LIMIT: i32 = 1_000_000_000;

/// Powers of ten for joining pieces of at most 8 digits.
const SMALL_POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Reads the number that starts at `start`. What follows it is the caller's business.
#[inline(always)]
pub(in crate::decode) fn scan(bytes: &[u8], start: usize) -> Parsed<Number> {
    let is_negative = bytes.get(start) == Some(&b'-');
    let first = start + usize::from(is_negative);
    let (mut digits, count) = swar::leading_digits(swar::load(bytes, first));
    let mut end = first + count;
    if count == 8 {
        (digits, end) = more_digits(bytes, end, digits);
    }
    if count == 0 {
        return Err(Fault::malformed(first, "expected a digit"));
    }
    if count > 1 && bytes.get(first) == Some(&b'0') {
        return Err(Fault::malformed(first, "a number with leading zeros"));
    }
    let mut exponent = 0i32;
    let mut is_integer = true;
    let mut digit_count = end - first;
    let mut next = bytes.get(end).copied().unwrap_or_default();
    if next == b'.' {
        is_integer = false;
        let point = end + 1;
        let (fraction, count) = swar::leading_digits(swar::load(bytes, point));
        digits = digits.wrapping_mul(SMALL_POWERS[count]).wrapping_add(fraction);
        end = point + count;
        if count == 8 {
            (digits, end) = more_digits(bytes, end, digits);
        }
        if count == 0 {
            return Err(Fault::malformed(point, "expected a digit after the decimal point"));
        }
        exponent = -((end - point).min(EXPONENT_LIMIT as usize) as i32);
        digit_count += end - point;
        next = bytes.get(end).copied().unwrap_or_default();
    }
    if next | 0x20 == b'e' {
        is_integer = false;
        let (written, after) = read_exponent(bytes, end + 1)?;
        exponent += written;
        end = after;
    }
    let is_exact = digit_count <= EXACT_DIGITS || fits_without_leading_zeros(bytes, first, digit_count);
    Ok(Number { start, end, is_negative, is_integer, digits, exponent, is_exact })
}

/// Digits after the first eight. Wraps beyond 19 significant digits: `is_exact` tells.
#[inline(never)]
fn more_digits(bytes: &[u8], mut at: usize, mut digits: u64) -> (u64, usize) {
    loop {
        let (piece, count) = swar::leading_digits(swar::load(bytes, at));
        digits = digits.wrapping_mul(SMALL_POWERS[count]).wrapping_add(piece);
        at += count;
        if count < 8 {
            return (digits, at);
        }
    }
}

/// Zeros at the front (`0.000…`) are no significant digits.
#[cold]
fn fits_without_leading_zeros(bytes: &[u8], first: usize, digit_count: usize) -> bool {
    let zeros = bytes
        .get(first..)
        .unwrap_or_default()
        .iter()
        .filter(|&&byte| byte != b'.')
        .take_while(|&&byte| byte == b'0')
        .count();
    digit_count.saturating_sub(zeros) <= EXACT_DIGITS
}

#[inline(never)]
fn read_exponent(bytes: &[u8], mut at: usize) -> Parsed<(i32, usize)> {
    let sign = bytes.get(at).copied();
    if matches!(sign, Some(b'+' | b'-')) {
        at += 1;
    }
    let first = at;
    let mut exponent = 0i32;
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit <= 9) {
        exponent = (exponent.saturating_mul(10).saturating_add(i32::from(digit))).min(EXPONENT_LIMIT);
        at += 1;
    }
    if at == first {
        return Err(Fault::malformed(at, "expected a digit in the exponent"));
    }
    Ok((if sign == Some(b'-') { -exponent } else { exponent }, at))
}

impl Number {
    /// The value of an integer column. `MIN..=MAX` of `T` is taken exactly; a fraction or an exponent is refused even
    /// where the value is whole (`1.0`, `1e3`), as Spark's `from_json` does.
    #[inline(always)]
    pub(in crate::decode) fn to_integer<T: TryFrom<i64>>(self) -> Parsed<T> {
        if !self.is_integer {
            return Err(Fault::wrong_type(self.start, "a number with a fraction or an exponent"));
        }
        let value = if self.is_negative {
            // 2^63 is one more than i64::MAX and its negative is i64::MIN.
            if self.digits <= 1 << 63 { Some((self.digits as i64).wrapping_neg()) } else { None }
        } else {
            i64::try_from(self.digits).ok()
        };
        match value.filter(|_| self.is_exact).and_then(|value| T::try_from(value).ok()) {
            Some(value) => Ok(value),
            None => Err(self.out_of_range()),
        }
    }

    /// The nearest double. Overflow is refused, underflow gives the nearest subnormal or zero.
    #[inline(always)]
    pub(in crate::decode) fn to_f64(self, bytes: &[u8]) -> Parsed<f64> {
        // Clinger's fast path: both operands are exact, so one IEEE operation rounds once.
        if self.is_exact && self.digits <= 1 << 53 && (-22..=22).contains(&self.exponent) {
            let power = EXACT_POWERS[self.exponent.unsigned_abs() as usize];
            let digits = self.digits as f64;
            let value = if self.exponent < 0 { digits / power } else { digits * power };
            return Ok(if self.is_negative { -value } else { value });
        }
        self.to_f64_slow(bytes)
    }

    #[inline(never)]
    fn to_f64_slow(self, bytes: &[u8]) -> Parsed<f64> {
        match self.text(bytes).parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(self.out_of_range()),
        }
    }

    /// The nearest float, by the same rules as [`Number::to_f64`].
    #[inline]
    pub(in crate::decode) fn to_f32(self, bytes: &[u8]) -> Parsed<f32> {
        let double = self.to_f64(bytes)?;
        let single = double as f32;
        // Rounding twice goes wrong only where the double lies half-way between two floats. Subnormals have other
        // half-ways, so they take the slow way too.
        const HALF_WAY: u64 = 1 << 28;
        let is_half_way = double.to_bits() & (2 * HALF_WAY - 1) == HALF_WAY;
        if is_half_way || double.abs() < f64::from(f32::MIN_POSITIVE) && double != 0.0 || single.is_infinite() {
            return self.to_f32_slow(bytes);
        }
        Ok(single)
    }

    #[cold]
    fn to_f32_slow(self, bytes: &[u8]) -> Parsed<f32> {
        match self.text(bytes).parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(self.out_of_range()),
        }
    }

    /// The number's own text. Scanned before, so ASCII and in the grammar that Rust's correctly rounding parser takes.
    pub(in crate::decode) fn text(self, bytes: &[u8]) -> &str {
        bytes.get(self.start..self.end).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Too large for its column.
    #[cold]
    pub(in crate::decode) fn out_of_range(self) -> Fault {
        Fault::new(RejectCode::OutOfRange, self.start, "a number outside the range of {type}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn f64_of(text: &str) -> Parsed<f64> {
        let number = scan(text.as_bytes(), 0)?;
        assert_eq!(number.end, text.len(), "{text}");
        number.to_f64(text.as_bytes())
    }

    #[test]
    fn integers_are_exact_up_to_the_ends_of_their_range() {
        let int = |text: &str| scan(text.as_bytes(), 0).and_then(Number::to_integer::<i64>);
        assert_eq!(int("9223372036854775807").unwrap(), i64::MAX);
        assert_eq!(int("-9223372036854775808").unwrap(), i64::MIN);
        assert_eq!(int("-0").unwrap(), 0);
        for text in ["9223372036854775808", "-9223372036854775809", "18446744073709551616", "100000000000000000000000"]
        {
            assert_eq!(int(text).unwrap_err().code(), RejectCode::OutOfRange, "{text}");
        }
        for text in ["1.0", "1e3", "1E0", "-0.0"] {
            assert_eq!(int(text).unwrap_err().code(), RejectCode::WrongType, "{text}");
        }
        let tiny = |text: &str| scan(text.as_bytes(), 0).and_then(Number::to_integer::<i8>);
        assert_eq!((tiny("127").unwrap(), tiny("-128").unwrap()), (127, -128));
        assert_eq!(tiny("128").unwrap_err().code(), RejectCode::OutOfRange);
    }

    #[test]
    fn what_json_does_not_call_a_number_is_malformed() {
        for text in ["", "-", "+1", "01", "-00", "00000000", "000000001", ".5", "1.", "1.e3", "1e", "1e+", "-.5", "x"] {
            assert_eq!(scan(text.as_bytes(), 0).unwrap_err().code(), RejectCode::Malformed, "{text:?}");
        }
    }

    #[test]
    fn doubles_are_the_nearest_ones() {
        for text in [
            "0",
            "-0",
            "0.1",
            "123.456",
            "1e22",
            "1e23",
            "9007199254740993",
            "0.30000000000000004",
            "5e-324",
            "2e-324",
            "1.7976931348623157e308",
            "2.2250738585072011e-308",
            "0.000000000000000000000000123",
            "123456789012345678",
            "1234567890123456789.5",
            "0.1234567890123456789012345",
            "8.98846567431158e307",
            "1e-400",
            "0e999999999999",
            "12345678",
            "123456789",
            "12345678.12345678",
            "1.000000000000000000000000000000001",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(f64_of(text).unwrap().to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["1e309", "-1e309", "1.8e308", "1e99999999999999999999"] {
            assert_eq!(f64_of(text).unwrap_err().code(), RejectCode::OutOfRange, "{text}");
        }
    }

    #[test]
    fn floats_are_rounded_once_from_the_text() {
        let float = |text: &str| scan(text.as_bytes(), 0).and_then(|number| number.to_f32(text.as_bytes()));
        // Just above half-way between 1 and the next float: the nearest double is exactly half-way.
        let text = "1.00000005960464477540";
        assert_eq!(float(text).unwrap(), text.parse::<f32>().unwrap());
        assert_ne!(float(text).unwrap(), text.parse::<f64>().unwrap() as f32);
        for text in ["0.1", "-0", "16777217", "3.4028235e38", "1e-45", "7e-46", "1.1754943e-38", "0"] {
            assert_eq!(float(text).unwrap().to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
        }
        for text in ["3.5e38", "-1e39", "3.40282357e38"] {
            assert_eq!(float(text).unwrap_err().code(), RejectCode::OutOfRange, "{text}");
        }
    }
}
