//! What the decode tests share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use firesteel_engine::decode::{DecodeOptions, Decoder};
use firesteel_engine::stage::{RejectCode, Staged};

/// A schema of nullable columns.
pub(crate) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(
        columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect::<Vec<_>>(),
    ))
}

/// `TIMESTAMP`
pub(crate) fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// `TIMESTAMP_NTZ`
pub(crate) fn ntz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// Decodes JSON texts with default options; checks that no row was lost.
pub(crate) fn json(columns: &[(&str, DataType)], values: &[&str]) -> Staged {
    let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
    json_bytes(&schema(columns), &values)
}

/// Decodes JSON bytes with default options; checks that no row was lost.
pub(crate) fn json_bytes(schema: &SchemaRef, values: &[&[u8]]) -> Staged {
    let values = BinaryArray::from_iter_values(values);
    let staged = Decoder::try_new(&DecodeOptions::default(), schema).unwrap().process(&values).unwrap();
    assert_eq!(staged.kept.num_rows() + staged.rejected.len(), values.len());
    staged
}

/// The codes of the rejected rows, in order.
pub(crate) fn codes(staged: &Staged) -> Vec<RejectCode> {
    staged.rejected.iter().map(|row| row.code).collect()
}

/// A value as text; `null` for a null. A timestamp's zone is always UTC and shows as `Z`.
pub(crate) fn shown(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            let wall = column.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt(None::<&str>);
            array_value_to_string(&wall, row).unwrap() + "Z"
        }
        _ => array_value_to_string(column, row).unwrap(),
    }
}
