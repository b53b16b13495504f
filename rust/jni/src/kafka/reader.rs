//! A task's reader: ranges of partitions in, batches out, through a pipeline if there is one.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use firesteel_engine::pipeline::RunnerLease;
use firesteel_engine::state::home::SnapshotStore;
use firesteel_kafka::{RangeReader, ReadCounts, ReadRequest, schema_of};

use super::stateful::Stateful;
use crate::engine;
use crate::error::{BridgeError, internal};
use crate::ffi;

/// Where [`ReaderSession::next`] has come to the end.
const END: i64 = -1;

/// An open reader. One thread reads; any thread may cancel or ask for metrics.
pub(crate) struct ReaderSession {
    /// `None` once closed.
    work: Mutex<Option<Work>>,
    output: SchemaRef,
    cancelled: AtomicBool,
    batches: AtomicI64,
    engine_nanos: AtomicI64,
}

struct Work {
    reader: RangeReader,
    runner: Option<RunnerLease>,
    /// Of a runner with windows.
    stateful: Option<Stateful>,
    /// All ranges are through.
    ended: bool,
}

impl ReaderSession {
    /// Opens what `request` (JSON) says; `call` is a prepared call on bytes, or empty; `state` (JSON, or empty) where the
    /// windows of a call that has some find what they know; `store` their snapshots, if there are any.
    pub(crate) fn open<S: SnapshotStore<Error = BridgeError>>(
        request: &str,
        call: &str,
        state: &str,
        store: Option<&mut S>,
    ) -> Result<Self, BridgeError> {
        // Not repeated in the message: it holds secrets.
        let mut request: ReadRequest =
            serde_json::from_str(request).map_err(|_| internal("a request to read that is none"))?;
        let (mut runner, output) = if call.is_empty() {
            (None, schema_of(&request.columns))
        } else {
            let compiled = engine::compiled(call)?;
            (Some(compiled.runner()?), compiled.output_schema().clone())
        };
        let stateful = match runner.as_mut().and_then(RunnerLease::windows_mut) {
            Some(windows) => {
                let state =
                    serde_json::from_str(state).map_err(|e| internal(format!("windows without a state: {e}")))?;
                Some(Stateful::open(state, &mut request.ranges, store, windows)?)
            }
            None => None,
        };
        request.apart = stateful.is_some();
        let reader = RangeReader::open(request)?;
        Ok(Self {
            work: Mutex::new(Some(Work { reader, runner, stateful, ended: false })),
            output,
            cancelled: AtomicBool::new(false),
            batches: AtomicI64::new(0),
            engine_nanos: AtomicI64::new(0),
        })
    }

    /// Fills the struct at `output` with the next batch; gives the bytes behind it, or [`END`].
    ///
    /// # Safety
    /// That of [`ffi::export`].
    pub(crate) unsafe fn next(&self, output: i64) -> Result<i64, BridgeError> {
        // What was lent out before is no longer read: Java promises that by calling. Its memory goes first.
        // SAFETY: by contract `output` is zeroed, released, or filled by an earlier export.
        unsafe { ffi::release(output) };
        let mut work = match self.work.try_lock() {
            Ok(work) => work,
            Err(TryLockError::WouldBlock) => return Err(BridgeError::Busy),
            Err(TryLockError::Poisoned(_)) => {
                return Err(internal("the reader panicked in an earlier batch and can't be used again"));
            }
        };
        let Some(work) = work.as_mut() else { return Err(internal("the reader is closed")) };
        let Some(result) = self.result(work)? else {
            work.ended = true;
            return Ok(END);
        };
        // SAFETY: by contract, and released above.
        let bytes = unsafe { ffi::export(result, &self.output, output) }?;
        self.batches.fetch_add(1, Ordering::Relaxed);
        Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// The next batch as it came, or what the runner makes of it.
    fn result(&self, work: &mut Work) -> Result<Option<RecordBatch>, BridgeError> {
        let (reader, cancelled) = (&mut work.reader, &self.cancelled);
        let Some(runner) = &mut work.runner else { return Ok(reader.next(cancelled)?) };
        if let Some(stateful) = &mut work.stateful {
            return stateful.next(reader, runner, cancelled, &self.engine_nanos);
        }
        let Some(records) = reader.next(cancelled)? else { return Ok(None) };
        let start = Instant::now();
        let result = runner.process(&records, cancelled)?;
        self.engine_nanos.fetch_add(start.elapsed().as_nanos() as i64, Ordering::Relaxed);
        if result.num_rows() != records.num_rows() {
            let (before, after) = (records.num_rows(), result.num_rows());
            return Err(internal(format!("{before} rows went in and {after} came out")));
        }
        Ok(Some(result))
    }

    /// Makes a waiting [`ReaderSession::next`] return soon, and every later one fail.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Ends the reading. If all ranges are through, the consumer goes on fetching for the next task and the states wait for
    /// it; before the end they are between two versions, and of no use to anybody. Java cancels before it closes, so that
    /// a cancelled flag says nothing of how the task ended.
    pub(crate) fn close(&self) {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut work) = work.filter(|work| work.ended) else { return };
        if let (Some(stateful), Some(runner)) = (work.stateful.take(), &mut work.runner) {
            stateful.close(runner);
        }
        work.reader.close();
    }

    /// In the order of Java's `ReaderMetrics`.
    pub(crate) fn metrics(&self) -> [i64; 13] {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = work.as_ref().map_or_else(ReadCounts::default, |work| work.reader.counts());
        let times = work.as_ref().and_then(|work| work.runner.as_ref().map(RunnerLease::times)).unwrap_or_default();
        let nanos = |d: std::time::Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        [
            number(counts.rows),
            self.batches.load(Ordering::Relaxed),
            number(counts.bytes),
            nanos(counts.waited),
            number(counts.lost),
            counts.round_trip_micros,
            number(times.rejected),
            nanos(times.decode),
            nanos(times.clean),
            nanos(times.features),
            nanos(times.inference),
            nanos(times.challengers),
            self.engine_nanos.load(Ordering::Relaxed),
        ]
    }
}
