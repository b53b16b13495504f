//! Reads a topic once from start to end with librdkafka, as fast as one thread can, in batches of raw values.
//!
//! Offsets are assigned, there is no consumer group, and the end is the one known when the reading starts. The queue
//! settings keep librdkafka's fetchers from backing off while a batch is being scored.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, BinaryBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::{Failure, PATIENCE, Read};

const VALUE_BYTES: usize = 400;

/// One thread's share of a topic.
pub(crate) struct Share {
    consumer: BaseConsumer,
    left: u64,
}

impl Share {
    /// The partitions `index`, `index + of`, … of a topic, up to their present ends.
    pub(crate) fn assign(bootstrap: &str, topic: &str, index: usize, of: usize) -> Result<Self, Failure> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "firesteel-ceiling")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("check.crcs", "false")
            .set("queued.min.messages", "1000000")
            .set("queued.max.messages.kbytes", "262144")
            .set("fetch.message.max.bytes", "8388608")
            .set("fetch.queue.backoff.ms", "5")
            .create()?;
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics().first().map(|t| t.partitions().len()).unwrap_or_default();
        let mut assigned = TopicPartitionList::new();
        let mut left = 0;
        for partition in (index..partitions).step_by(of) {
            let partition = i32::try_from(partition)?;
            let (low, high) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
            left += u64::try_from(high - low)?;
            assigned.add_partition_offset(topic, partition, Offset::Offset(low))?;
        }
        consumer.assign(&assigned)?;
        Ok(Self { consumer, left })
    }

    /// Hands every batch of up to `batch_rows` records to `work`, as a column `value`.
    pub(crate) fn read(
        mut self,
        batch_rows: usize,
        mut work: impl FnMut(RecordBatch) -> Result<(), Failure>,
    ) -> Result<Read, Failure> {
        let schema = Arc::new(Schema::new(vec![Field::new("value", DataType::Binary, true)]));
        let mut started = None;
        let mut rows = 0;
        while self.left > 0 {
            let mut values = BinaryBuilder::with_capacity(batch_rows, batch_rows * VALUE_BYTES);
            let mut count = 0;
            while count < batch_rows && self.left > 0 {
                let message = self.consumer.poll(PATIENCE).ok_or("no record came in time")??;
                started.get_or_insert_with(Instant::now);
                values.append_option(message.payload());
                count += 1;
                self.left -= 1;
            }
            rows += u64::try_from(count)?;
            let column: ArrayRef = Arc::new(values.finish());
            work(RecordBatch::try_new(Arc::clone(&schema), vec![column])?)?;
        }
        Ok(Read { rows, took: started.map(|s| s.elapsed()).unwrap_or_default() })
    }
}
