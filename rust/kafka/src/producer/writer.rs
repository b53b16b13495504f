//! One task's way to its producer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::BaseRecord;

use super::shared::{self, SharedProducer, advice};
use super::tally::Tally;
use super::{Layout, ProduceError, Settings, headers};
use crate::json::RowEncoder;

/// How often a writer that waits looks whether it still should.
const LOOK: Duration = Duration::from_millis(50);
/// How long a full queue is left alone before it is tried again.
const BACK_OFF: Duration = Duration::from_millis(1);
/// What a flush gives the client beyond the time after which the client gives up by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Rows and bytes that were handed over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    /// Records.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Writes batches; used by one thread, cancelled by any.
pub struct Writer {
    producer: SharedProducer,
    tally: Arc<Tally>,
    layout: Layout,
    encoder: RowEncoder,
    /// Kept from batch to batch.
    values: Vec<u8>,
    ends: Vec<usize>,
    written: Written,
    limit: Duration,
}

impl Writer {
    /// A writer on the process's producer for these settings.
    pub fn open(settings: &Settings, layout: Layout) -> Result<Self, ProduceError> {
        Ok(Self {
            producer: shared::producer(settings)?,
            tally: Arc::default(),
            encoder: RowEncoder::new(layout.members.clone(), layout.skip_nulls),
            layout,
            values: Vec::new(),
            ends: Vec::new(),
            written: Written::default(),
            limit: settings.delivery_timeout() + GRACE,
        })
    }

    /// Hands every row over; waits while the producer's queue is full. Fails early if an earlier record failed.
    pub fn send(&mut self, batch: &RecordBatch, cancelled: &AtomicBool) -> Result<(), ProduceError> {
        self.values.clear();
        self.ends.clear();
        let columns = Columns::of(&self.layout, batch)?;
        if columns.value.is_none() {
            self.encoder.encode(batch, &mut self.values, &mut self.ends)?;
        }
        let mut start = 0;
        for row in 0..batch.num_rows() {
            let value = match &columns.value {
                Some(column) => column.get(row),
                None => {
                    let bytes = &self.values[start..self.ends[row]];
                    start = self.ends[row];
                    Some(bytes)
                }
            };
            let topic = columns.topic(row)?;
            let mut record: BaseRecord<'_, [u8], [u8], Arc<Tally>> =
                BaseRecord::with_opaque_to(topic, Arc::clone(&self.tally));
            if let Some(value) = value {
                self.written.bytes += value.len() as u64;
                record = record.payload(value);
            }
            if let Some(key) = columns.key.as_ref().and_then(|column| column.get(row)) {
                self.written.bytes += key.len() as u64;
                record = record.key(key);
            }
            if let Some(partition) = columns.partition.filter(|column| column.is_valid(row)) {
                record = record.partition(partition.value(row));
            }
            if let Some(bytes) = columns.headers.as_ref().and_then(|column| column.get(row)).filter(|b| !b.is_empty()) {
                let parsed = headers::parse(bytes);
                record = record.headers(parsed.ok_or_else(|| internal("headers that are none"))?);
            }
            self.written.rows += 1;
            self.enqueue(record, cancelled)?;
        }
        self.tally.check()
    }

    fn enqueue(
        &self,
        mut record: BaseRecord<'_, [u8], [u8], Arc<Tally>>,
        cancelled: &AtomicBool,
    ) -> Result<(), ProduceError> {
        self.tally.sent();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    let stop = if cancelled.load(Ordering::Relaxed) {
                        Err(ProduceError::Cancelled)
                    } else {
                        self.tally.check()
                    };
                    if stop.is_err() {
                        self.tally.unsent();
                        return stop;
                    }
                    std::thread::sleep(BACK_OFF);
                }
                Err((error, back)) => {
                    let code = error.rdkafka_error_code();
                    let reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
                    self.tally.failed(format!("topic {}", back.topic), reason, advice(code));
                    return self.tally.check();
                }
            }
        }
    }

    /// Waits for the acknowledgements of this writer's records; bounded by the delivery timeout.
    pub fn flush(&self, cancelled: &AtomicBool) -> Result<Written, ProduceError> {
        let started = Instant::now();
        while !self.tally.wait(LOOK) {
            self.tally.check()?;
            if cancelled.load(Ordering::Relaxed) {
                return Err(ProduceError::Cancelled);
            }
            if started.elapsed() > self.limit {
                return Err(ProduceError::NoAnswer {
                    pending: self.tally.pending(),
                    seconds: self.limit.as_secs(),
                    advice: advice(None),
                });
            }
        }
        self.tally.check()?;
        Ok(self.written)
    }
}

fn internal(message: impl Into<String>) -> ProduceError {
    ProduceError::Internal(message.into())
}

/// A column of text or binary.
enum Bytes<'a> {
    Text(&'a StringArray),
    Binary(&'a arrow::array::BinaryArray),
}

impl<'a> Bytes<'a> {
    fn of(batch: &'a RecordBatch, column: usize) -> Result<Self, ProduceError> {
        match batch.columns().get(column) {
            Some(array) if *array.data_type() == DataType::Utf8 => Ok(Self::Text(array.as_string())),
            Some(array) if *array.data_type() == DataType::Binary => Ok(Self::Binary(array.as_binary())),
            other => {
                Err(internal(format!("column {column} has no bytes but {:?}", other.map(|array| array.data_type()))))
            }
        }
    }

    fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Text(array) => array.is_valid(row).then(|| array.value(row).as_bytes()),
            Self::Binary(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// The columns of a batch in their parts.
struct Columns<'a> {
    fixed_topic: Option<&'a str>,
    topics: Option<&'a StringArray>,
    partition: Option<&'a Int32Array>,
    key: Option<Bytes<'a>>,
    headers: Option<Bytes<'a>>,
    value: Option<Bytes<'a>>,
}

impl<'a> Columns<'a> {
    fn of(layout: &'a Layout, batch: &'a RecordBatch) -> Result<Self, ProduceError> {
        let bytes = |column: Option<usize>| column.map(|column| Bytes::of(batch, column)).transpose();
        let array =
            |column: usize| batch.columns().get(column).ok_or_else(|| internal(format!("there is no column {column}")));
        let topics = layout.topic_column.map(|column| match Bytes::of(batch, column)? {
            Bytes::Text(topics) => Ok(topics),
            Bytes::Binary(_) => Err(internal("topics that are no text")),
        });
        let partition = layout.partition.map(|column| {
            array(column)?.as_primitive_opt::<Int32Type>().ok_or_else(|| internal("partitions that are no numbers"))
        });
        Ok(Self {
            fixed_topic: layout.topic.as_deref(),
            topics: topics.transpose()?,
            partition: partition.transpose()?,
            key: bytes(layout.key)?,
            headers: bytes(layout.headers)?,
            value: bytes(layout.value)?,
        })
    }

    fn topic(&self, row: usize) -> Result<&'a str, ProduceError> {
        match (self.fixed_topic, self.topics) {
            (Some(topic), _) => Ok(topic),
            (None, Some(topics)) if topics.is_valid(row) => Ok(topics.value(row)),
            _ => Err(ProduceError::NullTopic),
        }
    }
}

#[cfg(test)]
mod tests;
