//! Records into the columns that Spark's Kafka source has, of which only the wanted ones are made.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BinaryBuilder, Int32Array, Int64Array, ListBuilder, RecordBatch, RecordBatchOptions,
    StringArray, StringBuilder, StructBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;

use crate::error::KafkaFault;
use crate::wire::WireError;
use crate::wire::batch::Record;

/// A column of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Column {
    /// The key, binary.
    Key,
    /// The value, binary.
    Value,
    /// The topic's name.
    Topic,
    /// The partition's number.
    Partition,
    /// The offset in the partition.
    Offset,
    /// The record's time, microseconds UTC.
    Timestamp,
    /// What the time means: -1 nothing, 0 given by the producer, 1 given by the broker.
    TimestampType,
    /// A list of key (string) and value (binary), null without headers.
    Headers,
}

impl Column {
    /// The column's name, as in Spark's Kafka source.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Topic => "topic",
            Self::Partition => "partition",
            Self::Offset => "offset",
            Self::Timestamp => "timestamp",
            Self::TimestampType => "timestampType",
            Self::Headers => "headers",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Key | Self::Value => DataType::Binary,
            Self::Topic => DataType::Utf8,
            Self::Partition | Self::TimestampType => DataType::Int32,
            Self::Offset => DataType::Int64,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Headers => DataType::List(Arc::new(Field::new("item", DataType::Struct(header_fields()), true))),
        }
    }
}

fn header_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, true), Field::new("value", DataType::Binary, true)])
}

/// The schema of batches of `columns`, in their order.
pub fn schema_of(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns.iter().map(|c| Field::new(c.name(), c.data_type(), true)).collect();
    Arc::new(Schema::new(fields))
}

/// Bytes of variable length, one run of memory; nulls cost nothing until there is one.
#[derive(Debug, Default)]
struct Bytes {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    valid: Option<Vec<bool>>,
}

impl Bytes {
    fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { bytes: Vec::with_capacity(bytes), ends, valid: None }
    }

    #[inline]
    fn push(&mut self, value: Option<&[u8]>) -> Result<(), WireError> {
        match value {
            Some(value) => self.bytes.extend_from_slice(value),
            None if self.valid.is_none() => self.valid = Some(vec![true; self.ends.len() - 1]),
            None => {}
        }
        if let Some(valid) = &mut self.valid {
            valid.push(value.is_some());
        }
        let end = i32::try_from(self.bytes.len());
        self.ends.push(end.map_err(|_| WireError::Malformed("a batch of more than 2 GiB. Lower batchBytes"))?);
        Ok(())
    }

    fn finish(self) -> Result<BinaryArray, arrow::error::ArrowError> {
        let nulls = self.valid.map(NullBuffer::from);
        BinaryArray::try_new(OffsetBuffer::new(self.ends.into()), self.bytes.into(), nulls)
    }
}

/// A batch in the making.
#[derive(Debug)]
pub(crate) struct Builder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    keys: Bytes,
    values: Bytes,
    /// Topic and partition change rarely: (topic, partition, rows).
    runs: Vec<(Arc<str>, i32, usize)>,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    timestamp_types: Vec<i32>,
    headers: Option<ListBuilder<StructBuilder>>,
}

