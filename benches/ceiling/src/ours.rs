//! Reads a topic once from start to end with Firesteel's own client, as its tasks in Spark do.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use firesteel_kafka::{ClientSettings, Column, Range, RangeReader, ReadRequest, Secret};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{Failure, PATIENCE, Read};

/// As the source's defaults, with batches of any size in bytes.
const BATCH_BYTES: usize = 32 << 20;
const PREFETCH_BYTES: usize = 8 << 20;

/// One thread's share of a topic.
pub(crate) struct Share(ReadRequest);

impl Share {
    /// The partitions `index`, `index + of`, … of a topic, up to their present ends.
    pub(crate) fn assign(
        bootstrap: &str,
        topic: &str,
        index: usize,
        of: usize,
        batch_rows: usize,
    ) -> Result<Self, Failure> {
        let asking: BaseConsumer = ClientConfig::new().set("bootstrap.servers", bootstrap).create()?;
        let metadata = asking.fetch_metadata(Some(topic), PATIENCE)?;
        let partitions = metadata.topics().first().map(|t| t.partitions().len()).unwrap_or_default();
        let mut ranges = Vec::new();
        for partition in (index..partitions).step_by(of) {
            let partition = i32::try_from(partition)?;
            let (from, until) = asking.fetch_watermarks(topic, partition, PATIENCE)?;
            ranges.push(Range { topic: topic.to_owned(), partition, from, until });
        }
        let properties = [("bootstrap.servers".to_owned(), Secret::new(bootstrap))].into();
        Ok(Self(ReadRequest {
            source: String::new(),
            settings: ClientSettings { properties, oauth: None },
            ranges,
            apart: false,
            columns: vec![Column::Value],
            batch_rows,
            batch_bytes: BATCH_BYTES,
            max_wait_ms: 100,
            patience_ms: u64::try_from(PATIENCE.as_millis())?,
            prefetch_bytes: PREFETCH_BYTES,
            fail_on_data_loss: true,
        }))
    }

    /// Hands every batch to `work`, as a column `value`.
    pub(crate) fn read(self, mut work: impl FnMut(RecordBatch) -> Result<(), Failure>) -> Result<Read, Failure> {
        let cancelled = AtomicBool::new(false);
        let mut reader = RangeReader::open(self.0)?;
        let (mut started, mut rows) = (None, 0);
        while let Some(batch) = reader.next(&cancelled)? {
            started.get_or_insert_with(Instant::now);
            rows += u64::try_from(batch.num_rows())?;
            work(batch)?;
        }
        Ok(Read { rows, took: started.map(|s| s.elapsed()).unwrap_or_default() })
    }
}
