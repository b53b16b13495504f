//! From a field's text to its typed value, the same for every format.
//!
//! Each parser takes bytes and gives a value or a [`Fault`](super::fault::Fault) with a byte position; none
//! allocates and none depends on locale, clock or zone.

pub(super) mod base64;
pub(super) mod decimal;
pub(super) mod number;
pub(super) mod timestamp;

use arrow::datatypes::{DataType, TimeUnit};

/// The SQL name of a type, as the author wrote it in the schema.
pub(super) fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INT",
        DataType::Int64 => "BIGINT",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 => "STRING",
        DataType::Binary => "BINARY",
        DataType::Date32 => "DATE",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP_NTZ",
        DataType::Decimal128(precision, scale) => return format!("DECIMAL({precision},{scale})"),
        DataType::List(item) => return format!("ARRAY<{}>", type_name(item.data_type())),
        other => return other.to_string(),
    };
    name.to_owned()
}
