//! Window state beside the partitions of a log: who has it, where it goes on from, and what is written down of it.
//!
//! A state is named by its [`Place`] and has a version: the offset before which all records are in it. It is a function
//! of these records alone, so whoever brings it to a version brings it to the same bytes, and a snapshot of a version is
//! right whoever wrote it. All rules follow from that:
//!
//! * [`Homes`] keeps the states of a process between two tasks. A task takes its state out, and puts it back only when
//!   it is done: one that fails leaves nothing behind.
//! * [`Task`] goes on from the newest that it finds and that is not beyond its beginning: the state of its process, or a
//!   snapshot. Records before its beginning only bring the state there.
//! * [`write`] writes a snapshot unless it is there already, whole; [`Homes::wrote`] says which ones may go then.
//!
//! The world outside is three traits: [`Clock`], [`SnapshotStore`] and [`Log`]. In production they are the process's
//! clock, Hadoop's file systems and Kafka; in `tests/simulation` they are all that can go wrong with these.

mod clock;
mod homes;
mod known;
mod restore;
mod store;
mod task;
mod writer;

pub use self::clock::{Clock, Monotonic};
pub use self::homes::{Due, Homes, IDLE, Kept, Place, Saving, Size};
pub use self::known::KEPT;
pub use self::restore::TakeUpError;
pub use self::store::{SnapshotStore, Stored};
pub use self::task::{Kernel, Log, Range, Task};
pub use self::writer::{Snapshot, write};
