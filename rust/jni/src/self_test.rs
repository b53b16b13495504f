//! Harmless work for the bridge's own tests and measurements; ships in the library so that what is tested is what ships.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use arrow::array::{AsArray, Float32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef};
use firesteel_engine::error::StageError;

use crate::session::{Session, StageTimes, Work};

/// How often [`Slow`] looks at the cancel flag.
const STEP: Duration = Duration::from_millis(5);

fn floats(columns: usize) -> SchemaRef {
    Arc::new(Schema::new(
        (0..columns).map(|i| Field::new(format!("f{i}"), DataType::Float32, true)).collect::<Vec<_>>(),
    ))
}

fn result_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("result", DataType::Float32, true)]))
}

/// A session that adds `columns` float columns into one called `result`.
pub(crate) fn sum(columns: usize) -> Session {
    let output = result_schema();
    Session::new(Box::new(Sum { output: output.clone() }), floats(columns), output, Arc::default())
}

struct Sum {
    output: SchemaRef,
}

impl Work for Sum {
    fn run(&mut self, batch: RecordBatch) -> Result<RecordBatch, StageError> {
        let mut sums = vec![0_f32; batch.num_rows()];
        for column in batch.columns() {
            for (sum, value) in sums.iter_mut().zip(column.as_primitive::<Float32Type>().values()) {
                *sum += value;
            }
        }
        Ok(RecordBatch::try_new(self.output.clone(), vec![Arc::new(Float32Array::from(sums))])?)
    }

    fn times(&self) -> StageTimes {
        StageTimes::default()
    }
}

/// A session that takes `millis` for each batch and gives its one float column back.
pub(crate) fn slow(millis: u64) -> Session {
    let cancelled = Arc::new(AtomicBool::new(false));
    let work = Slow { millis, cancelled: cancelled.clone(), output: result_schema() };
    Session::new(Box::new(work), floats(1), result_schema(), cancelled)
}

struct Slow {
    millis: u64,
    cancelled: Arc<AtomicBool>,
    output: SchemaRef,
}

impl Work for Slow {
    fn run(&mut self, batch: RecordBatch) -> Result<RecordBatch, StageError> {
        let mut left = Duration::from_millis(self.millis);
        while !left.is_zero() {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(StageError::Cancelled { stage: "self-test" });
            }
            let step = left.min(STEP);
            thread::sleep(step);
            left -= step;
        }
        Ok(RecordBatch::try_new(self.output.clone(), batch.columns().to_vec())?)
    }

    fn times(&self) -> StageTimes {
        StageTimes::default()
    }
}

/// Panics in one of the ways that panics come.
#[allow(clippy::panic)] // Panicking is what it is for.
pub(crate) fn panic(kind: i32) {
    match kind {
        0 => panic!("a literal message"),
        1 => panic!("a formatted message, number {kind}"),
        _ => panic::panic_any(kind),
    }
}
