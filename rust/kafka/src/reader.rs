//! Reads ranges of partitions into batches, in an order that depends on the ranges alone.
//!
//! Ranges are read in turns of a fixed number of rows, so that all partitions are fetched while one is read, and a
//! replay gives the same rows in the same order. Where batches are cut may depend on time ([`ReadRequest::max_wait`]);
//! what is in them does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode;
use serde::Deserialize;

use crate::columns::{Builder, Column};
use crate::error::KafkaFault;
use crate::pool::{self, Fetcher};
use crate::settings::ClientSettings;
use crate::wire::Took;

/// Between two looks at the cancel flag while nothing comes.
const WAIT: Duration = Duration::from_millis(50);
/// A topic that is unknown for so long is gone.
const GONE: Duration = Duration::from_secs(5);

/// A stretch of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Range {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset to read.
    pub from: i64,
    /// The offset after the last to read.
    pub until: i64,
}

impl Range {
    /// Whether another range is of the same partition.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.partition == other.partition && self.topic == other.topic
    }
}

/// What a task reads, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadRequest {
    /// Who reads: consumers are used again by tasks of the same source only. None are kept if it is empty.
    pub source: String,
    /// The client's settings.
    pub settings: ClientSettings,
    /// What to read, each partition once.
    pub ranges: Vec<Range>,
    /// Columns of the batches.
    pub columns: Vec<Column>,
    /// Most rows in a batch.
    pub batch_rows: usize,
    /// A batch is cut when its keys and values reach this many bytes.
    pub batch_bytes: usize,
    /// A batch with rows is given out after waiting this long for more, in milliseconds.
    pub max_wait_ms: u64,
    /// How long to wait for one record, in milliseconds.
    pub patience_ms: u64,
    /// Bytes that may be fetched ahead, as they come over the wire, for all partitions together.
    pub prefetch_bytes: usize,
    /// Whether lost records are an error; else they are passed over.
    pub fail_on_data_loss: bool,
    /// Whether a batch holds records of one partition only.
    #[serde(default)]
    pub apart: bool,
}

/// What a reader has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Records read.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Time spent waiting for records.
    pub waited: Duration,
    /// Offsets passed over because their records were lost.
    pub lost: u64,
    /// Mean round trip to the slowest broker, in microseconds; 0 until known.
    pub round_trip_micros: i64,
}

/// Reads the ranges of one task.
#[derive(Debug)]
pub struct RangeReader {
    request: ReadRequest,
    fetcher: Fetcher,
    names: Vec<Arc<str>>,
    /// Ranges not yet through, by position, in their order.
    open: Vec<usize>,
    /// The position in `open` whose turn it is, and the rows left in the turn.
    turn: (usize, usize),
    counts: ReadCounts,
    failed: bool,
}

impl RangeReader {
    /// Begins to read. The records of a range that follows on the last one of this process are mostly here already.
    ///
    /// # Errors
    /// A setting that can't be honoured, by name.
    pub fn open(request: ReadRequest) -> Result<Self, KafkaFault> {
        let fetcher = pool::lease(&request)?;
        let names = request.ranges.iter().map(|range| Arc::from(range.topic.as_str())).collect();
        let open = (0..request.ranges.len()).filter(|&i| request.ranges[i].from < request.ranges[i].until).collect();
        let turn = (0, request.batch_rows);
        Ok(Self { request, fetcher, names, open, turn, counts: ReadCounts::default(), failed: false })
    }

    /// The next batch, never empty; `None` when all ranges are through.
    ///
    /// # Errors
    /// Records that do not come, or are lost; cancellation. The reader can't be used after one.
    pub fn next(&mut self, cancelled: &AtomicBool) -> Result<Option<RecordBatch>, KafkaFault> {
        let result = self.fill(cancelled);
        self.failed |= result.is_err();
        result
    }

    /// Ends well: the consumer goes on fetching for the next task. A reader that is dropped closes its consumer.
    pub fn close(self) {
        if !self.failed && !self.request.source.is_empty() {
            pool::give_back(self.fetcher);
        }
    }

    /// What was read so far.
    pub fn counts(&self) -> ReadCounts {
        let mut counts = self.counts;
        counts.round_trip_micros = self.fetcher.consumer().round_trip_micros();
        counts
    }

