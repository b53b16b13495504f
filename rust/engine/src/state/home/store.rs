//! Where snapshots are kept.

use super::homes::Place;

/// A snapshot as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stored {
    /// Of the state: all records before this offset are in it.
    pub version: i64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Snapshots by topic, partition and version.
///
/// Little is asked of it. Any call may fail. A write that fails, or whose process dies, may leave nothing, all or the
/// beginning of its bytes, at once or later; but never a beginning in place of a whole snapshot, and what a listing has
/// shown in its full length stays until it is removed. Whatever rots in spite of that is found when it is read, and costs
/// a longer replay.
pub trait SnapshotStore {
    /// Why a call failed.
    type Error;

    /// What there is of a partition, in any order.
    ///
    /// # Errors
    /// The store can't be asked.
    fn list(&mut self, place: &Place) -> Result<Vec<Stored>, Self::Error>;

    /// A snapshot's bytes; `None` if it is not there.
    ///
    /// # Errors
    /// It may be there but can't be read now.
    fn read(&mut self, place: &Place, version: i64) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Puts a snapshot in its place, also over one of another length.
    ///
    /// # Errors
    /// It may be there or not, or a part of it.
    fn write(&mut self, place: &Place, version: i64, saved: &[u8]) -> Result<(), Self::Error>;

    /// Lets a snapshot go; nothing if it is gone already.
    ///
    /// # Errors
    /// It may be there still.
    fn remove(&mut self, place: &Place, version: i64) -> Result<(), Self::Error>;
}
