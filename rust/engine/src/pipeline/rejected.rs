//! The `_rejected` column: one nullable struct per input row, null where the row was taken.
//!
//! `struct<topic string, partition int, offset bigint, stage string, code string, message string, raw binary>`.
//! Topic, partition, offset and raw are the record's own, null where the input does not have them.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanBufferBuilder, Int32Array, Int64Array, RecordBatch, StringArray,
    StringBuilder, StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};

use super::ledger::Rejection;
use crate::error::StageError;

/// Name of the column.
pub const REJECTED: &str = "_rejected";

/// Kafka's own columns that are copied into `_rejected`, and the record's bytes.
pub(super) const TOPIC: &str = "topic";
pub(super) const PARTITION: &str = "partition";
pub(super) const OFFSET: &str = "offset";
pub(super) const VALUE: &str = "value";

pub(super) static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new(TOPIC, DataType::Utf8, true),
        Field::new(PARTITION, DataType::Int32, true),
        Field::new(OFFSET, DataType::Int64, true),
        Field::new("stage", DataType::Utf8, true),
        Field::new("code", DataType::Utf8, true),
        Field::new("message", DataType::Utf8, true),
        Field::new("raw", DataType::Binary, true),
    ])
});

/// The Arrow field of `_rejected`.
pub fn rejected_field() -> Field {
    Field::new(REJECTED, DataType::Struct(FIELDS.clone()), true)
}

/// Builds `_rejected` columns; keeps the all-null one, which nearly every batch wants, between batches.
#[derive(Debug, Default)]
pub(super) struct RejectedColumn {
    all_null: Option<StructArray>,
}

impl RejectedColumn {
    /// The column for `input`, whose `rejections` are in ascending row order.
    pub(super) fn build(&mut self, input: &RecordBatch, rejections: &[Rejection]) -> Result<ArrayRef, StageError> {
        let rows = input.num_rows();
        if rejections.is_empty() {
            return Ok(Arc::new(self.nulls(rows)));
        }
        let mut at: Vec<Option<u32>> = vec![None; rows];
        let mut valid = BooleanBufferBuilder::new(rows);
        valid.append_n(rows, false);
        let mut texts = [StringBuilder::new(), StringBuilder::new(), StringBuilder::new()];
        let mut next = rejections.iter().peekable();
        for (row, slot) in at.iter_mut().enumerate() {
            match next.next_if(|r| r.row as usize == row) {
                Some(r) => {
                    *slot = Some(row as u32);
                    valid.set_bit(row, true);
                    texts[0].append_value(r.stage);
                    texts[1].append_value(r.code.name());
                    texts[2].append_value(&r.message);
                }
                None => texts.iter_mut().for_each(StringBuilder::append_null),
            }
        }
        let at = UInt32Array::from(at);
        let [stage, code, message] = texts.map(|mut b| Arc::new(b.finish()) as ArrayRef);
        let columns = vec![
            copied::<StringArray>(input, TOPIC, &at, &DataType::Utf8)?,
            copied::<Int32Array>(input, PARTITION, &at, &DataType::Int32)?,
            copied::<Int64Array>(input, OFFSET, &at, &DataType::Int64)?,
            stage,
            code,
            message,
            copied::<BinaryArray>(input, VALUE, &at, &DataType::Binary)?,
        ];
        let nulls = NullBuffer::new(valid.finish());
        Ok(Arc::new(StructArray::try_new(FIELDS.clone(), columns, Some(nulls))?))
    }

    fn nulls(&mut self, rows: usize) -> StructArray {
        let longest = self.all_null.take().filter(|nulls| nulls.len() >= rows);
        self.all_null.insert(longest.unwrap_or_else(|| StructArray::new_null(FIELDS.clone(), rows))).slice(0, rows)
    }
}

/// A column of the record itself at the rejected rows; null everywhere if the input lacks it in this type
/// (a typed input may have a column of its own called `value`).
fn copied<A: Array + 'static>(
    input: &RecordBatch,
    name: &str,
    at: &UInt32Array,
    data_type: &DataType,
) -> Result<ArrayRef, StageError> {
    match input.column_by_name(name) {
        Some(column) if column.as_any().is::<A>() => Ok(take(column, at, None)?),
        _ => Ok(new_null_array(data_type, input.num_rows())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::AsArray;

    use super::*;
    use crate::stage::RejectCode;

    fn input() -> RecordBatch {
        RecordBatch::try_from_iter([
            (VALUE, Arc::new(BinaryArray::from(vec![Some(b"{}".as_ref()), Some(b"rub"), None])) as ArrayRef),
            (TOPIC, Arc::new(StringArray::from(vec!["t", "t", "t"]))),
            (OFFSET, Arc::new(Int64Array::from(vec![7, 8, 9]))),
        ])
        .unwrap()
    }

    #[test]
    fn carries_the_record_itself_and_is_null_elsewhere() {
        let rejections = [
            Rejection { row: 1, stage: "decode", code: RejectCode::Malformed, message: "at byte 0".into() },
            Rejection { row: 2, stage: "decode", code: RejectCode::Tombstone, message: "no value".into() },
        ];
        let column = RejectedColumn::default().build(&input(), &rejections).unwrap();
        let rejected = column.as_struct();
        assert_eq!(rejected.nulls().unwrap().iter().collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(rejected.column(0).as_string::<i32>().value(1), "t");
        assert!(rejected.column(1).is_null(1), "the input has no partition");
        assert_eq!(rejected.column(2).as_primitive::<arrow::datatypes::Int64Type>().value(2), 9);
        assert_eq!(rejected.column(4).as_string::<i32>().value(1), "MALFORMED");
        assert_eq!(rejected.column(6).as_binary::<i32>().value(1), b"rub");
        assert!(rejected.column(6).is_null(2), "a tombstone has no bytes");
    }

    #[test]
    fn all_null_column_is_reused_for_smaller_batches() {
        let mut builder = RejectedColumn::default();
        let three = builder.build(&input(), &[]).unwrap();
        let two = builder.build(&input().slice(0, 2), &[]).unwrap();
        assert_eq!((three.null_count(), two.len(), two.null_count()), (3, 2, 2));
    }
}
