//! What lives between two calls from Java: an opened call of the engine, the agreed schemas, the cancel flag.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Instant;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use firesteel_engine::error::{SpecError, StageError};
use firesteel_engine::spec::{arrow_type, ddl};

use crate::error::{BridgeError, internal};
use crate::ffi;

/// Times and counts of a runner's stages since it was opened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StageTimes {
    pub(crate) rejected: i64,
    pub(crate) decode_nanos: i64,
    pub(crate) clean_nanos: i64,
    pub(crate) features_nanos: i64,
    pub(crate) inference_nanos: i64,
    pub(crate) challengers_nanos: i64,
}

/// One batch in, one batch out, row by row in line.
pub(crate) trait Work: Send {
    /// The result has the rows of `batch`, in its order, unless [`Work::keeps_rows`] says otherwise.
    fn run(&mut self, batch: RecordBatch) -> Result<RecordBatch, StageError>;

    /// Whether a result has as many rows as went in.
    fn keeps_rows(&self) -> bool {
        true
    }

    /// What [`Work::run`] has done so far.
    fn times(&self) -> StageTimes;
}

/// An open runner. One thread runs batches; any thread may cancel or ask for metrics.
pub(crate) struct Session {
    work: Mutex<Box<dyn Work>>,
    input: SchemaRef,
    output: SchemaRef,
    cancelled: Arc<AtomicBool>,
    rows: AtomicI64,
    batches: AtomicI64,
    engine_nanos: AtomicI64,
    output_bytes: AtomicI64,
}

impl Session {
    /// A session for `work`, which polls `cancelled` if it takes long.
    pub(crate) fn new(work: Box<dyn Work>, input: SchemaRef, output: SchemaRef, cancelled: Arc<AtomicBool>) -> Self {
        Self {
            work: Mutex::new(work),
            input,
            output,
            cancelled,
            rows: AtomicI64::new(0),
            batches: AtomicI64::new(0),
            engine_nanos: AtomicI64::new(0),
            output_bytes: AtomicI64::new(0),
        }
    }

    /// Runs the batch at `input` and fills the struct at `output`; gives the bytes behind it.
    ///
    /// # Safety
    /// Those of [`ffi::import`] and [`ffi::export`].
    pub(crate) unsafe fn process(&self, input: i64, output: i64) -> Result<i64, BridgeError> {
        // What was lent out before is no longer read: Java promises that by calling. Its memory goes first.
        // SAFETY: by contract `output` is zeroed, released, or filled by an earlier export.
        unsafe { ffi::release(output) };
        // SAFETY: by contract of this function.
        let batch = unsafe { ffi::import(input, &self.input) }?;
        let rows = batch.num_rows();
        let result = self.run(batch)?;
        // SAFETY: by contract, and released above.
        let bytes = unsafe { ffi::export(result, &self.output, output) }?;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.rows.fetch_add(rows as i64, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.output_bytes.store(bytes, Ordering::Relaxed);
        Ok(bytes)
    }

    fn run(&self, batch: RecordBatch) -> Result<RecordBatch, BridgeError> {
        let mut work = match self.work.try_lock() {
            Ok(work) => work,
            Err(TryLockError::WouldBlock) => return Err(BridgeError::Busy),
            Err(TryLockError::Poisoned(_)) => {
                return Err(internal("the runner panicked in an earlier batch and can't be used again"));
            }
        };
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(StageError::Cancelled { stage: "bridge" }.into());
        }
        let (start, rows) = (Instant::now(), batch.num_rows());
        let result = work.run(batch);
        self.engine_nanos.fetch_add(start.elapsed().as_nanos() as i64, Ordering::Relaxed);
        let result = result?;
        if work.keeps_rows() && result.num_rows() != rows {
            return Err(internal(format!("{rows} rows went in and {} came out", result.num_rows())));
        }
        Ok(result)
    }

    /// Makes a running batch stop at its next check, and every later one fail.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// In the order of Java's `RunnerMetrics`.
    pub(crate) fn metrics(&self) -> [i64; 10] {
        let times = self.work.lock().unwrap_or_else(PoisonError::into_inner).times();
        [
            self.rows.load(Ordering::Relaxed),
            self.batches.load(Ordering::Relaxed),
            times.rejected,
            times.decode_nanos,
            times.clean_nanos,
            times.features_nanos,
            times.inference_nanos,
            times.challengers_nanos,
            self.engine_nanos.load(Ordering::Relaxed),
            self.output_bytes.load(Ordering::Relaxed),
        ]
    }
}

/// The Arrow schema of a list of columns in DDL; a column whose name has dots is one column.
pub(crate) fn schema_of(columns: &str) -> Result<SchemaRef, BridgeError> {
    let fields = ddl::parse(columns).map_err(|e| SpecError::new("INTERNAL", "", format!("{e:?} in {columns}")))?;
    let fields: Vec<Field> = fields.iter().map(|f| Field::new(&f.name, arrow_type(&f.data_type), true)).collect();
    Ok(Arc::new(Schema::new(fields)))
}
