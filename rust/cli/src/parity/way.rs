//! One way through a log: a runner, the log, and where the rows go.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use arrow::array::RecordBatch;
use firesteel_engine::{
    error::StageError,
    pipeline::{Call, Compiled, RunnerLease},
};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

use super::report::{Line, StateLoss};
use crate::{
    error::CliError,
    records::{Log, Place, Records},
};

/// Where result rows go, in their order.
pub(super) trait Rows {
    /// Takes the rows behind those that it has.
    fn take(&mut self, batch: &RecordBatch) -> Result<(), CliError>;

    /// SHA-256 of all rows' bytes so far.
    fn digest(&self) -> [u8; 32];
}

/// A way, as far as it has come.
pub(super) struct Way<'a, R> {
    call: &'a Call,
    runner: RunnerLease,
    records: Records,
    pub(super) to: &'a mut R,
    progress: ProgressBar,
    began: Instant,
    /// Time that went into digests and not into the way.
    aside: Duration,
    pub(super) losses: Vec<StateLoss>,
}

impl<'a, R: Rows> Way<'a, R> {
    /// At the beginning of the log, with an empty state.
    pub(super) fn begin(call: &'a Call, log: Log<'_>, to: &'a mut R, progress: ProgressBar) -> Result<Self, CliError> {
        let records = Records::open(log)?;
        let runner = Compiled::new(call)?.runner()?;
        Ok(Self {
            call,
            runner,
            records,
            to,
            progress,
            began: Instant::now(),
            aside: Duration::ZERO,
            losses: Vec::new(),
        })
    }

    /// Records that it has come by.
    pub(super) fn rows(&self) -> u64 {
        self.records.place().rows
    }

    pub(super) fn place(&self) -> Place {
        self.records.place()
    }

    /// On to the record `until`, or to the end of the log; `size` says how large each micro-batch is.
    pub(super) fn forward(&mut self, until: u64, size: impl FnMut() -> usize) -> Result<(), CliError> {
        self.batches(until, size, |way, batch| {
            let result = way.runner.process(batch, &NEVER)?;
            way.to.take(&result)
        })
    }

    /// The same without results: what a task does between a snapshot and its first record.
    pub(super) fn catch_up(&mut self, until: u64, size: impl FnMut() -> usize) -> Result<(), CliError> {
        self.batches(until, size, |way, batch| Ok(way.runner.observe(batch, &NEVER)?))
    }

    fn batches(
        &mut self,
        until: u64,
        mut size: impl FnMut() -> usize,
        mut each: impl FnMut(&mut Self, &RecordBatch) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        while self.rows() < until {
            let most = usize::try_from(until - self.rows()).unwrap_or(usize::MAX).min(size());
            let Some(batch) = self.records.next_batch(most)? else { break };
            each(self, &batch)?;
            self.progress.set_position(self.records.place().bytes);
        }
        Ok(())
    }

    /// The windows' state as bytes; `None` for a pipeline without windows.
    pub(super) fn saved(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        let windows = self.runner.windows_mut();
        Ok(windows.map(|windows| windows.state().save()).transpose()?)
    }

    /// All that was in memory is gone; the state is the saved one, and the log goes on from where it was saved.
    pub(super) fn restart(&mut self, saved: Option<&[u8]>, from: Place) -> Result<(), CliError> {
        // A new call has no runner that could still know something.
        self.runner = Compiled::new(self.call)?.runner()?;
        if let (Some(windows), Some(saved)) = (self.runner.windows_mut(), saved) {
            let state = windows.restored(saved);
            let state = state.map_err(|error| StageError::internal("parity", format!("its own state: {error}")))?;
            windows.replace_state(state);
        }
        self.records.seek(from)
    }

    /// Does something that is not part of the way, such as a comparison, off its clock.
    pub(super) fn aside<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, CliError>) -> Result<T, CliError> {
        let began = Instant::now();
        let done = work(self);
        self.aside += began.elapsed();
        done
    }

    /// What the way has given so far.
    pub(super) fn line(&mut self, name: String) -> Result<Line, CliError> {
        let took = self.began.elapsed().saturating_sub(self.aside);
        let state = self.aside(Self::saved)?;
        self.progress.finish_and_clear();
        Ok(Line {
            way: name,
            rows: self.rows(),
            of_rows: self.to.digest(),
            of_state: state.map(|bytes| Sha256::digest(bytes).into()),
            took,
            losses: std::mem::take(&mut self.losses),
            different: None,
        })
    }
}

/// Nobody cancels a way.
static NEVER: AtomicBool = AtomicBool::new(false);
