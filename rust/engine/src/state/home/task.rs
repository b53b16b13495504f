//! A task: each of its partitions' records meets its own state, from where that stands.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};

use super::clock::Clock;
use super::homes::{Homes, Kept, Place};
use super::restore::{self, TakeUpError};
use super::store::SnapshotStore;
use crate::error::StageError;
use crate::state::{WindowState, Windows};

/// The records of a task's partitions.
pub trait Log {
    /// Why records do not come.
    type Error;

    /// The next records of the ranges that [`Task::ranges`] names, as a batch of one partition's, never empty, with the
    /// columns `topic`, `partition` and `offset`; those of a partition in the order of their offsets. `None` when all
    /// ranges are through.
    ///
    /// # Errors
    /// Records do not come, or the log does not have them any more: they must not be passed over.
    fn next(&mut self) -> Result<Option<RecordBatch>, Self::Error>;
}

/// What works on records: windows, and what stands around them.
pub trait Kernel {
    /// What becomes of a batch.
    type Output;
    /// Why it can't be worked on.
    type Error;

    /// The windows whose state changes with the partition.
    ///
    /// # Errors
    /// There are none.
    fn windows(&mut self) -> Result<&mut Windows, Self::Error>;

    /// Takes records into the state, and gives nothing out.
    ///
    /// # Errors
    /// The state is lost then.
    fn observe(&mut self, past: &RecordBatch) -> Result<(), Self::Error>;

    /// Takes records into the state, and gives their results.
    ///
    /// # Errors
    /// The state is lost then.
    fn process(&mut self, records: &RecordBatch) -> Result<Self::Output, Self::Error>;
}

/// What a task is to read of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset whose result is wanted.
    pub from: i64,
    /// The offset after the last.
    pub until: i64,
    /// Where the partition was read from when the query began: an empty state stands there.
    pub origin: i64,
}

/// The states of a task's partitions.
#[derive(Debug)]
pub struct Task {
    /// No state is kept if it is empty.
    home: String,
    held: Vec<Held>,
    /// Whose state the kernel has.
    at: Option<usize>,
    ended: bool,
}

#[derive(Debug)]
struct Held {
    range: Range,
    /// Where the state stood when the task took it.
    stands: i64,
    /// `None` until it is known, and while the kernel has it.
    state: Option<WindowState>,
    saved_events: u64,
    /// The snapshot that it was restored from.
    restored: Option<i64>,
}

impl Task {
    /// Takes the states that are there.
    pub fn take<C: Clock>(home: &str, ranges: Vec<Range>, homes: &mut Homes<C>) -> Self {
        let mut task = Self { home: home.to_owned(), held: Vec::with_capacity(ranges.len()), at: None, ended: false };
        for range in ranges {
            let stands = range.origin.min(range.from);
            let kept = if home.is_empty() { None } else { homes.take(&task.place(&range), range.from) };
            let mut held = Held { range, stands, state: None, saved_events: 0, restored: None };
            if let Some(kept) = kept {
                held.begin_at(kept);
            }
            task.held.push(held);
        }
        task
    }

    /// Looks for snapshots that are newer than what was taken: another process may have gone on with the partition. Where
    /// there is nothing at all, the state is made anew from the partition's first record.
    ///
    /// # Errors
    /// Those of the store, and a snapshot that the pipeline can't go on with. [`Task::give_back`] leaves what was taken to
    /// the next attempt.
    pub fn restore<S: SnapshotStore>(
        &mut self,
        store: Option<&mut S>,
        windows: &Windows,
    ) -> Result<(), TakeUpError<S::Error>> {
        let home = self.home.clone();
        if let Some(store) = store {
            for held in self.held.iter_mut().filter(|held| held.stands < held.range.from && held.is_asked()) {
                let place = place(&home, &held.range);
                if let Some(kept) = restore::newest(windows, store, &place, held.stands, held.range.from)? {
                    held.restored = Some(kept.version);
                    held.begin_at(kept);
                }
            }
        }
        for held in &mut self.held {
            held.state.get_or_insert_with(|| windows.empty_state());
        }
        Ok(())
    }

    /// Nothing was done: the states go back as they were.
    pub fn give_back<C: Clock>(self, homes: &mut Homes<C>) {
        if self.home.is_empty() {
            return;
        }
        for held in self.held {
            let version = held.stands;
            held.put(&self.home, version, homes);
        }
    }

    /// What must be read: from where the states stand.
    pub fn ranges(&self) -> impl Iterator<Item = (i64, &Range)> {
        self.held.iter().map(|held| (if held.is_asked() { held.stands } else { held.range.from }, &held.range))
    }

    /// The results of the next records that are asked for; `None` at the end.
    ///
    /// # Errors
    /// Those of the log and the kernel. The task can't go on after one.
    pub fn next<E: From<StageError>, K: Kernel<Error = E>>(
        &mut self,
        log: &mut impl Log<Error = E>,
        kernel: &mut K,
    ) -> Result<Option<K::Output>, E> {
        while let Some(records) = log.next()? {
            let (at, past) = self.place_of(&records)?;
            self.turn_to(at, kernel)?;
            let rows = records.num_rows();
            if past > 0 {
                kernel.observe(&records.slice(0, past))?;
            }
            if past < rows {
                return kernel.process(&records.slice(past, rows - past)).map(Some);
            }
        }
        self.ended = true;
        Ok(None)
    }

