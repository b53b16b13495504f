//! One partition being read: what came of it, and how far it was handed out.

use std::sync::Arc;
use std::time::Duration;

use super::WireError;
use super::batch::{Batch, Record, Records};
use super::chunk::{Answer, Chunk};
use super::shared::Shared;
use super::slot::Took;

/// An open batch, between two turns.
#[derive(Debug)]
struct Open {
    answer: Arc<Answer>,
    place: std::ops::Range<usize>,
    records: Records,
    last_offset: i64,
}

/// A partition being read, by position in what its fetcher shares with its threads.
#[derive(Debug)]
pub(crate) struct Lane {
    slot: usize,
    shared: Arc<Shared>,
    check: bool,
    /// The next offset that a caller wants: all records before it were handed out or do not exist.
    next: i64,
    /// All records before this offset have been looked at.
    looked_at: i64,
    chunk: Option<Chunk>,
    open: Option<Open>,
    /// The records of the open batch, if it was packed.
    unpacked: Vec<u8>,
}

impl Lane {
    /// A slot's lane; the partition is fetched until the lane is dropped.
    pub(super) fn new(slot: usize, offset: i64, check: bool, shared: Arc<Shared>) -> Self {
        Self { slot, shared, check, next: offset, looked_at: offset, chunk: None, open: None, unpacked: Vec::new() }
    }

    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// Makes `offset` the next one: goes on if it is, else drops what was fetched and fetches from there.
    pub(crate) fn seek(&mut self, offset: i64) {
        if offset != self.next {
            self.restart_at(offset);
        }
    }

    /// Drops what was fetched and fetches from `offset`, also after the broker said that the last one is gone.
    pub(crate) fn restart_at(&mut self, offset: i64) {
        (self.chunk, self.open) = (None, None);
        (self.next, self.looked_at) = (offset, offset);
        self.shared.restart(self.slot, offset);
    }

