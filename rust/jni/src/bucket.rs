//! One window block over buckets of keys whose bytes Spark's state store keeps; see [`firesteel_engine::pipeline::BucketRunner`].
//!
//! Many small byte arrays cross in each direction, so they cross as one: each with its length before it as four bytes,
//! big-endian; the length [`NOTHING`] stands for none.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use firesteel_engine::pipeline::{BucketError, BucketRunner, Order, Piece};

use crate::engine;
use crate::error::{BridgeError, internal};
use crate::ffi;

/// In place of a length: there are no bytes.
const NOTHING: u32 = u32::MAX;

/// An open block. One thread works with it; any thread may cancel.
pub(crate) struct BucketSession {
    work: Mutex<Work>,
    cancelled: AtomicBool,
}

struct Work {
    runner: BucketRunner,
    /// What the last bucket gave and nobody has taken yet.
    pieces: VecDeque<Piece>,
}

impl BucketSession {
    /// Opens the prepared call of a block.
    pub(crate) fn open(call: &str, buckets: u32, order: Order) -> Result<Self, BridgeError> {
        Ok(Self::of(engine::compiled(call)?.bucket(buckets, order)?))
    }

    /// Opens the last block of a history, with what comes behind it.
    pub(crate) fn open_last(call: &str, buckets: u32) -> Result<Self, BridgeError> {
        Ok(Self::of(engine::compiled(call)?.last_bucket(buckets)?))
    }

    fn of(runner: BucketRunner) -> Self {
        Self { work: Mutex::new(Work { runner, pieces: VecDeque::new() }), cancelled: AtomicBool::new(false) }
    }

    fn work(&self) -> Result<MutexGuard<'_, Work>, BridgeError> {
        match self.work.try_lock() {
            Ok(work) => Ok(work),
            Err(TryLockError::WouldBlock) => Err(BridgeError::Busy),
            Err(TryLockError::Poisoned(_)) => {
                Err(internal("the bucket's runner panicked earlier and can't be used again"))
            }
        }
    }

    /// See [`BucketRunner::add`].
    pub(crate) fn add(&self, piece: Vec<u8>) -> Result<(), BridgeError> {
        Ok(self.work()?.runner.add(piece)?)
    }

    /// See [`BucketRunner::begin`]: an empty `book` or `held` is none; gives the keys.
    pub(crate) fn begin(&self, number: u32, book: &[u8], held: &[u8]) -> Result<Vec<u8>, BridgeError> {
        let known = |bytes: &'_ [u8]| !bytes.is_empty();
        let (book, held) = (Some(book).filter(|book| known(book)), Some(held).filter(|held| known(held)));
        let keys = self.work()?.runner.begin(number, book, held)?;
        let mut bytes = Vec::with_capacity(keys.iter().map(|key| key.len() + 4).sum());
        keys.iter().for_each(|key| put(&mut bytes, key));
        Ok(bytes)
    }

    /// See [`BucketRunner::run`]. Gives a byte that says whether to clean, the book, the rows that are
    /// held, and what to keep of each key.
    pub(crate) fn run(&self, kept: &[u8]) -> Result<Vec<u8>, BridgeError> {
        let kept: Vec<Option<Vec<u8>>> = framed(kept)?.into_iter().map(|bytes| bytes.map(<[u8]>::to_vec)).collect();
        let mut work = self.work()?;
        let run = work.runner.run(&kept, &self.cancelled)?;
        work.pieces = run.pieces.into();
        let size: usize = run.kept.iter().flatten().map(Vec::len).sum();
        let mut bytes =
            Vec::with_capacity(size + 4 * run.kept.len() + run.book.len() + run.held.as_ref().map_or(0, Vec::len) + 9);
        bytes.push(u8::from(run.clean));
        put(&mut bytes, &run.book);
        for kept in std::iter::once(&run.held).chain(&run.kept) {
            match kept {
                Some(kept) => put(&mut bytes, kept),
                None => bytes.extend_from_slice(&NOTHING.to_be_bytes()),
            }
        }
        Ok(bytes)
    }

    /// The next piece of the bucket that was run: its bucket as four bytes, and the rows; empty behind the last.
    pub(crate) fn next(&self) -> Result<Vec<u8>, BridgeError> {
        let Some(piece) = self.work()?.pieces.pop_front() else { return Ok(Vec::new()) };
        let mut bytes = Vec::with_capacity(piece.rows.len() + 4);
        bytes.extend_from_slice(&piece.bucket.to_be_bytes());
        bytes.extend_from_slice(&piece.rows);
        Ok(bytes)
    }

    /// See [`BucketRunner::run_whole`].
    pub(crate) fn run_whole(&self) -> Result<(), BridgeError> {
        Ok(self.work()?.runner.run_whole(&self.cancelled)?)
    }

    /// Exports the next rows into the struct at `output`; gives the bytes behind it, −1 behind the last.
    ///
    /// # Safety
    /// Those of [`ffi::export`].
    pub(crate) unsafe fn next_rows(&self, output: i64) -> Result<i64, BridgeError> {
        let mut work = self.work()?;
        let Some(rows) = work.runner.next_rows(&self.cancelled)? else { return Ok(-1) };
        let schema =
            work.runner.output_schema().ok_or_else(|| internal("a bucket that gives pieces was asked for rows"))?;
        // SAFETY: by contract of this function.
        let bytes = unsafe { ffi::export(rows, schema, output) }?;
        Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// Whether each of some keys is over, by the bucket that was run last.
    pub(crate) fn over(&self, kept: &[u8]) -> Result<Vec<bool>, BridgeError> {
        let runner = &self.work()?.runner;
        Ok(framed(kept)?.into_iter().map(|bytes| bytes.is_some_and(|bytes| runner.is_over(bytes))).collect())
    }

    /// Makes a running bucket stop soon, and every later one fail.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl From<BucketError> for BridgeError {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Stage(error) => error.into(),
            BucketError::Restore(error) => error.into(),
        }
    }
}

fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    to.extend_from_slice(bytes);
}

fn framed(mut bytes: &[u8]) -> Result<Vec<Option<&[u8]>>, BridgeError> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length);
        if length == NOTHING {
            found.push(None);
            bytes = rest;
            continue;
        }
        let (one, rest) = rest.split_at_checked(length as usize).ok_or_else(cut)?;
        found.push(Some(one));
        bytes = rest;
    }
    if bytes.is_empty() { Ok(found) } else { Err(cut()) }
}

fn cut() -> BridgeError {
    internal("bytes for a bucket that end too early")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_cut_ones_are_errors() {
        let mut bytes = Vec::new();
        put(&mut bytes, b"abc");
        bytes.extend_from_slice(&NOTHING.to_be_bytes());
        put(&mut bytes, b"");
        assert_eq!(framed(&bytes).unwrap(), [Some(b"abc".as_slice()), None, Some(b"".as_slice())]);
        for cut in [1, 5, 9] {
            assert!(framed(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