    /// If all went well, the states wait for the next task. Before the end they are between two versions, and of no use
    /// to anybody.
    pub fn close<C: Clock>(mut self, windows: &mut Windows, homes: &mut Homes<C>) {
        if let Some(at) = self.at.take() {
            let empty = windows.empty_state();
            self.held[at].state = Some(windows.replace_state(empty));
        }
        if self.home.is_empty() || !self.ended {
            return;
        }
        for held in self.held {
            // Nothing new: the state stays as it is, wherever it stands.
            let version = if held.is_asked() { held.range.until } else { held.stands };
            held.put(&self.home, version, homes);
        }
    }

    /// Whose records these are, and how many of them are before what is asked for.
    fn place_of(&self, records: &RecordBatch) -> Result<(usize, usize), StageError> {
        let missing = || StageError::internal("windows", "a batch without topic, partition and offset");
        let column = |name: &str| records.column_by_name(name).filter(|c| !c.is_empty()).ok_or_else(missing);
        let topic = column("topic")?.as_string_opt::<i32>().ok_or_else(missing)?.value(0);
        let partition = column("partition")?.as_primitive_opt::<Int32Type>().ok_or_else(missing)?.value(0);
        let offsets = column("offset")?.as_primitive_opt::<Int64Type>().ok_or_else(missing)?.values();
        let at = self.held.iter().position(|held| held.range.partition == partition && held.range.topic == topic);
        let at = at.ok_or_else(|| {
            StageError::internal("windows", format!("records of {topic}-{partition}, which was not asked for"))
        })?;
        Ok((at, offsets.partition_point(|offset| *offset < self.held[at].range.from)))
    }

    fn turn_to<K: Kernel>(&mut self, to: usize, kernel: &mut K) -> Result<(), K::Error>
    where
        K::Error: From<StageError>,
    {
        if self.at == Some(to) {
            return Ok(());
        }
        let windows = kernel.windows()?;
        let state = self.held[to].state.take();
        let before =
            windows.replace_state(state.ok_or_else(|| StageError::internal("windows", "a state that is gone"))?);
        if let Some(at) = self.at.replace(to) {
            self.held[at].state = Some(before);
        }
        Ok(())
    }

    fn place(&self, range: &Range) -> Place {
        place(&self.home, range)
    }
}

impl Held {
    fn begin_at(&mut self, kept: Kept) {
        (self.state, self.stands, self.saved_events) = (Some(kept.state), kept.version, kept.saved_events);
    }

    fn is_asked(&self) -> bool {
        self.range.from < self.range.until
    }

    fn put<C: Clock>(self, home: &str, version: i64, homes: &mut Homes<C>) {
        let place = place(home, &self.range);
        if let Some(version) = self.restored {
            homes.is_whole(&place, version);
        }
        if let Some(state) = self.state {
            homes.put(place, Kept { state, version, saved_events: self.saved_events });
        }
    }
}

fn place(home: &str, range: &Range) -> Place {
    Place { home: home.to_owned(), topic: range.topic.clone(), partition: range.partition }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::state::home::restore::tests::{Memory, windows};
    use crate::state::home::{Monotonic, Snapshot, write};

    fn range(from: i64, until: i64) -> Range {
        Range { topic: "t".to_owned(), partition: 0, from, until, origin: 0 }
    }

    fn kept(version: i64) -> Kept {
        Kept { state: windows().empty_state(), version, saved_events: 0 }
    }

    fn stored(version: i64) -> Memory {
        let mut store = Memory::default();
        let place = place("h", &range(0, 0));
        let saved = windows().state().save().unwrap();
        write(&mut store, &Snapshot { place, version, keys: 0, saved }).unwrap();
        store
    }

    /// Where a task begins to read that finds a state of this version and a snapshot of that.
    fn start(waiting: Option<i64>, snapshot: i64, range: Range) -> i64 {
        let mut homes = Homes::<Monotonic>::default();
        if let Some(version) = waiting {
            homes.put(place("h", &range), kept(version));
        }
        let mut task = Task::take("h", vec![range], &mut homes);
        task.restore(Some(&mut stored(snapshot)), &windows()).unwrap();
        task.ranges().next().unwrap().0
    }

    #[test]
    fn a_task_goes_on_from_what_has_come_furthest_but_not_beyond_its_beginning() {
        assert_eq!(start(None, 50, range(100, 120)), 50);
        assert_eq!(start(Some(70), 50, range(100, 120)), 70);
        assert_eq!(start(Some(70), 90, range(100, 120)), 90, "the partition was elsewhere meanwhile");
        assert_eq!(start(Some(120), 50, range(100, 120)), 50, "the batch is repeated");
        assert_eq!(start(None, 110, range(100, 120)), 0);
        assert_eq!(start(None, 50, range(100, 100)), 100, "nothing is asked for");
    }

    #[test]
    fn a_task_that_did_not_read_everything_leaves_no_state() {
        let mut homes = Homes::<Monotonic>::default();
        homes.put(place("h", &range(0, 0)), kept(100));
        let mut task = Task::take("h", vec![range(100, 120)], &mut homes);
        task.restore::<Memory>(None, &windows()).unwrap();
        task.close(&mut windows(), &mut homes);
        assert_eq!(homes.size("h").states, 0);
    }

    #[test]
    fn a_task_that_could_not_begin_gives_back_what_it_took() {
        let mut homes = Homes::<Monotonic>::default();
        homes.put(place("h", &range(0, 0)), kept(100));
        Task::take("h", vec![range(100, 120)], &mut homes).give_back(&mut homes);
        assert_eq!(homes.take(&place("h", &range(0, 0)), 100).unwrap().version, 100);
    }
}
