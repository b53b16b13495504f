//! `CAST` under ANSI rules: a value that does not fit fails its row; `TRY_CAST` gives null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Date32Array, PrimitiveArray, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::calendar::{self, DAY_MICROS, SECOND_MICROS};
use super::{boolean, primitive, text};
use crate::spec::spark_type_name;

/// True if the engine can cast `from` to `to`.
pub(in super::super) fn is_known(from: &DataType, to: &DataType) -> bool {
    use DataType::{Binary, Boolean, Date32, Decimal128, Null, Timestamp, Utf8};
    match (from, to) {
        (Null, _) => true,
        (a, b) if a == b => true,
        (a, b) if a.is_numeric() && b.is_numeric() => true,
        (Boolean, b) => b.is_integer() || b.is_floating() || *b == Utf8,
        (a, Boolean) => a.is_integer() || a.is_floating() || *a == Utf8,
        (Utf8, b) => b.is_integer() || b.is_floating() || *b == Binary,
        (a, Utf8) => a.is_integer() || a.is_floating() || matches!(a, Date32 | Timestamp(_, _) | Decimal128(_, _)),
        (Date32, Timestamp(_, _)) | (Timestamp(_, _), Date32 | Timestamp(_, _)) => true,
        (Timestamp(_, Some(_)), b) => b.is_integer() || b.is_floating(),
        (a, Timestamp(_, Some(_))) => a.is_integer() || a.is_floating(),
        _ => false,
    }
}

/// Cast a column. `lenient` gives null where a value does not fit.
pub(in super::super) fn cast(to: &DataType, lenient: bool, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    use DataType::{Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Timestamp, Utf8};
    let x = &args[0];
    let from = x.data_type();
    if from == to {
        return Ok(Arc::clone(x));
    }
    let misfit = || Misfit {
        lenient,
        message: format!("a {} does not fit into {}", spark_type_name(from), spark_type_name(to)),
    };
    match (from, to) {
        (Int8, _) if is_whole(to) || *to == Boolean => integers::<Int8Type>(x, to, misfit()),
        (Int16, _) if is_whole(to) || *to == Boolean => integers::<Int16Type>(x, to, misfit()),
        (Int32, _) if is_whole(to) || *to == Boolean => integers::<Int32Type>(x, to, misfit()),
        (Int64, _) if is_whole(to) || *to == Boolean => integers::<Int64Type>(x, to, misfit()),
        (Float32, _) if is_whole(to) || *to == Boolean => {
            let wide = x.as_primitive::<Float32Type>().unary::<_, Float64Type>(f64::from);
            floats(&wide, to, misfit())
        }
        (Float64, _) if is_whole(to) || *to == Boolean => floats(primitive::<Float64Type>(x)?, to, misfit()),
        (Utf8, Int8) => parsed::<Int8Type>(x, misfit(), |s| s.parse().ok()),
        (Utf8, Int16) => parsed::<Int16Type>(x, misfit(), |s| s.parse().ok()),
        (Utf8, Int32) => parsed::<Int32Type>(x, misfit(), |s| s.parse().ok()),
        (Utf8, Int64) => parsed::<Int64Type>(x, misfit(), |s| s.parse().ok()),
        (Utf8, Float32) => parsed::<Float32Type>(x, misfit(), |s| java_number(s)?.parse().ok()),
        (Utf8, Float64) => parsed::<Float64Type>(x, misfit(), |s| java_number(s)?.parse().ok()),
        (Utf8, Boolean) => {
            let misfit = misfit();
            let read = |s: Option<&str>| s.map_or(Ok(None), |s| misfit.check(truth(trimmed(s))));
            let output: BooleanArray = text(x)?.iter().map(read).collect::<Result<_, _>>()?;
            Ok(Arc::new(output))
        }
        (Boolean, Utf8) => show(boolean(x)?.iter(), |b| b.to_string()),
        (Float32, Utf8) => {
            show(primitive::<Float32Type>(x)?.iter(), |f| java_text(&format!("{f:e}"), f.is_nan(), f.into()))
        }
        (Float64, Utf8) => show(primitive::<Float64Type>(x)?.iter(), |f| java_text(&format!("{f:e}"), f.is_nan(), f)),
        (Date32, Utf8) => show(primitive::<Date32Type>(x)?.iter(), |day| date_text(day.into())),
        (Timestamp(_, _), Utf8) => show(primitive::<TimestampMicrosecondType>(x)?.iter(), timestamp_text),
        (Timestamp(_, _), Date32) => {
            let days = |micros: i64| micros.div_euclid(DAY_MICROS) as i32;
            let output: Date32Array = primitive::<TimestampMicrosecondType>(x)?.unary(days);
            Ok(Arc::new(output))
        }
        (Date32, Timestamp(_, zone)) => {
            let misfit = misfit();
            let micros =
                |day: Option<i32>| day.map_or(Ok(None), |day| misfit.check(i64::from(day).checked_mul(DAY_MICROS)));
            let output: TimestampMicrosecondArray =
                primitive::<Date32Type>(x)?.iter().map(micros).collect::<Result<_, _>>()?;
            Ok(Arc::new(output.with_timezone_opt(zone.clone())))
        }
        (Timestamp(_, _), Timestamp(_, zone)) => {
            Ok(Arc::new(primitive::<TimestampMicrosecondType>(x)?.clone().with_timezone_opt(zone.clone())))
        }
        (Timestamp(_, _), Float32 | Float64) => {
            let seconds: ArrayRef = Arc::new(
                primitive::<TimestampMicrosecondType>(x)?
                    .unary::<_, Float64Type>(|micros| micros as f64 / SECOND_MICROS as f64),
            );
            by_arrow(&seconds, to, lenient)
        }
        (Timestamp(_, _), _) if to.is_integer() => {
            let seconds = primitive::<TimestampMicrosecondType>(x)?
                .unary::<_, Int64Type>(|micros| micros.div_euclid(SECOND_MICROS));
            integers::<Int64Type>(&(Arc::new(seconds) as ArrayRef), to, misfit())
        }
        (Boolean | Decimal128(_, _), _) | (_, Decimal128(_, _)) => by_arrow(x, to, lenient),
        _ => by_arrow(x, to, lenient),
    }
}

