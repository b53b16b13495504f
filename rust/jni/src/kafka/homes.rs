//! The window states of this process, between two tasks. The rules are the engine's, `state::home`; here they are shared
//! by threads, and bound to what writes snapshots.

use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

use firesteel_engine::state::Windows;
use firesteel_engine::state::home::{
    Due, Homes, Monotonic, Place, Range, Size, Snapshot, SnapshotStore, TakeUpError, Task, write,
};

use crate::error::BridgeError;

static HOMES: LazyLock<Mutex<Homes<Monotonic>>> = LazyLock::new(Mutex::default);
static WRITTEN: Condvar = Condvar::new();

fn homes() -> MutexGuard<'static, Homes<Monotonic>> {
    HOMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task with the states of its ranges: those that are here, or snapshots. Waits for states that are being written down.
pub(crate) fn open<S: SnapshotStore<Error = BridgeError>>(
    home: &str,
    ranges: Vec<Range>,
    store: Option<&mut S>,
    windows: &Windows,
) -> Result<Task, BridgeError> {
    let places: Vec<Place> = ranges
        .iter()
        .map(|range| Place { home: home.to_owned(), topic: range.topic.clone(), partition: range.partition })
        .collect();
    let busy = |homes: &mut Homes<Monotonic>| places.iter().any(|place| homes.is_busy(place));
    let mut free = WRITTEN.wait_while(homes(), busy).unwrap_or_else(PoisonError::into_inner);
    let mut task = Task::take(home, ranges, &mut free);
    drop(free);
    match task.restore(store, windows) {
        Ok(()) => Ok(task),
        Err(error) => {
            task.give_back(&mut homes());
            Err(match error {
                TakeUpError::Store(error) => error,
                TakeUpError::Restore(error) => error.into(),
            })
        }
    }
}

/// Leaves a task's states for the next, see [`Task::close`].
pub(crate) fn close(task: Task, windows: &mut Windows) {
    task.close(windows, &mut homes());
}

/// Writes down the states of a home that have seen `events` since they last were, and lets old snapshots go.
///
/// # Errors
/// The first one that fails; the others are left for the next time.
pub(crate) fn save<S: SnapshotStore<Error = BridgeError>>(
    home: &str,
    events: u64,
    store: &mut S,
) -> Result<(), BridgeError> {
    let due = homes().due(home, events);
    for due in due {
        let Some(snapshot) = snapshot(&due)? else { continue };
        let stored = write(store, &snapshot)?;
        let needless = homes().wrote(&snapshot, &stored);
        let Snapshot { place, version, keys, saved } = &snapshot;
        log::info!(
            "{}-{}: state of offset {version} written, {keys} keys, {} bytes",
            place.topic,
            place.partition,
            saved.len()
        );
        for version in needless {
            store.remove(place, version)?;
        }
    }
    Ok(())
}

/// A state's snapshot; who wants the state waits meanwhile. `None` if it is not there in this version any more.
fn snapshot(due: &Due) -> Result<Option<Snapshot>, BridgeError> {
    let Some(saving) = homes().begin_saving(due) else { return Ok(None) };
    // Also if saving panics, nobody waits for ever; the state is lost then, and restored by who needs it.
    let _free = Free(&due.place);
    let snapshot = saving.snapshot();
    homes().end_saving(saving, snapshot.is_ok());
    Ok(Some(snapshot?))
}

/// Lets those go on who wait for a state that is being written down.
struct Free<'a>(&'a Place);

impl Drop for Free<'_> {
    fn drop(&mut self) {
        homes().free(self.0);
        WRITTEN.notify_all();
    }
}

/// Lets all states of a home go.
pub(crate) fn forget(home: &str) {
    homes().forget(home);
}

/// Sizes of a home's states in this process.
pub(crate) fn size(home: &str) -> Size {
    homes().size(home)
}
