//! What became of one task's records. Filled by the producer's own thread, asked by the task's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ProduceError;

/// A record that failed first.
#[derive(Debug, Clone)]
struct Failure {
    place: String,
    reason: String,
    advice: &'static str,
}

/// Counts of records on their way, and the first failure.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pending: AtomicU64,
    failed: AtomicU64,
    first: Mutex<Option<Failure>>,
    settled: Condvar,
}

impl Tally {
    /// A record is handed over: before it is, so that its answer can't come earlier.
    pub(super) fn sent(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// The record was not taken after all.
    pub(super) fn unsent(&self) {
        self.settle();
    }

    pub(super) fn delivered(&self) {
        self.settle();
    }

    pub(super) fn failed(&self, place: String, reason: String, advice: &'static str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.first().get_or_insert(Failure { place, reason, advice });
        self.settle();
    }

    fn settle(&self) {
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            let _guard = self.first();
            self.settled.notify_all();
        }
    }

    fn first(&self) -> std::sync::MutexGuard<'_, Option<Failure>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first failure, if there was one.
    pub(super) fn check(&self) -> Result<(), ProduceError> {
        if self.failed.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let Some(first) = self.first().clone() else { return Ok(()) };
        Err(ProduceError::Delivery {
            failed: self.failed.load(Ordering::Relaxed),
            place: first.place,
            reason: first.reason,
            advice: first.advice,
        })
    }

    /// Waits until no record is on its way, for `step` at most; false if some still are.
    pub(super) fn wait(&self, step: Duration) -> bool {
        let deadline = Instant::now() + step;
        let mut guard = self.first();
        while self.pending() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            guard = self.settled.wait_timeout(guard, left).map_or_else(|e| e.into_inner().0, |(guard, _)| guard);
        }
        true
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_first_failure_and_counts_all() {
        let tally = Tally::default();
        (0..3).for_each(|_| tally.sent());
        tally.delivered();
        assert!(tally.check().is_ok());
        tally.failed("t-0".to_owned(), "too large".to_owned(), "Do.");
        tally.failed("t-1".to_owned(), "late".to_owned(), "Do.");
        assert!(tally.wait(Duration::ZERO));
        let message = tally.check().map_err(|e| e.to_string());
        assert_eq!(
            message,
            Err("DELIVERY_FAILED: 2 records were not written, the first to t-0: too large. Do.".to_owned())
        );
    }

    #[test]
    fn waits_no_longer_than_it_is_told() {
        let tally = Tally::default();
        tally.sent();
        assert!(!tally.wait(Duration::from_millis(5)));
        assert_eq!(tally.pending(), 1);
    }
}
