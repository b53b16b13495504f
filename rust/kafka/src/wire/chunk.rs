//! What a broker's answer holds of one partition, and which of its batches are to be read.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::WireError;
use super::batch::Batch;

/// Buffers that answers were read into, to be used again: memory that goes round is not asked for anew.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// More are not kept: one is being filled while others are read.
    const KEPT: usize = 2;

    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < Self::KEPT {
            kept.push(buffer);
        }
    }
}

/// A broker's answer, or a part of it.
#[derive(Debug)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    buffers: Option<Arc<Buffers>>,
}

impl Answer {
    /// An answer in a buffer that goes back when it was read.
    pub(crate) fn new(bytes: Vec<u8>, buffers: Arc<Buffers>) -> Self {
        Self { bytes, buffers: Some(buffers) }
    }

    /// Just these bytes.
    pub(crate) fn exact(bytes: Vec<u8>) -> Self {
        Self { bytes, buffers: None }
    }

    /// A partition's records. A small part of an answer is copied out: it must not keep all of it in memory, which
    /// nobody would count.
    pub(crate) fn chunk(self: &Arc<Self>, records: Range<usize>, aborted: Vec<(i64, i64)>) -> Chunk {
        if records.len() < self.bytes.len() / 2 {
            let part = self.bytes.get(records).unwrap_or_default().to_vec();
            let length = part.len();
            Chunk::new(Arc::new(Self::exact(part)), 0..length, aborted)
        } else {
            Chunk::new(Arc::clone(self), records, aborted)
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(buffers) = &self.buffers {
            buffers.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

/// The batches of one partition in an answer.
#[derive(Debug)]
pub(crate) struct Chunk {
    answer: Arc<Answer>,
    /// Not yet looked at.
    rest: Range<usize>,
    /// Transactions given up, by first offset; those that begin with later batches.
    aborted: Vec<(i64, i64)>,
    /// Producers whose records are to be passed over until the mark of their transaction's end.
    passed_over: HashSet<i64>,
}

/// A place in an answer that holds a whole batch.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) place: Range<usize>,
    pub(crate) last_offset: i64,
    /// Whether it has records for a reader.
    pub(crate) wanted: bool,
}

impl Chunk {
    /// `aborted` is empty unless only committed records are wanted.
    pub(crate) fn new(answer: Arc<Answer>, records: Range<usize>, mut aborted: Vec<(i64, i64)>) -> Self {
        // The next to begin is at the end.
        aborted.sort_unstable_by_key(|&(_, first)| std::cmp::Reverse(first));
        Self { answer, rest: records, aborted, passed_over: HashSet::new() }
    }

    pub(crate) fn answer(&self) -> &Arc<Answer> {
        &self.answer
    }

    /// Bytes not yet looked at, as they came.
    pub(crate) fn size(&self) -> usize {
        self.rest.len()
    }

    /// The offset after the last whole batch; `None` if there is none.
    pub(crate) fn end_offset(&self) -> Result<Option<i64>, WireError> {
        let mut rest = &self.answer.bytes()[self.rest.clone()];
        let mut end = None;
        while let Some(batch) = Batch::first(rest)? {
            end = Some(batch.last_offset.saturating_add(1));
            rest = &rest[batch.size..];
        }
        Ok(end)
    }

    /// The next batch.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, WireError> {
        let bytes = self.answer.bytes();
        let Some(batch) = Batch::first(&bytes[self.rest.clone()])? else { return Ok(None) };
        let place = self.rest.start..self.rest.start + batch.size;
        self.rest.start = place.end;
        while let Some(&(producer, _)) = self.aborted.last().filter(|(_, first)| *first <= batch.last_offset) {
            self.passed_over.insert(producer);
            self.aborted.pop();
        }
        let mut wanted = !batch.is_control();
        if batch.is_control() && self.passed_over.contains(&batch.producer_id) && batch.is_abort()? {
            self.passed_over.remove(&batch.producer_id);
        } else if batch.is_transactional() && self.passed_over.contains(&batch.producer_id) {
            wanted = false;
        }
        Ok(Some(Found { place, last_offset: batch.last_offset, wanted }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{Made, chunk};
    use super::*;

    fn wanted(mut chunk: Chunk) -> Vec<i64> {
        let mut offsets = Vec::new();
        while let Some(found) = chunk.next().unwrap() {
            if found.wanted {
                offsets.push(found.last_offset);
            }
        }
        offsets
    }

    #[test]
    fn aborted_transactions_and_marks_are_passed_over() {
        let log = [
            Made::plain(0, 2),
            Made::plain(2, 2).of(7),
            Made::plain(4, 2).of(8),
            Made::marker(6, 7, false),
            Made::plain(7, 1).of(7),
            Made::marker(8, 8, true),
            Made::marker(9, 7, true),
        ];
        let bytes: Vec<u8> = log.iter().flat_map(Made::bytes).collect();
        assert_eq!(wanted(chunk(&bytes, vec![(7, 2)])), [1, 5, 7]);
        // Uncommitted: everything but the marks.
        assert_eq!(wanted(chunk(&bytes, Vec::new())), [1, 3, 5, 7]);
        assert_eq!(chunk(&bytes, Vec::new()).end_offset().unwrap(), Some(10));
    }

    #[test]
    fn a_producer_may_abort_twice() {
        let log = [
            Made::plain(0, 1).of(7),
            Made::marker(1, 7, false),
            Made::plain(2, 1).of(7),
            Made::marker(3, 7, true),
            Made::plain(4, 1).of(7),
            Made::marker(5, 7, false),
        ];
        let bytes: Vec<u8> = log.iter().flat_map(Made::bytes).collect();
        assert_eq!(wanted(chunk(&bytes, vec![(7, 4), (7, 0)])), [2]);
    }

    #[test]
    fn a_batch_that_is_cut_off_waits_for_the_next_answer() {
        let bytes = [Made::plain(0, 3).bytes(), Made::plain(3, 3).bytes()].concat();
        let cut = chunk(&bytes[..bytes.len() - 1], Vec::new());
        assert_eq!(cut.end_offset().unwrap(), Some(3));
        assert_eq!(wanted(cut), [2]);
        assert_eq!(chunk(&bytes[..20], Vec::new()).end_offset().unwrap(), None);
    }
}