fn is_whole(to: &DataType) -> bool {
    to.is_integer() || matches!(to, DataType::Timestamp(_, _))
}

fn by_arrow(x: &ArrayRef, to: &DataType, lenient: bool) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions { safe: lenient, ..CastOptions::default() };
    // Arrow's own message may quote the value.
    cast_with_options(x, to, &options).map_err(|_| {
        let (from, to) = (spark_type_name(x.data_type()), spark_type_name(to));
        ArrowError::CastError(format!("a {from} does not fit into {to}"))
    })
}

/// What happens to a value that does not fit.
struct Misfit {
    lenient: bool,
    message: String,
}

impl Misfit {
    fn check<T>(&self, value: Option<T>) -> Result<Option<T>, ArrowError> {
        match value {
            None if !self.lenient => Err(ArrowError::CastError(self.message.clone())),
            value => Ok(value),
        }
    }
}

fn convert<I, O>(
    x: &PrimitiveArray<I>,
    misfit: &Misfit,
    f: impl Fn(I::Native) -> Option<O::Native>,
) -> Result<PrimitiveArray<O>, ArrowError>
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    x.iter().map(|value| value.map_or(Ok(None), |value| misfit.check(f(value)))).collect()
}

fn integers<I>(x: &ArrayRef, to: &DataType, misfit: Misfit) -> Result<ArrayRef, ArrowError>
where
    I: ArrowPrimitiveType,
    I::Native: Into<i64>,
{
    let x = primitive::<I>(x)?;
    Ok(match to {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(x.iter().map(|n| n.map(|n| n.into() != 0)))),
        DataType::Int8 => Arc::new(convert::<I, Int8Type>(x, &misfit, |n| n.into().try_into().ok())?),
        DataType::Int16 => Arc::new(convert::<I, Int16Type>(x, &misfit, |n| n.into().try_into().ok())?),
        DataType::Int32 => Arc::new(convert::<I, Int32Type>(x, &misfit, |n| n.into().try_into().ok())?),
        DataType::Int64 => Arc::new(convert::<I, Int64Type>(x, &misfit, |n| Some(n.into()))?),
        DataType::Timestamp(_, zone) => {
            // Spark's SECONDS.toMicros is clamped, not checked.
            let micros =
                convert::<I, TimestampMicrosecondType>(x, &misfit, |n| Some(n.into().saturating_mul(SECOND_MICROS)))?;
            Arc::new(micros.with_timezone_opt(zone.clone()))
        }
        other => return Err(ArrowError::SchemaError(format!("cast of an integer to {other}"))),
    })
}

