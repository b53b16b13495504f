//! Writing states down, behind the back of the tasks.
//!
//! The way of a snapshot: [`Homes::due`], [`Homes::begin_saving`], [`Saving::snapshot`], [`Homes::end_saving`], [`write`],
//! [`Homes::wrote`], and [`SnapshotStore::remove`] for what that names. It may end anywhere: a snapshot that is missing
//! costs a longer replay later, one too many costs room.
//!
//! [`Homes::due`]: super::Homes::due
//! [`Homes::begin_saving`]: super::Homes::begin_saving
//! [`Homes::end_saving`]: super::Homes::end_saving
//! [`Homes::wrote`]: super::Homes::wrote
//! [`Saving::snapshot`]: super::Saving::snapshot

use super::homes::Place;
use super::store::{SnapshotStore, Stored};

/// A state as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose.
    pub place: Place,
    /// All records before this offset are in it.
    pub version: i64,
    /// How many keys.
    pub keys: usize,
    /// What `WindowState::save` wrote.
    pub saved: Vec<u8>,
}

impl Snapshot {
    /// Whether a listing shows it, in its full length. Who else wrote this version wrote the same bytes.
    pub(super) fn is_among(&self, stored: &[Stored]) -> bool {
        stored.contains(&Stored { version: self.version, bytes: self.saved.len() as u64 })
    }
}

/// Writes a snapshot, unless it is there; gives what there is then. Writes over one that is torn.
///
/// # Errors
/// Those of the store.
pub fn write<S: SnapshotStore>(store: &mut S, snapshot: &Snapshot) -> Result<Vec<Stored>, S::Error> {
    let stored = store.list(&snapshot.place)?;
    if snapshot.is_among(&stored) {
        return Ok(stored);
    }
    store.write(&snapshot.place, snapshot.version, &snapshot.saved)?;
    store.list(&snapshot.place)
}
