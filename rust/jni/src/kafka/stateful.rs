//! A runner with windows behind a reader, as the engine's [`Task`] drives them: records as its log, the runner as its kernel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use firesteel_engine::pipeline::RunnerLease;
use firesteel_engine::state::Windows;
use firesteel_engine::state::home::{self, Kernel, Log, SnapshotStore, Task};
use firesteel_kafka::{Range, RangeReader, java_partition};
use serde::Deserialize;

use super::homes;
use crate::error::{BridgeError, internal};

/// What a reader has to know of the state beside its partitions.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StateRequest {
    /// Name of the home; no state is kept if it is empty.
    home: String,
    /// Per range, where its partition was read from when the query began.
    origins: Vec<i64>,
    /// Partitions of each topic, if keys are to be checked against them.
    partitions: HashMap<String, i32>,
}

/// A task with windows.
pub(crate) struct Stateful {
    task: Task,
    /// See [`StateRequest::partitions`].
    partitions: HashMap<String, i32>,
}

impl Stateful {
    /// Takes the partitions' states, or snapshots of them; moves the ranges' beginnings back to where these stand.
    pub(crate) fn open<S: SnapshotStore<Error = BridgeError>>(
        request: StateRequest,
        ranges: &mut [Range],
        store: Option<&mut S>,
        windows: &Windows,
    ) -> Result<Self, BridgeError> {
        let StateRequest { home, origins, partitions } = request;
        if origins.len() != ranges.len() {
            return Err(internal("ranges and their origins"));
        }
        let wanted = ranges.iter().zip(origins).map(|(range, origin)| home::Range {
            topic: range.topic.clone(),
            partition: range.partition,
            from: range.from,
            until: range.until,
            origin,
        });
        let task = homes::open(&home, wanted.collect(), store, windows)?;
        for (range, (start, _)) in ranges.iter_mut().zip(task.ranges()) {
            range.from = start;
        }
        Ok(Self { task, partitions })
    }

    /// The results of the next records that were asked for; `None` at the end. Adds to `nanos` the time on which the
    /// runner works.
    pub(crate) fn next(
        &mut self,
        reader: &mut RangeReader,
        runner: &mut RunnerLease,
        cancelled: &AtomicBool,
        nanos: &AtomicI64,
    ) -> Result<Option<RecordBatch>, BridgeError> {
        let mut log = Records { reader, partitions: &self.partitions, cancelled };
        self.task.next(&mut log, &mut Working { runner, cancelled, nanos })
    }

    /// The task is over; if it has read everything, its states wait for the next.
    pub(crate) fn close(self, runner: &mut RunnerLease) {
        if let Some(windows) = runner.windows_mut() {
            homes::close(self.task, windows);
        }
    }
}

struct Records<'a> {
    reader: &'a mut RangeReader,
    partitions: &'a HashMap<String, i32>,
    cancelled: &'a AtomicBool,
}

impl Log for Records<'_> {
    type Error = BridgeError;

    fn next(&mut self) -> Result<Option<RecordBatch>, BridgeError> {
        let Some(records) = self.reader.next(self.cancelled)? else { return Ok(None) };
        check_keys(&records, self.partitions)?;
        Ok(Some(records))
    }
}

struct Working<'a> {
    runner: &'a mut RunnerLease,
    cancelled: &'a AtomicBool,
    nanos: &'a AtomicI64,
}

impl Kernel for Working<'_> {
    type Output = RecordBatch;
    type Error = BridgeError;

    fn windows(&mut self) -> Result<&mut Windows, BridgeError> {
        self.runner.windows_mut().ok_or_else(|| internal("a state without windows"))
    }

    fn observe(&mut self, past: &RecordBatch) -> Result<(), BridgeError> {
        let start = Instant::now();
        let result = self.runner.observe(past, self.cancelled);
        self.nanos.fetch_add(start.elapsed().as_nanos() as i64, Ordering::Relaxed);
        Ok(result?)
    }

    fn process(&mut self, records: &RecordBatch) -> Result<RecordBatch, BridgeError> {
        let start = Instant::now();
        let result = self.runner.process(records, self.cancelled);
        self.nanos.fetch_add(start.elapsed().as_nanos() as i64, Ordering::Relaxed);
        Ok(result?)
    }
}

/// All records of a key must be in one partition, which only the key's place can show.
fn check_keys(records: &RecordBatch, partitions: &HashMap<String, i32>) -> Result<(), BridgeError> {
    if partitions.is_empty() || records.num_rows() == 0 {
        return Ok(());
    }
    let missing = || internal("a batch without topic, partition, offset and key");
    let column = |name: &str| records.column_by_name(name).ok_or_else(missing);
    let topic = column("topic")?.as_string_opt::<i32>().ok_or_else(missing)?.value(0);
    let Some(&partitions) = partitions.get(topic) else { return Ok(()) };
    let partition = column("partition")?.as_primitive_opt::<Int32Type>().ok_or_else(missing)?.value(0);
    let offsets = column("offset")?.as_primitive_opt::<Int64Type>().ok_or_else(missing)?.values();
    let keys = column("key")?.as_binary_opt::<i32>().ok_or_else(missing)?;
    for (row, offset) in offsets.iter().enumerate() {
        let belongs = (!keys.is_null(row)).then(|| java_partition(keys.value(row), partitions));
        if belongs != Some(partition) {
            return Err(BridgeError::Misplaced {
                topic: topic.to_owned(),
                partition,
                offset: *offset,
                belongs,
                partitions,
            });
        }
    }
    Ok(())
}
