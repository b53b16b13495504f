//! Runners that wait for their next task.
//!
//! Making one compiles expressions and tries the models, which takes as long as scoring a small batch; a stream of
//! small micro-batches would pay it in every task. A runner keeps nothing of the rows it has seen but room in its
//! buffers, so the next task may have it. One whose batch failed is not used again: nobody knows what it left behind.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use arrow::record_batch::RecordBatch;

use super::runner::{Runner, StageTimes};
use crate::error::{SpecErrors, StageError};
use crate::state::Windows;

/// Idle runners of one call: at most as many as tasks run at the same time.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Vec<Runner>>,
    most: usize,
}

impl Pool {
    pub(super) fn new(first: Runner) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::new(vec![first]), most: available_parallelism().map_or(1, usize::from) })
    }

    /// An idle runner, or the one that `make` makes.
    pub(super) fn lease(
        self: &Arc<Self>,
        make: impl FnOnce() -> Result<Runner, SpecErrors>,
    ) -> Result<RunnerLease, SpecErrors> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut runner = match idle {
            Some(runner) => runner,
            None => make()?,
        };
        runner.restart();
        runner.open()?;
        Ok(RunnerLease { pool: Arc::clone(self), runner: Some(runner), sound: true })
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A runner on loan to one task; it goes back when dropped.
#[derive(Debug)]
pub struct RunnerLease {
    pool: Arc<Pool>,
    /// `None` only while being dropped.
    runner: Option<Runner>,
    /// False while a batch is under way, and after one that failed or panicked.
    sound: bool,
}

impl RunnerLease {
    /// See [`Runner::process`].
    ///
    /// # Errors
    /// As there.
    pub fn process(&mut self, batch: &RecordBatch, cancelled: &AtomicBool) -> Result<RecordBatch, StageError> {
        let Some(runner) = &mut self.runner else {
            return Err(StageError::internal("pipeline", "the runner was given back".to_owned()));
        };
        self.sound = false;
        let result = runner.process(batch, cancelled);
        self.sound = result.is_ok();
        result
    }

    /// See [`Runner::observe`].
    ///
    /// # Errors
    /// As there.
    pub fn observe(&mut self, batch: &RecordBatch, cancelled: &AtomicBool) -> Result<(), StageError> {
        let Some(runner) = &mut self.runner else {
            return Err(StageError::internal("pipeline", "the runner was given back".to_owned()));
        };
        self.sound = false;
        let result = runner.observe(batch, cancelled);
        self.sound = result.is_ok();
        result
    }

    /// See [`Runner::windows_mut`].
    pub fn windows_mut(&mut self) -> Option<&mut Windows> {
        self.runner.as_mut().and_then(Runner::windows_mut)
    }

    /// See [`Runner::times`]; since this loan began.
    pub fn times(&self) -> StageTimes {
        self.runner.as_ref().map(Runner::times).unwrap_or_default()
    }
}

impl Drop for RunnerLease {
    fn drop(&mut self) {
        let Some(runner) = self.runner.take().filter(|_| self.sound) else { return };
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.pool.most {
            idle.push(runner);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::Int64Array;

    use super::*;
    use crate::pipeline::{Compiled, InputMode, prepare_pipeline};

    const YAML: &str = "name: t\ninput: {format: json, schema: 'a BIGINT'}\nfeatures: {b: a + 1}\noutput: [a, b]\n";

    fn compiled() -> Compiled {
        let prepared = prepare_pipeline(YAML, "t.yaml", &[], InputMode::Typed).unwrap();
        Compiled::new(&serde_json::from_str(&prepared.call).unwrap()).unwrap()
    }

    fn batch(name: &str) -> RecordBatch {
        RecordBatch::try_from_iter([(name, Arc::new(Int64Array::from(vec![1, 2])) as _)]).unwrap()
    }

    #[test]
    fn a_runner_goes_back_and_starts_anew() {
        let compiled = compiled();
        let never = AtomicBool::new(false);
        let mut first = compiled.runner().unwrap();
        first.process(&batch("a"), &never).unwrap();
        assert_eq!((first.times().rows, compiled.idle_runners()), (2, 0));
        drop(first);
        assert_eq!(compiled.idle_runners(), 1);
        let second = compiled.runner().unwrap();
        assert_eq!((second.times(), compiled.idle_runners()), (StageTimes::default(), 0));
    }

    #[test]
    fn a_runner_whose_batch_failed_or_was_cancelled_is_not_used_again() {
        let compiled = compiled();
        for (name, cancelled) in [("other", false), ("a", true)] {
            let mut runner = compiled.runner().unwrap();
            runner.process(&batch(name), &AtomicBool::new(cancelled)).unwrap_err();
            drop(runner);
            assert_eq!(compiled.idle_runners(), 0);
        }
    }

    #[test]
    fn no_more_runners_wait_than_tasks_run() {
        let compiled = compiled();
        let most = available_parallelism().map_or(1, usize::from);
        let leases: Vec<_> = (0..most + 2).map(|_| compiled.runner().unwrap()).collect();
        drop(leases);
        assert_eq!(compiled.idle_runners(), most);
    }
}
