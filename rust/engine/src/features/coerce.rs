//! Spark's type coercion under ANSI, less what is ambiguous: a text never turns into a number by itself.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::ScalarValue;

use super::kernels::cast;
use super::typed::Typed;
use crate::error::SpecError;
use crate::spec::spark_type_name;

/// A fault in an expression; the caller adds path and place.
pub(super) fn mismatch(message: impl Into<String>) -> SpecError {
    SpecError::new("TYPE_MISMATCH", "", message)
}

/// `TIMESTAMP`.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A number the engine calculates with (everything but DECIMAL).
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating()
}

/// Rank of a number's type; the wider has the higher rank.
fn rank(data_type: &DataType) -> Option<u8> {
    Some(match data_type {
        DataType::Int8 => 0,
        DataType::Int16 => 1,
        DataType::Int32 => 2,
        DataType::Int64 => 3,
        DataType::Float32 => 4,
        DataType::Float64 => 5,
        _ => return None,
    })
}

/// The type in which two types meet, if Spark has one under ANSI.
pub(super) fn common(left: &DataType, right: &DataType) -> Option<DataType> {
    use DataType::{Date32, Decimal128, Float32, Float64, Null, Timestamp};
    match (left, right) {
        (a, b) if a == b => Some(a.clone()),
        (Null, other) | (other, Null) => Some(other.clone()),
        (Date32, Timestamp(_, _)) => Some(right.clone()),
        (Timestamp(_, _), Date32) => Some(left.clone()),
        // Spark would find a DECIMAL; a DOUBLE is what such a comparison is about.
        (Decimal128(_, _), other) | (other, Decimal128(_, _)) if is_number(other) => Some(Float64),
        (a, b) => {
            let (wide, narrow) = if rank(a)? >= rank(b)? { (a, b) } else { (b, a) };
            // A FLOAT can't hold every INT, so the two meet in DOUBLE.
            Some(if *wide == Float32 && narrow.is_integer() { Float64 } else { wide.clone() })
        }
    }
}

/// Bring two operands to their common type. `what` names the operator for the message.
pub(super) fn unify(left: Typed, right: Typed, what: &str) -> Result<(Typed, Typed, DataType), SpecError> {
    let (left, right) = (temporal(left, &right)?, temporal(right, &Typed::literal(ScalarValue::Null))?);
    let right = temporal(right, &left)?;
    let Some(common) = common(&left.data_type, &right.data_type) else {
        return Err(apart(&left.data_type, &right.data_type, what));
    };
    Ok((cast_to(left, &common, false), cast_to(right, &common, false), common))
}

fn apart(left: &DataType, right: &DataType, what: &str) -> SpecError {
    let (l, r) = (spark_type_name(left), spark_type_name(right));
    let target = if *left == DataType::Utf8 { &r } else { &l };
    mismatch(format!("{what} between {l} and {r}")).with_hint(format!("write CAST(… AS {target}) for the one you mean"))
}

/// A text constant beside a date or timestamp is one.
fn temporal(text: Typed, beside: &Typed) -> Result<Typed, SpecError> {
    match (&text.constant, &beside.data_type) {
        (Some(ScalarValue::Utf8(Some(_))), DataType::Date32 | DataType::Timestamp(_, _)) => {
            cast_explicitly(text, &beside.data_type, false)
        }
        _ => Ok(text),
    }
}

/// Bring all operands to one type.
pub(super) fn unify_all(args: Vec<Typed>, what: &str) -> Result<(Vec<Typed>, DataType), SpecError> {
    let mut data_type = DataType::Null;
    for arg in &args {
        data_type = common(&data_type, &arg.data_type).ok_or_else(|| apart(&data_type, &arg.data_type, what))?;
    }
    Ok((args.into_iter().map(|arg| cast_to(arg, &data_type, false)).collect(), data_type))
}

/// A cast that is known to be possible.
pub(super) fn cast_to(arg: Typed, to: &DataType, lenient: bool) -> Typed {
    if arg.data_type == *to {
        return arg;
    }
    if let Some(true) = arg.constant.as_ref().map(ScalarValue::is_null)
        && let Ok(null) = ScalarValue::try_from(to)
    {
        return Typed::literal(null);
    }
    let target = to.clone();
    Typed::call("cast", to.clone(), vec![arg], move |args| cast::cast(&target, lenient, args))
}

/// `CAST(arg AS to)` as the author wrote it.
pub(super) fn cast_explicitly(arg: Typed, to: &DataType, lenient: bool) -> Result<Typed, SpecError> {
    if let (Some(ScalarValue::Utf8(Some(text))), true) = (&arg.constant, is_temporal(to)) {
        return time_literal(text, to);
    }
    if cast::is_known(&arg.data_type, to) {
        return Ok(cast_to(arg, to, lenient));
    }
    let (from, to_name) = (spark_type_name(&arg.data_type), spark_type_name(to));
    let error = mismatch(format!("{from} can't be cast to {to_name}"));
    Err(if arg.data_type == DataType::Utf8 && is_temporal(to) {
        error.with_hint(format!("declare the column as {to_name} in input.schema: the decoder reads it"))
    } else {
        error
    })
}

fn is_temporal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Timestamp(_, _))
}

/// A date or timestamp constant.
pub(super) fn time_literal(text: &str, to: &DataType) -> Result<Typed, SpecError> {
    let value = match to {
        DataType::Date32 => cast::parse_date(text).map(|day| ScalarValue::Date32(Some(day))),
        DataType::Timestamp(_, Some(zone)) => cast::parse_timestamp(text)
            .map(|(micros, _)| ScalarValue::TimestampMicrosecond(Some(micros), Some(zone.clone()))),
        _ => cast::parse_timestamp(text)
            .and_then(|(micros, zoned)| (!zoned).then_some(ScalarValue::TimestampMicrosecond(Some(micros), None))),
    };
    value.map(Typed::literal).ok_or_else(|| {
        mismatch(format!("'{text}' is not a {}", spark_type_name(to)))
            .with_hint("write yyyy-MM-dd or yyyy-MM-dd HH:mm:ss[.ffffff]")
    })
}
