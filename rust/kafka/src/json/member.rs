//! A column with its type known, so that a row asks for no downcast.

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Decimal128Array, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Member, NoForm, number, text, time};

/// The columns that cross the border, each with how it is written.
pub(super) enum Values<'a> {
    Boolean(&'a BooleanArray),
    Byte(&'a PrimitiveArray<Int8Type>),
    Short(&'a PrimitiveArray<Int16Type>),
    Int(&'a PrimitiveArray<Int32Type>),
    Long(&'a PrimitiveArray<Int64Type>),
    Float(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a Decimal128Array, i8),
    Date(&'a PrimitiveArray<Date32Type>),
    /// With its mark of the zone: `Z`, or nothing for a wall clock.
    Timestamp(&'a PrimitiveArray<TimestampMicrosecondType>, &'static str),
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
}

impl<'a> Values<'a> {
    pub(super) fn of(member: &Member, batch: &'a RecordBatch) -> Result<Self, NoForm> {
        let column = batch.columns().get(member.column);
        let no_form = || NoForm {
            name: member.name.clone(),
            data_type: column.map_or_else(|| "none".to_owned(), |c| c.data_type().to_string()),
        };
        let Some(array) = column else { return Err(no_form()) };
        Ok(match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int8 => Self::Byte(array.as_primitive()),
            DataType::Int16 => Self::Short(array.as_primitive()),
            DataType::Int32 => Self::Int(array.as_primitive()),
            DataType::Int64 => Self::Long(array.as_primitive()),
            DataType::Float32 => Self::Float(array.as_primitive()),
            DataType::Float64 => Self::Double(array.as_primitive()),
            DataType::Decimal128(_, scale) => Self::Decimal(array.as_primitive::<Decimal128Type>(), *scale),
            DataType::Date32 => Self::Date(array.as_primitive()),
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                Self::Timestamp(array.as_primitive(), if zone.is_some() { "Z" } else { "" })
            }
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::Binary => Self::Binary(array.as_binary()),
            _ => return Err(no_form()),
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Boolean(a) => *a,
            Self::Byte(a) => *a,
            Self::Short(a) => *a,
            Self::Int(a) => *a,
            Self::Long(a) => *a,
            Self::Float(a) => *a,
            Self::Double(a) => *a,
            Self::Decimal(a, _) => *a,
            Self::Date(a) => *a,
            Self::Timestamp(a, _) => *a,
            Self::Text(a) => *a,
            Self::Binary(a) => *a,
        }
    }

    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.array().is_valid(row)
    }

    /// The value, or `null`.
    pub(super) fn push(&self, out: &mut Vec<u8>, row: usize) {
        if !self.is_valid(row) {
            out.extend_from_slice(b"null");
            return;
        }
        match self {
            Self::Boolean(a) => out.extend_from_slice(if a.value(row) { b"true" } else { b"false" }),
            Self::Byte(a) => number::push_int(out, a.value(row)),
            Self::Short(a) => number::push_int(out, a.value(row)),
            Self::Int(a) => number::push_int(out, a.value(row)),
            Self::Long(a) => number::push_int(out, a.value(row)),
            Self::Float(a) => number::push_float(out, a.value(row)),
            Self::Double(a) => number::push_double(out, a.value(row)),
            Self::Decimal(a, scale) => number::push_decimal(out, a.value(row), *scale),
            Self::Date(a) => {
                out.push(b'"');
                time::push_date(out, a.value(row).into());
                out.push(b'"');
            }
            Self::Timestamp(a, zone) => {
                out.push(b'"');
                time::push_timestamp(out, a.value(row));
                out.extend_from_slice(zone.as_bytes());
                out.push(b'"');
            }
            Self::Text(a) => text::push(out, a.value(row)),
            Self::Binary(a) => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(a.value(row)).as_bytes());
                out.push(b'"');
            }
        }
    }

    /// What stands between the braces of a finished object, after a comma unless it is the first.
    pub(super) fn push_inside(&self, out: &mut Vec<u8>, row: usize, is_first: bool) {
        if let Self::Text(a) = self
            && a.is_valid(row)
        {
            let object = a.value(row).as_bytes();
            if object.len() > 2 {
                if !is_first {
                    out.push(b',');
                }
                out.extend_from_slice(&object[1..object.len() - 1]);
            }
        }
    }
}
