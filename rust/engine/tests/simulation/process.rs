//! A process: its states, its tasks, and its thread that writes snapshots.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use firesteel_engine::state::Windows;
use firesteel_engine::state::home::{Clock, Due, Homes, Place, Range, Saving, Snapshot, SnapshotStore, Task, write};

use crate::events::Rows;
use crate::store::{Access, StoreFault};
use crate::task::Cursor;

/// All processes' clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Time(pub(crate) Rc<Cell<Duration>>);

impl Clock for Time {
    fn now(&self) -> Duration {
        self.0.get()
    }
}

pub(crate) struct Process {
    pub(crate) number: usize,
    pub(crate) homes: Homes<Time>,
    /// Whether the driver takes it for alive. If not, it goes on for a while all the same.
    pub(crate) trusted: bool,
    /// Homes to be looked through for what is due.
    pub(crate) woken: BTreeSet<String>,
    writer: Writer,
}

/// Where the thread is.
#[derive(Default)]
struct Writer {
    due: VecDeque<Due>,
    at: Stage,
}

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    Saving(Saving, Place),
    Writing(Snapshot),
    Removing(Place, Vec<i64>),
}

impl Process {
    pub(crate) fn new(number: usize, time: Time) -> Self {
        let homes = Homes::new(time);
        Self { number, homes, trusted: true, woken: BTreeSet::new(), writer: Writer::default() }
    }

    pub(crate) fn writes(&self) -> bool {
        !self.woken.is_empty() || !self.writer.due.is_empty() || !matches!(self.writer.at, Stage::Idle)
    }

    /// One step of the thread that writes.
    ///
    /// # Errors
    /// The process has died in it.
    pub(crate) fn write(&mut self, events: u64, store: &mut Access<'_>) -> Result<(), StoreFault> {
        let number = self.number;
        match self.step(events, store) {
            Err(StoreFault::Failed) => {
                store.trace.say(format_args!("  process {number}: no snapshot this time"));
                self.writer = Writer::default();
                Ok(())
            }
            other => other,
        }
    }

    fn step(&mut self, events: u64, store: &mut Access<'_>) -> Result<(), StoreFault> {
        let number = self.number;
        self.writer.at = match std::mem::take(&mut self.writer.at) {
            Stage::Idle => match self.writer.due.pop_front() {
                Some(due) => match self.homes.begin_saving(&due) {
                    Some(saving) => Stage::Saving(saving, due.place),
                    None => Stage::Idle,
                },
                None => {
                    if let Some(home) = self.woken.pop_first() {
                        self.writer.due = self.homes.due(&home, events).into();
                    }
                    Stage::Idle
                }
            },
            Stage::Saving(saving, place) => {
                let snapshot = saving.snapshot();
                self.homes.end_saving(saving, snapshot.is_ok());
                self.homes.free(&place);
                snapshot.map_or(Stage::Idle, Stage::Writing)
            }
            Stage::Writing(snapshot) => {
                store.trace.say(format_args!(
                    "  process {number}: snapshot {}-{}, {} bytes",
                    snapshot.place.partition,
                    snapshot.version,
                    snapshot.saved.len()
                ));
                store.trace.count("snapshots written");
                let stored = write(store, &snapshot)?;
                let needless = self.homes.wrote(&snapshot, &stored);
                Stage::Removing(snapshot.place, needless)
            }
            Stage::Removing(place, mut versions) => match versions.pop() {
                Some(version) => {
                    store.trace.say(format_args!("  process {number}: lets {}-{version} go", place.partition));
                    store.remove(&place, version)?;
                    Stage::Removing(place, versions)
                }
                None => Stage::Idle,
            },
        };
        Ok(())
    }
}

/// A try at a task.
pub(crate) struct Attempt {
    pub(crate) number: usize,
    pub(crate) process: usize,
    pub(crate) home: String,
    pub(crate) ranges: Vec<Range>,
    /// The driver waits for it.
    pub(crate) wanted: bool,
    pub(crate) repeated: bool,
    pub(crate) at: Progress,
    pub(crate) rows: Vec<(usize, Rows)>,
}

pub(crate) enum Progress {
    New,
    Taken(Task),
    Reading(Task, Cursor, Windows),
    Ended(Task, Windows),
}