impl Builder {
    /// Room for about `rows` rows of `bytes` bytes together.
    pub(crate) fn new(columns: &[Column], rows: usize, bytes: usize) -> Self {
        let has = |column| columns.contains(&column);
        let room = |column, bytes| if has(column) { Bytes::with_capacity(rows, bytes) } else { Bytes::default() };
        let numbers = |wanted: bool| if wanted { rows } else { 0 };
        Self {
            schema: schema_of(columns),
            columns: columns.to_vec(),
            rows: 0,
            bytes: 0,
            keys: room(Column::Key, 0),
            values: room(Column::Value, bytes),
            runs: Vec::new(),
            offsets: Vec::with_capacity(numbers(has(Column::Offset))),
            timestamps: Vec::with_capacity(numbers(has(Column::Timestamp))),
            timestamp_types: Vec::with_capacity(numbers(has(Column::TimestampType))),
            headers: has(Column::Headers).then(|| ListBuilder::new(StructBuilder::from_fields(header_fields(), 0))),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of keys and values so far, wanted or not.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next records come from here.
    pub(crate) fn enter(&mut self, topic: &Arc<str>, partition: i32) {
        match self.runs.last() {
            Some((t, p, _)) if t == topic && *p == partition => {}
            _ => self.runs.push((Arc::clone(topic), partition, 0)),
        }
    }

    /// Adds a record of the partition last entered.
    #[inline]
    pub(crate) fn push(&mut self, record: &Record<'_>) -> Result<(), WireError> {
        self.rows += 1;
        self.bytes += record.size();
        if let Some((_, _, rows)) = self.runs.last_mut() {
            *rows += 1;
        }
        for column in &self.columns {
            match column {
                Column::Key => self.keys.push(record.key)?,
                Column::Value => self.values.push(record.value)?,
                Column::Topic | Column::Partition => {}
                Column::Offset => self.offsets.push(record.offset),
                Column::Timestamp => self.timestamps.push(record.timestamp.saturating_mul(1000)),
                Column::TimestampType => self.timestamp_types.push(record.timestamp_type as i32),
                Column::Headers => {
                    self.bytes += record.headers_size();
                    if let Some(headers) = &mut self.headers {
                        push_headers(headers, record)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The batch.
    pub(crate) fn finish(mut self) -> Result<RecordBatch, KafkaFault> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let broken = |error| KafkaFault::other("a batch of records could not be made", error);
        for column in std::mem::take(&mut self.columns) {
            arrays.push(match column {
                Column::Key => Arc::new(std::mem::take(&mut self.keys).finish().map_err(broken)?),
                Column::Value => Arc::new(std::mem::take(&mut self.values).finish().map_err(broken)?),
                Column::Topic => Arc::new(self.topics()),
                Column::Partition => {
                    let runs = self.runs.iter().flat_map(|(_, partition, rows)| std::iter::repeat_n(*partition, *rows));
                    Arc::new(Int32Array::from_iter_values(runs))
                }
                Column::Offset => Arc::new(Int64Array::from(std::mem::take(&mut self.offsets))),
                Column::Timestamp => {
                    let timestamps = std::mem::take(&mut self.timestamps);
                    Arc::new(TimestampMicrosecondArray::from(timestamps).with_timezone("UTC"))
                }
                Column::TimestampType => Arc::new(Int32Array::from(std::mem::take(&mut self.timestamp_types))),
                Column::Headers => match &mut self.headers {
                    Some(headers) => Arc::new(headers.finish()),
                    None => return Err(broken(arrow::error::ArrowError::SchemaError("headers".to_owned()))),
                },
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(self.schema, arrays, &options).map_err(broken)
    }

    fn topics(&self) -> StringArray {
        let bytes = self.runs.iter().map(|(topic, _, rows)| topic.len() * rows).sum();
        let mut topics = StringBuilder::with_capacity(self.rows, bytes);
        for (topic, _, rows) in &self.runs {
            topics.append_value_n(topic.as_ref(), *rows);
        }
        topics.finish()
    }
}

fn push_headers(list: &mut ListBuilder<StructBuilder>, record: &Record<'_>) -> Result<(), WireError> {
    let entries = list.values();
    let any = record.headers(|name, value| {
        if let Some(names) = entries.field_builder::<StringBuilder>(0) {
            names.append_value(String::from_utf8_lossy(name));
        }
        if let Some(values) = entries.field_builder::<BinaryBuilder>(1) {
            values.append_option(value);
        }
        entries.append(true);
    })?;
    list.append(any);
    Ok(())
}