    /// Hands records before `until` to `each`, which says whether it takes another, as long as there are some here.
    /// Records after them wait for the next range.
    pub(crate) fn read(
        &mut self,
        until: i64,
        mut each: impl FnMut(&Record<'_>) -> Result<bool, WireError>,
    ) -> Result<(), WireError> {
        while self.prepare()? {
            let Some(open) = &mut self.open else { break };
            let packed = Batch::first(&open.answer.bytes()[open.place.clone()])?.ok_or(WireError::SHORT)?.packed();
            let bytes = open.records.bytes(packed, &self.unpacked);
            loop {
                let before = open.records.position();
                let Some(record) = open.records.next(bytes)? else {
                    self.looked_at = self.looked_at.max(open.last_offset.saturating_add(1));
                    self.open = None;
                    break;
                };
                if record.offset < self.next {
                    continue;
                }
                if record.offset >= until {
                    open.records.back_to(before);
                    self.looked_at = self.looked_at.max(until);
                    return Ok(());
                }
                self.next = record.offset.saturating_add(1);
                if !each(&record)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether every record before `until` was handed out. Ask after [`Self::read`] has taken what there was.
    pub(crate) fn is_through(&mut self, until: i64) -> bool {
        let through = self.next >= until || self.looked_at >= until;
        if through {
            // Offsets without records (compaction, markers of transactions) were passed over.
            self.next = self.next.max(until);
        }
        through
    }

    /// Opens the next batch that has records for us, if none is open; false if nothing is here.
    fn prepare(&mut self) -> Result<bool, WireError> {
        if self.open.is_some() {
            return Ok(true);
        }
        while let Some(chunk) = &mut self.chunk {
            let Some(found) = chunk.next()? else {
                self.chunk = None;
                return Ok(false);
            };
            if !found.wanted || found.last_offset < self.next {
                self.looked_at = self.looked_at.max(found.last_offset.saturating_add(1));
                continue;
            }
            let answer = Arc::clone(chunk.answer());
            let batch = Batch::first(&answer.bytes()[found.place.clone()])?.ok_or(WireError::SHORT)?;
            if self.check {
                batch.check()?;
            }
            let records = Records::open(&batch, &mut self.unpacked)?;
            self.open = Some(Open { answer, place: found.place, records, last_offset: found.last_offset });
            return Ok(true);
        }
        Ok(false)
    }

    /// Takes what has come; waits at most `wait` for it. Call when all that is here was read.
    pub(crate) fn take(&mut self, wait: Duration) -> Took {
        match self.shared.take(self.slot, wait) {
            Ok(chunk) => {
                self.chunk = Some(chunk);
                Took::Records
            }
            Err(took) => took,
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.end(self.slot);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::protocol::code;
    use super::super::testing::{Made, asked, say, shared};
    use super::*;

    /// A lane from `offset` of a partition whose log these batches are.
    fn lane(offset: i64, log: &[Made]) -> Lane {
        let (shared, slots) = shared(&["a"], 1 << 20);
        let mut lane = Lane::new(slots[0], 0, true, Arc::clone(&shared));
        lane.seek(offset);
        say(&shared, &asked(&shared).wishes[0], code::NONE, log);
        assert_eq!(lane.take(Duration::ZERO), Took::Records);
        lane
    }

    /// At most `most` offsets before `until`.
    fn read(lane: &mut Lane, until: i64, most: usize) -> Vec<i64> {
        let mut offsets = Vec::new();
        lane.read(until, |record| {
            offsets.push(record.offset);
            Ok(offsets.len() < most)
        })
        .unwrap();
        offsets
    }

    #[test]
    fn ranges_follow_each_other_in_the_middle_of_batches() {
        let mut lane = lane(3, &[Made::plain(0, 10), Made { attributes: 4, ..Made::plain(10, 10) }]);
        assert_eq!(read(&mut lane, 12, 4), [3, 4, 5, 6]);
        assert!(!lane.is_through(12));
        assert_eq!(read(&mut lane, 12, 100), [7, 8, 9, 10, 11]);
        assert!(lane.is_through(12));
        assert_eq!(read(&mut lane, 20, 100), (12..20).collect::<Vec<_>>());
        assert!(lane.is_through(20));
        assert_eq!(lane.next(), 20);
    }

    #[test]
    fn offsets_without_records_are_passed_over() {
        let gaps = Made { records: vec![(0, vec![1]), (7, vec![2])], gone: 2, ..Made::plain(0, 0) };
        let mut lane = lane(0, &[gaps, Made::marker(10, 1, true), Made::plain(30, 2)]);
        assert_eq!(read(&mut lane, 5, 100), [0]);
        assert!(lane.is_through(5));
        assert_eq!(lane.next(), 5);
        assert_eq!(read(&mut lane, 11, 100), [7]);
        assert!(lane.is_through(11), "the mark of a transaction is the last before it");
        assert_eq!(read(&mut lane, 25, 100), Vec::<i64>::new());
        assert!(lane.is_through(25), "the next record comes after it");
        assert_eq!(read(&mut lane, 32, 100), [30, 31]);
    }

    #[test]
    fn what_has_not_come_is_not_passed_over() {
        let mut lane = lane(0, &[Made::plain(0, 3)]);
        assert_eq!(read(&mut lane, 10, 100), [0, 1, 2]);
        assert!(!lane.is_through(10));
        assert_eq!(lane.take(Duration::ZERO), Took::Nothing);
    }

    #[test]
    fn damaged_records_are_an_error() {
        let (shared, slots) = shared(&["a"], 1 << 20);
        let mut lane = Lane::new(slots[0], 0, true, Arc::clone(&shared));
        let mut bytes = Made::plain(0, 3).bytes();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        lane.chunk = Some(super::super::testing::chunk(&bytes, Vec::new()));
        let error = lane.read(3, |_| Ok(true)).unwrap_err().to_string();
        assert!(error.contains("checksum"), "{error}");
        lane.check = false;
        lane.chunk = Some(super::super::testing::chunk(&bytes, Vec::new()));
        assert!(lane.read(3, |_| Ok(true)).is_ok(), "kafka.check.crcs is false");
    }
}
