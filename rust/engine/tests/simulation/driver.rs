//! The driver: micro-batches one after the other, and what the checkpoint holds of them.

use std::collections::BTreeMap;

use arrow::compute::concat_batches;

use crate::chance::Chance;
use crate::events::{Partition, Rows};
use crate::plan::Plan;

/// Tries of a task before the query fails.
pub(crate) const TRIES: usize = 4;

#[derive(Debug)]
pub(crate) struct Driver {
    /// Runs of the query; each has a home of its own.
    pub(crate) run: usize,
    pub(crate) tasks: usize,
    /// Per partition.
    pub(crate) committed: Vec<i64>,
    pub(crate) planned: Option<Batch>,
    /// Beginnings and ends.
    done: Vec<(Vec<i64>, Vec<i64>)>,
    /// What came out, by batch: one that is repeated takes its own place.
    sink: BTreeMap<usize, Sunk>,
}

/// What came out of a batch.
#[derive(Debug)]
struct Sunk {
    until: Vec<i64>,
    /// Partitions and rows.
    rows: Vec<(usize, Rows)>,
}

/// A micro-batch under way. From its beginning and end on, which are in the checkpoint, everything can be begun anew.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) number: usize,
    pub(crate) from: Vec<i64>,
    pub(crate) until: Vec<i64>,
    pub(crate) groups: Vec<Group>,
    /// The results are out, but the commit is not.
    pub(crate) sunk: bool,
    pub(crate) repeated: bool,
}

/// Partitions that one task reads.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) number: usize,
    pub(crate) partitions: Vec<usize>,
    pub(crate) attempt: Option<usize>,
    pub(crate) failures: usize,
    pub(crate) rows: Option<Vec<(usize, Rows)>>,
}

impl Driver {
    pub(crate) fn new(plan: &Plan, partitions: &[Partition]) -> Self {
        let committed = partitions.iter().map(|partition| partition.origin).collect();
        Self { run: 0, tasks: plan.tasks, committed, planned: None, done: Vec::new(), sink: BTreeMap::new() }
    }

    pub(crate) fn home(&self) -> String {
        format!("run-{}", self.run)
    }

    /// The next micro-batch, if there are records for one.
    pub(crate) fn plan(&mut self, plan: &Plan, partitions: &[Partition], chance: &mut Chance) {
        let mut until = self.committed.clone();
        for (at, partition) in until.iter_mut().zip(partitions) {
            // Not every batch has records of every partition.
            if !chance.often(200) {
                *at = partition.ahead(*at, plan.batch, partition.end);
            }
        }
        if until != self.committed {
            self.begin(self.done.len(), self.committed.clone(), until, false);
        }
    }

    fn begin(&mut self, number: usize, from: Vec<i64>, until: Vec<i64>, repeated: bool) {
        let mut groups: Vec<Group> = Vec::new();
        for partition in (0..from.len()).filter(|p| from[*p] < until[*p]) {
            let number = partition % self.tasks;
            match groups.iter_mut().find(|group| group.number == number) {
                Some(group) => group.partitions.push(partition),
                None => {
                    groups.push(Group { number, partitions: vec![partition], attempt: None, failures: 0, rows: None })
                }
            }
        }
        self.planned = Some(Batch { number, from, until, groups, sunk: false, repeated });
    }

    /// The query begins again from its checkpoint; from before its last commit, if somebody has taken that away. Gives
    /// whether it has.
    pub(crate) fn restart(&mut self, tasks: usize, taken_back: bool) -> bool {
        self.run += 1;
        self.tasks = tasks;
        if let Some(batch) = self.planned.take() {
            self.begin(batch.number, batch.from, batch.until, true);
            false
        } else if let Some((from, until)) = self.done.pop_if(|_| taken_back) {
            self.committed.clone_from(&from);
            self.begin(self.done.len(), from, until, true);
            true
        } else {
            false
        }
    }

    /// All tasks of the batch have results: they go out. Fails if they are not what one pass gives.
    pub(crate) fn sink(&mut self, partitions: &[Partition]) -> Result<(), String> {
        let Some(batch) = &mut self.planned else { return Ok(()) };
        let mut rows: Vec<(usize, Rows)> = Vec::new();
        for (partition, part) in batch.groups.iter().filter_map(|group| group.rows.as_ref()).flatten() {
            rows.push((*partition, part.clone()));
        }
        for (p, partition) in partitions.iter().enumerate() {
            let (from, until) = (batch.from[p], batch.until[p]);
            let expected = partition.expected.between(from, until);
            same(rows.iter().filter(|(of, _)| *of == p).map(|(_, rows)| rows), &expected)
                .map_err(|why| format!("batch {}, partition {p}, offsets {from} to {until}: {why}", batch.number))?;
        }
        self.sink.insert(batch.number, Sunk { until: batch.until.clone(), rows });
        batch.sunk = true;
        Ok(())
    }

    pub(crate) fn commit(&mut self) {
        if let Some(batch) = self.planned.take() {
            self.committed.clone_from(&batch.until);
            self.done.push((batch.from, batch.until));
        }
    }

    /// All that came out, against one pass over the log.
    pub(crate) fn check(&self, partitions: &[Partition]) -> Result<(), String> {
        for (p, partition) in partitions.iter().enumerate() {
            let rows = self.sink.values().flat_map(|sunk| &sunk.rows).filter(|(of, _)| *of == p).map(|(_, rows)| rows);
            let until = self.sink.values().next_back().map_or(partition.origin, |sunk| sunk.until[p]);
            let expected = partition.expected.between(partition.origin, until);
            same(rows, &expected).map_err(|why| format!("all of partition {p}: {why}"))?;
        }
        Ok(())
    }
}

fn same<'a>(parts: impl Iterator<Item = &'a Rows>, expected: &Rows) -> Result<(), String> {
    let parts: Vec<&Rows> = parts.collect();
    let kept =
        concat_batches(&expected.kept.schema(), parts.iter().map(|rows| &rows.kept)).map_err(|e| e.to_string())?;
    let rejected: Vec<_> = parts.iter().flat_map(|rows| rows.rejected.iter().copied()).collect();
    if rejected != expected.rejected {
        return Err(format!("rejected are {rejected:?}, expected {:?}", expected.rejected));
    }
    if kept.num_rows() != expected.kept.num_rows() {
        return Err(format!("{} rows, expected {}", kept.num_rows(), expected.kept.num_rows()));
    }
    for (i, field) in expected.kept.schema().fields().iter().enumerate() {
        let (found, wanted) = (kept.column(i), expected.kept.column(i));
        if found != wanted {
            let row = (0..found.len()).find(|row| found.slice(*row, 1) != wanted.slice(*row, 1)).unwrap_or_default();
            let offset = crate::events::offsets(&expected.kept)[row];
            let (found, wanted) = (found.slice(row, 1), wanted.slice(row, 1));
            return Err(format!("{} at offset {offset} is {found:?}, expected {wanted:?}", field.name()));
        }
    }
    Ok(())
}
