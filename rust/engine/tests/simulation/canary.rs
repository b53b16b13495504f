//! Bugs on purpose: what the simulation must find, or it proves nothing. They come in where the world does, through the
//! traits and through what a process does with its states; the protocol itself has none of them.

use twox_hash::XxHash64;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Canary {
    None,
    /// A snapshot gets the name of an older version than it has: it is ahead of its name.
    SnapshotAhead,
    /// After a batch that was repeated a state is put back with the version from before the batch.
    WrongVersion,
    /// A snapshot of which a part is missing is taken for a whole one.
    TornIsWhole,
    /// All but the newest snapshot are let go.
    KeepsTheNewestOnly,
}

impl Canary {
    /// The version that a snapshot is filed under.
    pub(crate) fn version(self, version: i64) -> i64 {
        if self == Self::SnapshotAhead { version - 1 } else { version }
    }

    /// What is read of a file.
    pub(crate) fn read(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self == Self::TornIsWhole {
            // Where the stream ends, and that it is what was written.
            bytes.extend_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
            let sum = XxHash64::oneshot(0, &bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
        }
        bytes
    }
}