fn floats(x: &PrimitiveArray<Float64Type>, to: &DataType, misfit: Misfit) -> Result<ArrayRef, ArrowError> {
    // As Spark's ANSI casts: the number, rounded towards zero, must be in the type's range.
    let fit = |f: f64, low: f64, high: f64| (f.floor() <= high && f.ceil() >= low).then_some(f);
    Ok(match to {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(x.iter().map(|f| f.map(|f| f != 0.0)))),
        DataType::Int8 => Arc::new(convert::<_, Int8Type>(x, &misfit, |f| Some(fit(f, -128.0, 127.0)? as i8))?),
        DataType::Int16 => {
            Arc::new(convert::<_, Int16Type>(x, &misfit, |f| Some(fit(f, -32_768.0, 32_767.0)? as i16))?)
        }
        DataType::Int32 => {
            Arc::new(convert::<_, Int32Type>(x, &misfit, |f| Some(fit(f, i32::MIN.into(), i32::MAX.into())? as i32))?)
        }
        DataType::Int64 => {
            Arc::new(convert::<_, Int64Type>(x, &misfit, |f| Some(fit(f, i64::MIN as f64, i64::MAX as f64)? as i64))?)
        }
        DataType::Timestamp(_, zone) => {
            let micros = convert::<_, TimestampMicrosecondType>(x, &misfit, |f| {
                let micros = f * SECOND_MICROS as f64;
                Some(fit(micros, i64::MIN as f64, i64::MAX as f64)? as i64)
            })?;
            Arc::new(micros.with_timezone_opt(zone.clone()))
        }
        other => return Err(ArrowError::SchemaError(format!("cast of a double to {other}"))),
    })
}

/// White space and control characters, which Spark's casts cut off at both ends.
fn trimmed(s: &str) -> &str {
    s.trim_matches(|c: char| c <= ' ' || c == '\u{7f}')
}

fn parsed<O: ArrowPrimitiveType>(
    x: &ArrayRef,
    misfit: Misfit,
    f: impl Fn(&str) -> Option<O::Native>,
) -> Result<ArrayRef, ArrowError> {
    let read = |s: Option<&str>| s.map_or(Ok(None), |s| misfit.check(f(trimmed(s))));
    let output: PrimitiveArray<O> = text(x)?.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Arc::new(output))
}

/// A number as Java's `Double.parseDouble` and Spark's words for the special values take it, for Rust's parser.
fn java_number(s: &str) -> Option<String> {
    let lower = s.to_ascii_lowercase();
    match lower.as_str() {
        "nan" => return Some("NaN".to_owned()),
        "inf" | "+inf" | "infinity" | "+infinity" => return Some("inf".to_owned()),
        "-inf" | "-infinity" => return Some("-inf".to_owned()),
        _ => {}
    }
    // Java takes the suffix of a literal.
    let digits = lower.strip_suffix(['d', 'f']).unwrap_or(&lower);
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e');
    (digits.chars().all(plain) && digits.chars().any(|c| c.is_ascii_digit())).then(|| digits.to_owned())
}

