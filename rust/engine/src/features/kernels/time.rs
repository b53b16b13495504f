//! Fields and arithmetic of dates and timestamps. The zone is UTC, so a timestamp's fields are plain arithmetic.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::kernels::arity::try_binary;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::calendar::{self, DAY_MICROS, SECOND_MICROS};
use super::{failed, map, primitive};

/// A whole number from a day count, by its name in SQL.
pub(in super::super) fn date_field(name: &str) -> Option<fn(i64) -> i64> {
    Some(match name {
        "year" => |day| calendar::civil(day).0,
        "quarter" => |day| i64::from((calendar::civil(day).1 - 1) / 3 + 1),
        "month" => |day| i64::from(calendar::civil(day).1),
        "day" => |day| i64::from(calendar::civil(day).2),
        // 1 = Sunday.
        "dayofweek" => |day| (calendar::weekday(day) + 1) % 7 + 1,
        // 0 = Monday.
        "weekday" => calendar::weekday,
        "dayofyear" => calendar::day_of_year,
        "weekofyear" => calendar::iso_week,
        _ => return None,
    })
}

/// A whole number from microseconds, by its name in SQL.
pub(in super::super) fn time_field(name: &str) -> Option<fn(i64) -> i64> {
    Some(match name {
        "hour" => |micros| micros.rem_euclid(DAY_MICROS) / (3_600 * SECOND_MICROS),
        "minute" => |micros| micros.rem_euclid(DAY_MICROS) / (60 * SECOND_MICROS) % 60,
        "second" => |micros| micros.rem_euclid(DAY_MICROS) / SECOND_MICROS % 60,
        _ => return None,
    })
}

/// A field of a `DATE` column, as INT.
pub(in super::super) fn run_date_field(f: fn(i64) -> i64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<Date32Type, Int32Type>(&args[0], |day| Ok(f(day.into()) as i32))
}

/// A field of a timestamp column, as INT.
pub(in super::super) fn run_time_field(f: fn(i64) -> i64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<TimestampMicrosecondType, Int32Type>(&args[0], |micros| Ok(f(micros) as i32))
}

/// `time_of_day(timestamp)`: hours since midnight, with their fraction.
pub(in super::super) fn time_of_day(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    const HOUR_MICROS: f64 = 3.6e9;
    map::<TimestampMicrosecondType, Float64Type>(&args[0], |micros| {
        Ok(micros.rem_euclid(DAY_MICROS) as f64 / HOUR_MICROS)
    })
}

/// Whole seconds, milliseconds or microseconds since 1970-01-01, rounded down.
pub(in super::super) fn unix(unit_micros: i64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<TimestampMicrosecondType, Int64Type>(&args[0], |micros| Ok(micros.div_euclid(unit_micros)))
}

/// `unix_timestamp`: whole seconds, rounded towards zero, as Spark's older function does.
pub(in super::super) fn unix_timestamp(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<TimestampMicrosecondType, Int64Type>(&args[0], |micros| Ok(micros / SECOND_MICROS))
}

/// `timestamp_millis`, `timestamp_micros`: the other way.
pub(in super::super) fn from_unix(unit_micros: i64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let output = map::<Int64Type, TimestampMicrosecondType>(&args[0], |n| {
        n.checked_mul(unit_micros).map_or_else(|| failed("overflow in a timestamp"), Ok)
    })?;
    Ok(Arc::new(output.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC")))
}

/// `datediff(end, start)` in days.
pub(in super::super) fn datediff(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (end, start) = (primitive::<Date32Type>(&args[0])?, primitive::<Date32Type>(&args[1])?);
    let output: PrimitiveArray<Int32Type> = try_binary(end, start, |end: i32, start: i32| Ok(end.wrapping_sub(start)))?;
    Ok(Arc::new(output))
}

/// `date_add(date, days)`, or `date_sub` with `sign` -1; wraps like Java's int.
pub(in super::super) fn date_add(sign: i32, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (date, days) = (primitive::<Date32Type>(&args[0])?, primitive::<Int32Type>(&args[1])?);
    let output: PrimitiveArray<Date32Type> =
        try_binary(date, days, |date: i32, days: i32| Ok(date.wrapping_add(days.wrapping_mul(sign))))?;
    Ok(Arc::new(output))
}

/// `last_day(date)`
pub(in super::super) fn last_day(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<Date32Type, Date32Type>(&args[0], |day| {
        let (year, month, _) = calendar::civil(day.into());
        Ok(calendar::days(year, month, calendar::month_days(year, month)) as i32)
    })
}

/// `add_months(date, months)`: a day that the month does not have becomes its last.
pub(in super::super) fn add_months(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (date, months) = (primitive::<Date32Type>(&args[0])?, primitive::<Int32Type>(&args[1])?);
    let output: PrimitiveArray<Date32Type> = try_binary(date, months, |date: i32, months: i32| {
        let (year, month, day) = calendar::civil(date.into());
        let total = year * 12 + i64::from(month) - 1 + i64::from(months);
        let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
        let days = calendar::days(year, month, day.min(calendar::month_days(year, month)));
        i32::try_from(days).or_else(|_| failed("overflow in add_months"))
    })?;
    Ok(Arc::new(output))
}

/// Units of `date_trunc`, with the names Spark takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    /// A fixed number of microseconds.
    Micros(i64),
}

impl Unit {
    pub(in super::super) const NAMES: [&'static str; 10] =
        ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

    pub(in super::super) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "yyyy" | "yy" => Self::Year,
            "quarter" => Self::Quarter,
            "month" | "mm" | "mon" => Self::Month,
            "week" => Self::Week,
            "day" | "dd" => Self::Micros(DAY_MICROS),
            "hour" => Self::Micros(3_600 * SECOND_MICROS),
            "minute" => Self::Micros(60 * SECOND_MICROS),
            "second" => Self::Micros(SECOND_MICROS),
            "millisecond" => Self::Micros(1_000),
            "microsecond" => Self::Micros(1),
            _ => return None,
        })
    }

    fn floor_day(self, day: i64) -> i64 {
        let (year, month, _) = calendar::civil(day);
        match self {
            Self::Year => calendar::days(year, 1, 1),
            Self::Quarter => calendar::days(year, (month - 1) / 3 * 3 + 1, 1),
            Self::Month => calendar::days(year, month, 1),
            Self::Week => day - calendar::weekday(day),
            Self::Micros(_) => day,
        }
    }
}

/// `date_trunc(unit, timestamp)`; keeps the timestamp's kind.
pub(in super::super) fn date_trunc(unit: Unit, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let zone = match args[0].data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let output = map::<TimestampMicrosecondType, TimestampMicrosecondType>(&args[0], |micros| {
        let floor = match unit {
            Unit::Micros(size) => micros.checked_sub(micros.rem_euclid(size)),
            calendar => calendar.floor_day(micros.div_euclid(DAY_MICROS)).checked_mul(DAY_MICROS),
        };
        floor.map_or_else(|| failed("overflow in date_trunc"), Ok)
    })?;
    Ok(Arc::new(output.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(zone)))
}

/// `trunc(date, unit)`
pub(in super::super) fn trunc(unit: Unit, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<Date32Type, Date32Type>(&args[0], |day| Ok(unit.floor_day(day.into()) as i32))
}
