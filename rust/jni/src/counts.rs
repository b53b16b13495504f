//! What is alive at the border: for leak tests and for the operator's memory metric.

use std::sync::atomic::{AtomicI64, Ordering};

static BATCHES: AtomicI64 = AtomicI64::new(0);
static BATCH_BYTES: AtomicI64 = AtomicI64::new(0);

/// One batch lent to the JVM; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    bytes: i64,
}

impl Lent {
    /// Counts a batch of `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        BATCHES.fetch_add(1, Ordering::Relaxed);
        BATCH_BYTES.fetch_add(bytes, Ordering::Relaxed);
        Self { bytes }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        BATCHES.fetch_sub(1, Ordering::Relaxed);
        BATCH_BYTES.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Batches lent out now, and the bytes in them.
pub(crate) fn lent() -> (i64, i64) {
    (BATCHES.load(Ordering::Relaxed), BATCH_BYTES.load(Ordering::Relaxed))
}
