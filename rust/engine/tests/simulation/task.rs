//! A task's two neighbours as the simulation plays them: the log that it reads, the kernel that it drives.

use std::cell::RefCell;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use firesteel_engine::error::StageError;
use firesteel_engine::state::Windows;
use firesteel_engine::state::home::{Kernel, Log, Task};

use crate::chance::Chance;
use crate::events::{Partition, Rows, offsets};
use crate::plan::Plan;
use crate::trace::Trace;

/// Why a task failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The log gave no answer.
    Log,
    /// The log has dropped what should come next.
    Lost,
    /// The work failed.
    Kernel,
    /// The engine failed, which it never should.
    Engine(StageError),
}

impl From<StageError> for Fault {
    fn from(error: StageError) -> Self {
        Self::Engine(error)
    }
}

/// How far a task has read.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// Partition, next offset, end.
    ranges: Vec<(usize, i64, i64)>,
    turn: usize,
}

impl Cursor {
    pub(crate) fn of(task: &Task) -> Self {
        let ranges = task.ranges().map(|(start, range)| (range.partition as usize, start, range.until)).collect();
        Self { ranges, turn: 0 }
    }
}

/// What both share for one call.
pub(crate) struct Luck<'a>(RefCell<(&'a mut Chance, &'a mut Trace)>);

impl<'a> Luck<'a> {
    pub(crate) fn new(chance: &'a mut Chance, trace: &'a mut Trace) -> Self {
        Self(RefCell::new((chance, trace)))
    }

    fn below(&self, end: usize) -> usize {
        self.0.borrow_mut().0.below(end)
    }

    fn fails(&self, often: u32, kind: &'static str) -> bool {
        let (chance, trace) = &mut *self.0.borrow_mut();
        let fails = chance.often(often);
        if fails {
            trace.fault(kind);
        }
        fails
    }

    fn count(&self, kind: &'static str) {
        self.0.borrow_mut().1.count(kind);
    }
}

/// The log, for one call.
pub(crate) struct Reading<'a> {
    pub(crate) cursor: &'a mut Cursor,
    pub(crate) partitions: &'a [Partition],
    pub(crate) plan: &'a Plan,
    pub(crate) luck: &'a Luck<'a>,
}

impl Log for Reading<'_> {
    type Error = Fault;

    fn next(&mut self) -> Result<Option<RecordBatch>, Fault> {
        if self.luck.fails(self.plan.faults.log, "records do not come") {
            return Err(Fault::Log);
        }
        loop {
            self.cursor.ranges.retain(|(_, next, until)| next < until);
            if self.cursor.ranges.is_empty() {
                return Ok(None);
            }
            self.cursor.turn = (self.cursor.turn + 1) % self.cursor.ranges.len();
            let (partition, next, until) = &mut self.cursor.ranges[self.cursor.turn];
            let log = &self.partitions[*partition];
            if *next < log.begin {
                return Err(Fault::Lost);
            }
            let most = 1 + self.luck.below(self.plan.rows);
            let records = log.read(*next, *until, most);
            *next = offsets(&records).last().map_or(*until, |last| last + 1);
            if records.num_rows() > 0 {
                return Ok(Some(records));
            }
        }
    }
}

/// Windows, for one call.
pub(crate) struct Working<'a> {
    pub(crate) windows: &'a mut Windows,
    pub(crate) plan: &'a Plan,
    pub(crate) luck: &'a Luck<'a>,
}

impl Kernel for Working<'_> {
    /// Partition and rows.
    type Output = (usize, Rows);
    type Error = Fault;

    fn windows(&mut self) -> Result<&mut Windows, Fault> {
        Ok(self.windows)
    }

    fn observe(&mut self, past: &RecordBatch) -> Result<(), Fault> {
        self.luck.count("batches replayed");
        self.process(past).map(|_| ())
    }

    fn process(&mut self, records: &RecordBatch) -> Result<(usize, Rows), Fault> {
        if self.luck.fails(self.plan.faults.kernel, "work on a batch fails half-way") {
            // The state has seen a part of the batch by then.
            let half = records.slice(0, self.luck.below(records.num_rows() + 1));
            self.windows.process(half)?;
            return Err(Fault::Kernel);
        }
        let partition = records.column_by_name("partition").map(|column| column.as_primitive::<Int32Type>().value(0));
        let staged = self.windows.process(records.clone())?;
        Ok((partition.unwrap_or_default() as usize, Rows::of(records, staged)))
    }
}