fn truth(s: &str) -> Option<bool> {
    match s.to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

fn show<T>(values: impl Iterator<Item = Option<T>>, f: impl Fn(T) -> String) -> Result<ArrayRef, ArrowError> {
    let output: StringArray = values.map(|value| value.map(&f)).collect();
    Ok(Arc::new(output))
}

/// Java's text of a float: plain from 1e-3 up to 1e7, else `d.dddE±x`; at least one digit after the point.
fn java_text(scientific: &str, is_nan: bool, x: f64) -> String {
    if is_nan {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let (sign, rest) = scientific.strip_prefix('-').map_or(("", scientific), |rest| ("-", rest));
    let (mantissa, exponent) = rest.split_once('e').unwrap_or((rest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if x == 0.0 {
        return format!("{sign}0.0");
    }
    let or_zero = |s: &str| if s.is_empty() { "0".to_owned() } else { s.to_owned() };
    if (0..7).contains(&exponent) {
        let point = exponent as usize + 1;
        let padded = format!("{digits:0<point$}");
        return format!("{sign}{}.{}", &padded[..point], or_zero(&padded[point..]));
    }
    if (-3..0).contains(&exponent) {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    format!("{sign}{}.{}E{exponent}", &digits[..1], or_zero(&digits[1..]))
}

fn date_text(day: i64) -> String {
    let (year, month, day) = calendar::civil(day);
    match year {
        ..0 => format!("-{:04}-{month:02}-{day:02}", -year),
        0..=9_999 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("+{year}-{month:02}-{day:02}"),
    }
}

/// `yyyy-MM-dd HH:mm:ss`, with the fraction if there is one.
fn timestamp_text(micros: i64) -> String {
    let (day, rest) = (micros.div_euclid(DAY_MICROS), micros.rem_euclid(DAY_MICROS));
    let (seconds, fraction) = (rest / SECOND_MICROS, rest % SECOND_MICROS);
    let mut out = format!("{} {:02}:{:02}:{:02}", date_text(day), seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction > 0 {
        out.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    out
}

/// A date literal: `yyyy-MM-dd`.
pub(in super::super) fn parse_date(s: &str) -> Option<i32> {
    let mut parts = s.trim().splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |s: &str, width: std::ops::RangeInclusive<usize>| -> Option<u32> {
        (width.contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok())?
    };
    let (year, month, day) = (i64::from(number(year, 4..=6)?), number(month, 1..=2)?, number(day, 1..=2)?);
    let valid = (1..=12).contains(&month) && (1..=calendar::month_days(year, month)).contains(&day);
    valid.then(|| i32::try_from(calendar::days(year, month, day)).ok())?
}

/// A timestamp literal: a date, then optionally `T` or a space, `HH:mm[:ss[.ffffff]]`, and `Z` or `±HH:mm`; without
/// a zone it is UTC. The second value tells whether a zone was written.
pub(in super::super) fn parse_timestamp(s: &str) -> Option<(i64, bool)> {
    let s = s.trim();
    let Some(split) = s.find(['T', ' ']) else {
        return Some((i64::from(parse_date(s)?) * DAY_MICROS, false));
    };
    let day = i64::from(parse_date(&s[..split])?);
    let time = &s[split + 1..];
    let (time, offset, zoned) = match time.find(['Z', '+', '-']) {
        None => (time, 0, false),
        Some(at) if &time[at..] == "Z" => (&time[..at], 0, true),
        Some(at) => (&time[..at], zone_minutes(&time[at..])?, true),
    };
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut fields = whole.split(':').map(|part| {
        ((1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i64>().ok())?
    });
    let (hour, minute, second) = (fields.next()??, fields.next()??, fields.next().unwrap_or(Some(0))?);
    let digits = fraction.bytes().all(|b| b.is_ascii_digit()) && fraction.len() <= 6;
    if fields.next().is_some() || hour > 23 || minute > 59 || second > 59 || !digits {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    let seconds = hour * 3_600 + (minute - offset) * 60 + second;
    Some((day * DAY_MICROS + seconds * SECOND_MICROS + fraction, zoned))
}

fn zone_minutes(zone: &str) -> Option<i64> {
    let (sign, rest) = zone.split_at(1);
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (hours.parse::<i64>().ok()?, minutes.parse::<i64>().ok()?);
    let total = hours * 60 + minutes;
    ((0..=18).contains(&hours) && (0..=59).contains(&minutes)).then_some(if sign == "-" { -total } else { total })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn doubles_print_as_in_java() {
        for (x, wanted) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (123_456.789, "123456.789"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (1.5e300, "1.5E300"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(java_text(&format!("{x:e}"), false, x), wanted);
        }
    }

    #[test]
    fn literals_of_time() {
        assert_eq!(parse_date("1970-01-02"), Some(1));
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(parse_timestamp("1970-01-01 00:00:01.5"), Some((1_500_000, false)));
        assert_eq!(parse_timestamp("1970-01-01T01:00:00+01:00"), Some((0, true)));
        assert_eq!(parse_timestamp("1970-01-01T25:00:00Z"), None);
        assert_eq!(timestamp_text(-1), "1969-12-31 23:59:59.999999");
    }
}
