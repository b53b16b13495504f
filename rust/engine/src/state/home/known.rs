//! Which snapshots of a partition may go.

use std::time::Duration;

use super::store::Stored;

/// So many of the newest snapshots stay whatever is known of them: somebody may take away what was committed, and the
/// query goes back further than it could by itself.
pub const KEPT: usize = 4;

/// What a process knows of a partition's snapshots.
#[derive(Debug)]
pub(super) struct Known {
    /// Where the newest task began. All before it is committed: no task will begin earlier.
    begin: i64,
    /// Versions of snapshots that were seen to be whole, ascending: of those up to `begin` the newest, and all newer ones.
    whole: Vec<i64>,
    /// When a task was last here.
    pub(super) since: Duration,
}

impl Known {
    pub(super) fn new(since: Duration) -> Self {
        Self { begin: i64::MIN, whole: Vec::new(), since }
    }

    /// A task begins.
    pub(super) fn begins(&mut self, from: i64) {
        self.begin = self.begin.max(from);
        self.tidy();
    }

    /// A snapshot was read, or found in the length that was written.
    pub(super) fn is_whole(&mut self, version: i64) {
        if let Err(at) = self.whole.binary_search(&version) {
            self.whole.insert(at, version);
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        let up_to_begin = self.whole.partition_point(|version| *version <= self.begin);
        self.whole.drain(..up_to_begin.saturating_sub(1));
    }

    /// The versions that nobody needs any more. A batch that is not committed yet may be read again from its beginning, so
    /// a snapshot that is good for that must stay; one that may be torn does not count as such.
    pub(super) fn needless(&self, stored: &[Stored]) -> Vec<i64> {
        let Some(floor) = self.whole.first().filter(|version| **version <= self.begin) else { return Vec::new() };
        let mut versions: Vec<i64> = stored.iter().map(|stored| stored.version).collect();
        versions.sort_unstable();
        versions.truncate(versions.len().saturating_sub(KEPT));
        versions.retain(|version| version < floor);
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(versions: &[i64]) -> Vec<Stored> {
        versions.iter().map(|version| Stored { version: *version, bytes: 1 }).collect()
    }

    #[test]
    fn the_newest_stay_and_what_a_repeated_batch_would_begin_from() {
        let mut known = Known::new(Duration::ZERO);
        let seven = stored(&[7, 1, 2, 3, 4, 5, 6]);
        known.begins(100);
        assert_eq!(known.needless(&seven), [0; 0], "nobody knows whether one of them is whole");
        known.is_whole(2);
        assert_eq!(known.needless(&seven), [1]);
        known.is_whole(6);
        assert_eq!(known.needless(&seven), [1, 2, 3]);
        known.is_whole(101);
        assert_eq!(known.needless(&stored(&[6, 101, 102, 103, 104, 105])), [0; 0], "of those up to 100 only 6 is left");
        known.begins(101);
        assert_eq!(known.needless(&stored(&[6, 101, 102, 103, 104, 105])), [6]);
        known.begins(50);
        assert_eq!(known.needless(&stored(&[6, 101, 102, 103, 104, 105])), [6], "a late task takes nothing back");
    }
}