    fn fill(&mut self, cancelled: &AtomicBool) -> Result<Option<RecordBatch>, KafkaFault> {
        let left: i64 = self.open.iter().map(|&i| self.request.ranges[i].until - self.fetcher.lane(i).next()).sum();
        let rows = self.request.batch_rows.min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut builder = Builder::new(&self.request.columns, rows, self.expected_bytes(rows));
        while let Some(&range) = self.open.get(self.turn.0) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(KafkaFault::Cancelled);
            }
            if builder.rows() >= self.request.batch_rows || builder.bytes() >= self.request.batch_bytes {
                break;
            }
            self.take_ready(range, &mut builder)?;
            let until = self.request.ranges[range].until;
            let through = self.fetcher.lane_mut(range).is_through(until);
            if through || self.turn.1 == 0 {
                if through {
                    self.open.remove(self.turn.0);
                }
                self.next_turn(usize::from(!through));
                if self.request.apart && builder.rows() > 0 {
                    break;
                }
            } else if builder.rows() < self.request.batch_rows
                && builder.bytes() < self.request.batch_bytes
                && !self.wait(range, builder.rows() > 0, cancelled)?
            {
                break;
            }
        }
        if builder.rows() == 0 {
            return Ok(None);
        }
        self.counts.rows += builder.rows() as u64;
        self.counts.bytes += builder.bytes() as u64;
        builder.finish().map(Some)
    }

    /// Room for the values: as the batches before, or nothing known.
    fn expected_bytes(&self, rows: usize) -> usize {
        let each = self.counts.bytes.checked_div(self.counts.rows).map_or(0, |bytes| bytes + bytes / 8);
        usize::try_from(each).unwrap_or(0).saturating_mul(rows).min(self.request.batch_bytes)
    }

    fn next_turn(&mut self, step: usize) {
        let next = self.turn.0 + step;
        self.turn = (if next < self.open.len() { next } else { 0 }, self.request.batch_rows);
    }

    /// Moves what has come of a range into the batch, as far as batch and turn go.
    fn take_ready(&mut self, range: usize, builder: &mut Builder) -> Result<(), KafkaFault> {
        let Range { topic, partition, until, .. } = &self.request.ranges[range];
        builder.enter(&self.names[range], *partition);
        let room = self.request.batch_rows.saturating_sub(builder.rows()).min(self.turn.1);
        if room == 0 || builder.bytes() >= self.request.batch_bytes {
            return Ok(());
        }
        let lane = self.fetcher.lane_mut(range);
        let mut taken = 0;
        let result = lane.read(*until, |record| {
            builder.push(record)?;
            taken += 1;
            Ok(taken < room && builder.bytes() < self.request.batch_bytes)
        });
        self.turn.1 -= taken;
        result.map_err(|error| KafkaFault::other(format!("{topic}-{partition}: from offset {}", lane.next()), error))
    }

    /// Waits for more of a range; false if a batch that has rows should be given out now.
    fn wait(&mut self, range: usize, has_rows: bool, cancelled: &AtomicBool) -> Result<bool, KafkaFault> {
        match self.fetcher.lane_mut(range).take(Duration::ZERO) {
            Took::Records => return Ok(true),
            Took::Nothing => {}
            other => {
                if self.hear(range, other, cancelled)? {
                    return Ok(true);
                }
            }
        }
        let start = Instant::now();
        let patience = Duration::from_millis(self.request.patience_ms);
        let longest = if has_rows { Duration::from_millis(self.request.max_wait_ms) } else { patience };
        loop {
            if cancelled.load(Ordering::Relaxed) {
                return Err(KafkaFault::Cancelled);
            }
            let waited = start.elapsed();
            if waited >= longest {
                self.counts.waited += waited;
                return if has_rows { Ok(false) } else { Err(self.timeout(range)) };
            }
            let took = self.fetcher.lane_mut(range).take(WAIT.min(longest - waited));
            if took == Took::Records || (took != Took::Nothing && self.hear(range, took, cancelled)?) {
                self.counts.waited += start.elapsed();
                return Ok(true);
            }
            if let Some(reason) = self.fetcher.consumer().refused() {
                let servers = self.fetcher.servers();
                return Err(KafkaFault::Authentication { servers, reason });
            }
        }
    }

    /// Deals with what came in place of records; true if the range should be looked at again.
    fn hear(&mut self, range: usize, took: Took, cancelled: &AtomicBool) -> Result<bool, KafkaFault> {
        let Range { topic, partition, until, .. } = &self.request.ranges[range];
        match took {
            Took::Records => Ok(true),
            Took::Nothing => Ok(false),
            Took::OutOfRange => self.lost(range).map(|()| true),
            Took::NotAuthorized(reason) => Err(KafkaFault::NotAuthorized { what: format!("topic {topic}"), reason }),
            // A broker that has just started says so too, for a moment; the question makes sure.
            Took::Unknown if self.is_gone(topic, *partition, cancelled)? => {
                if self.request.fail_on_data_loss {
                    let topic = format!("{topic}, partition {partition},");
                    return Err(KafkaFault::UnknownTopic { topic, servers: self.fetcher.servers() });
                }
                let until = *until;
                self.skip(range, until);
                Ok(true)
            }
            Took::Unknown => Ok(false),
            Took::Trouble(reason) => Err(KafkaFault::other(format!("{topic}-{partition}"), reason)),
        }
    }

    /// The next offset is gone: an error, or on to the first that there is.
    fn lost(&mut self, range: usize) -> Result<(), KafkaFault> {
        let Range { topic, partition, until, .. } = self.request.ranges[range].clone();
        let wanted = self.fetcher.lane(range).next();
        let patience = Duration::from_millis(self.request.patience_ms);
        let client = self.fetcher.client()?;
        let (earliest, latest) = client.ask(&format!("{topic}-{partition}"), patience, |wait| {
            client.consumer().fetch_watermarks(&topic, partition, wait)
        })?;
        if self.request.fail_on_data_loss {
            return Err(KafkaFault::OffsetsLost { topic, partition, wanted, earliest, latest });
        }
        // A partition that was made anew ends before `wanted`: all of the range is gone.
        let next = if wanted > latest { until } else { earliest.clamp(wanted, until) };
        self.skip(range, next);
        Ok(())
    }

    /// Whether a partition does not exist any more. A broker that has just started, or one that hears of a topic late,
    /// says so for a moment: it must say the same for a while.
    fn is_gone(&self, topic: &str, partition: i32, cancelled: &AtomicBool) -> Result<bool, KafkaFault> {
        let client = self.fetcher.client()?;
        let patience = Duration::from_millis(self.request.patience_ms);
        let start = Instant::now();
        while start.elapsed() < GONE.min(patience) {
            if cancelled.load(Ordering::Relaxed) {
                return Err(KafkaFault::Cancelled);
            }
            let there = client.ask(&format!("topic {topic}"), patience, |wait| {
                let metadata = client.consumer().fetch_metadata(Some(topic), wait)?;
                let unknown = |error| {
                    let code = RDKafkaErrorCode::from(error);
                    matches!(code, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
                };
                Ok(metadata.topics().iter().any(|found| match found.error() {
                    Some(error) => !unknown(error),
                    None => found.partitions().iter().any(|known| known.id() == partition),
                }))
            })?;
            if there {
                return Ok(false);
            }
            std::thread::sleep(WAIT * 5);
        }
        Ok(true)
    }

    /// Gives up what is before `next`.
    fn skip(&mut self, range: usize, next: i64) {
        let lane = self.fetcher.lane_mut(range);
        let mut skipped = self.request.ranges[range].clone();
        (skipped.from, skipped.until) = (lane.next(), next);
        lane.restart_at(next);
        log::warn!(
            "{}-{}: offsets {} to {} are lost and passed over (failOnDataLoss is false)",
            skipped.topic,
            skipped.partition,
            skipped.from,
            skipped.until - 1
        );
        self.counts.lost += u64::try_from(skipped.until - skipped.from).unwrap_or(0);
    }

    fn timeout(&self, range: usize) -> KafkaFault {
        let Range { topic, partition, .. } = &self.request.ranges[range];
        KafkaFault::Timeout {
            topic: topic.clone(),
            partition: *partition,
            offset: self.fetcher.lane(range).next(),
            seconds: self.request.patience_ms / 1000,
            reason: self.fetcher.consumer().last_error(),
        }
    }
}
