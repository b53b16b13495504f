//! What a task leaves behind for the next one that reads on from there.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use super::clock::Clock;
use super::known::Known;
use super::store::Stored;
use super::writer::Snapshot;
use crate::error::StageError;
use crate::state::WindowState;

/// Where a state lives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Who keeps it: one run of a query. Snapshots go over from one run to the next, states in memory do not.
    pub home: String,
    /// The topic whose records are in it.
    pub topic: String,
    /// The partition.
    pub partition: i32,
}

/// A state between two tasks.
#[derive(Debug)]
pub struct Kept {
    /// What is known.
    pub state: WindowState,
    /// All records before this offset are in it.
    pub version: i64,
    /// Events that were in it when it was last written down.
    pub saved_events: u64,
}

#[derive(Debug)]
struct Waiting {
    kept: Kept,
    since: Duration,
}

/// A state that nobody came back for is let go: its partition is read by another process now.
pub const IDLE: Duration = Duration::from_secs(3600);

/// A snapshot costs about as much as the work on twice as many events as there are keys, so that it is a small part.
const EVENTS_PER_KEY: u64 = 4;

/// The states of a process. Nothing here waits or does I/O.
#[derive(Debug)]
pub struct Homes<C> {
    clock: C,
    waiting: HashMap<Place, Waiting>,
    known: HashMap<Place, Known>,
    /// Those that are being written down.
    busy: HashSet<Place>,
}

impl<C: Clock + Default> Default for Homes<C> {
    fn default() -> Self {
        Self::new(C::default())
    }
}

impl<C: Clock> Homes<C> {
    /// No states yet.
    pub fn new(clock: C) -> Self {
        Self { clock, waiting: HashMap::new(), known: HashMap::new(), busy: HashSet::new() }
    }

    /// A task begins at `from`: takes out the state of its partition, if it is there and not beyond.
    ///
    /// What is too new is of no use to anybody: a batch is repeated, or the partition was made anew.
    pub fn take(&mut self, place: &Place, from: i64) -> Option<Kept> {
        let now = self.clock.now();
        let fresh = |since: Duration| now.saturating_sub(since) < IDLE;
        self.waiting.retain(|_, waiting| fresh(waiting.since));
        self.known.retain(|_, known| fresh(known.since));
        self.known(place).begins(from);
        self.waiting.remove(place).map(|waiting| waiting.kept).filter(|kept| kept.version <= from)
    }

    /// Leaves a state for the next task. One that is there already and as new stays: a late task has brought this one.
    pub fn put(&mut self, place: Place, kept: Kept) {
        let since = self.clock.now();
        match self.waiting.entry(place) {
            Entry::Occupied(mut there) if there.get().kept.version >= kept.version => {
                let there = &mut there.get_mut().kept;
                if there.version == kept.version {
                    there.saved_events = there.saved_events.max(kept.saved_events);
                }
            }
            Entry::Occupied(mut there) => {
                there.insert(Waiting { kept, since });
            }
            Entry::Vacant(free) => {
                free.insert(Waiting { kept, since });
            }
        }
    }

    /// A snapshot of this version was read and is whole.
    pub fn is_whole(&mut self, place: &Place, version: i64) {
        self.known(place).is_whole(version);
    }

    fn known(&mut self, place: &Place) -> &mut Known {
        let now = self.clock.now();
        let known = self.known.entry(place.clone()).or_insert_with(|| Known::new(now));
        known.since = now;
        known
    }

    /// Lets all states of a home go.
    pub fn forget(&mut self, home: &str) {
        self.waiting.retain(|place, _| place.home != home);
        self.known.retain(|place, _| place.home != home);
    }

    /// States of a home that have seen `events` since they were last written down, and enough for their size; by place.
    pub fn due(&self, home: &str, events: u64) -> Vec<Due> {
        let mut due: Vec<Due> = self
            .waiting
            .iter()
            .filter(|(place, Waiting { kept, .. })| {
                let seen = kept.state.events().saturating_sub(kept.saved_events);
                place.home == home && seen >= events.max(EVENTS_PER_KEY * kept.state.keys() as u64)
            })
            .map(|(place, Waiting { kept, .. })| Due { place: place.clone(), version: kept.version })
            .collect();
        due.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        due
    }

    /// Whether a state is being written down: who wants it waits for that.
    pub fn is_busy(&self, place: &Place) -> bool {
        self.busy.contains(place)
    }

    /// Takes a state out to write it down; `None` if it is not there in this version any more. The place is busy until
    /// [`Homes::free`].
    pub fn begin_saving(&mut self, due: &Due) -> Option<Saving> {
        match self.waiting.entry(due.place.clone()) {
            Entry::Occupied(there) if there.get().kept.version == due.version => {
                self.busy.insert(due.place.clone());
                Some(Saving { place: due.place.clone(), kept: there.remove().kept })
            }
            _ => None,
        }
    }

