//! One task's way through a compiled call, batch by batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;

use super::predict::PredictRunner;
use super::stages::PipelineRunner;
use crate::error::{SpecErrors, StageError};
use crate::state::Windows;

/// Work done for one task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Rows that came in.
    pub rows: u64,
    /// Batches that came in.
    pub batches: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Time in the decoder.
    pub decode: Duration,
    /// Time in clean rules.
    pub clean: Duration,
    /// Time in feature expressions.
    pub features: Duration,
    /// Time in windows.
    pub windows: Duration,
    /// Time in models that serve.
    pub inference: Duration,
    /// Time in their challengers.
    pub challengers: Duration,
}

impl StageTimes {
    /// Runs `work` and gives its result and how long it took.
    pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
        let start = Instant::now();
        let result = work();
        (result, start.elapsed())
    }
}

/// Runs batches of one compiled call. Used by one task at a time; see [`super::RunnerLease`].
#[derive(Debug)]
pub enum Runner {
    /// A whole pipeline.
    Pipeline(Box<PipelineRunner>),
    /// One model on columns.
    Predict(Box<PredictRunner>),
}

impl Runner {
    /// The result for `batch`, row by row in line with it.
    ///
    /// `cancelled` is polled between stages.
    ///
    /// # Errors
    /// See [`StageError`]; a bad row is never an error of a pipeline.
    pub fn process(&mut self, batch: &RecordBatch, cancelled: &AtomicBool) -> Result<RecordBatch, StageError> {
        match self {
            Self::Pipeline(runner) => runner.process(batch, cancelled),
            Self::Predict(runner) => runner.process(batch, cancelled),
        }
    }

    /// See [`PipelineRunner::observe`]; a model call has no state.
    ///
    /// # Errors
    /// See [`StageError`].
    pub fn observe(&mut self, batch: &RecordBatch, cancelled: &AtomicBool) -> Result<(), StageError> {
        match self {
            Self::Pipeline(runner) => runner.observe(batch, cancelled),
            Self::Predict(_) => Ok(()),
        }
    }

    /// The windows of a pipeline, if it has any.
    pub fn windows_mut(&mut self) -> Option<&mut Windows> {
        match self {
            Self::Pipeline(runner) => Some(runner.windows_mut()).filter(|windows| !windows.is_empty()),
            Self::Predict(_) => None,
        }
    }

    /// Ready for another task, as if just made.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Pipeline(runner) => runner.restart(),
            Self::Predict(runner) => runner.restart(),
        }
    }

    /// Gets the models ready, before the first batch; see [`crate::model::Scorer::open`].
    ///
    /// # Errors
    /// As there.
    pub(super) fn open(&mut self) -> Result<(), SpecErrors> {
        match self {
            Self::Pipeline(runner) => runner.open(),
            Self::Predict(runner) => runner.open(),
        }
    }

    /// What [`Runner::process`] has done since the runner was made or restarted.
    pub fn times(&self) -> StageTimes {
        match self {
            Self::Pipeline(runner) => runner.times(),
            Self::Predict(runner) => runner.times(),
        }
    }
}

/// Leaves the batch if the task was killed.
pub(super) fn check(cancelled: &AtomicBool, stage: &'static str) -> Result<(), StageError> {
    if cancelled.load(Ordering::Relaxed) { Err(StageError::Cancelled { stage }) } else { Ok(()) }
}