    /// Puts a state back of which a snapshot was made, or was not.
    pub fn end_saving(&mut self, saving: Saving, saved: bool) {
        let Saving { place, mut kept } = saving;
        if saved {
            kept.saved_events = kept.state.events();
        }
        self.put(place, kept);
    }

    /// Who waits for a state at this place may go on.
    pub fn free(&mut self, place: &Place) {
        self.busy.remove(place);
    }

    /// A snapshot was written, and `stored` is what there is now: gives the versions that may go.
    pub fn wrote(&mut self, snapshot: &Snapshot, stored: &[Stored]) -> Vec<i64> {
        if !snapshot.is_among(stored) {
            return Vec::new();
        }
        let known = self.known(&snapshot.place);
        known.is_whole(snapshot.version);
        known.needless(stored)
    }

    /// Sizes of a home's states; those that a task works on do not count.
    pub fn size(&self, home: &str) -> Size {
        self.waiting.iter().filter(|(place, _)| place.home == home).fold(Size::default(), |size, (_, waiting)| Size {
            states: size.states + 1,
            keys: size.keys + waiting.kept.state.keys(),
            bytes: size.bytes + waiting.kept.state.bytes(),
        })
    }
}

/// A state that should be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Whose.
    pub place: Place,
    /// In which version.
    pub version: i64,
}

/// A state that is being written down.
#[derive(Debug)]
pub struct Saving {
    place: Place,
    kept: Kept,
}

impl Saving {
    /// Its snapshot.
    ///
    /// # Errors
    /// As [`WindowState::save`].
    pub fn snapshot(&self) -> Result<Snapshot, StageError> {
        let saved = self.kept.state.save()?;
        Ok(Snapshot { place: self.place.clone(), version: self.kept.version, keys: self.kept.state.keys(), saved })
    }
}

/// What is known of the states of a home, for metrics.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// Partitions that have one.
    pub states: usize,
    /// Their keys.
    pub keys: usize,
    /// Memory that they take, about.
    pub bytes: usize,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::state::home::restore::tests::windows;

    #[derive(Default, Clone)]
    struct Set(Rc<Cell<Duration>>);

    impl Clock for Set {
        fn now(&self) -> Duration {
            self.0.get()
        }
    }

    fn place(partition: i32) -> Place {
        Place { home: "h".to_owned(), topic: "t".to_owned(), partition }
    }

    fn kept(version: i64) -> Kept {
        Kept { state: windows().empty_state(), version, saved_events: 0 }
    }

    #[test]
    fn a_state_is_taken_once_and_not_by_a_replay() {
        let mut homes = Homes::<Set>::default();
        homes.put(place(1), kept(100));
        assert_eq!(homes.take(&place(1), 120).unwrap().version, 100);
        assert!(homes.take(&place(1), 120).is_none());
        homes.put(place(1), kept(100));
        assert!(homes.take(&place(1), 99).is_none());
        assert!(homes.take(&place(1), 100).is_none(), "what is too new is of no use to anybody");
    }

    #[test]
    fn a_late_task_does_not_put_an_old_state_over_a_new_one() {
        let mut homes = Homes::<Set>::default();
        homes.put(place(1), kept(100));
        homes.put(place(1), kept(50));
        assert_eq!(homes.take(&place(1), 100).unwrap().version, 100);
    }

    #[test]
    fn a_state_that_nobody_came_back_for_is_let_go() {
        let clock = Set::default();
        let mut homes = Homes::new(clock.clone());
        homes.put(place(1), kept(100));
        homes.put(place(2), kept(100));
        clock.0.set(IDLE);
        assert!(homes.take(&place(1), 100).is_none());
        assert_eq!(homes.size("h").states, 0);
    }

    #[test]
    fn a_state_in_another_version_is_not_written_down() {
        let mut homes = Homes::<Set>::default();
        homes.put(place(2), kept(5));
        assert_eq!(homes.due("h", 1), []);
        let due = homes.due("h", 0);
        assert!(homes.begin_saving(&Due { version: 4, ..due[0].clone() }).is_none());
        let saving = homes.begin_saving(&due[0]).unwrap();
        assert!(homes.is_busy(&place(2)) && homes.begin_saving(&due[0]).is_none());
        let snapshot = saving.snapshot().unwrap();
        homes.end_saving(saving, true);
        homes.free(&place(2));
        assert!(!homes.is_busy(&place(2)));
        let stored = Stored { version: 5, bytes: snapshot.saved.len() as u64 };
        assert_eq!(homes.wrote(&snapshot, &[stored]), [0; 0]);
        homes.forget("h");
        assert_eq!(homes.size("h"), Size::default());
    }
}
