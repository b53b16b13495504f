//! How many different values there are: the smallest of their hashes.
//!
//! Exact while there are fewer than [`MOST`]; beyond, the k-th smallest of evenly spread hashes says how close together they
//! lie (Z. Bar-Yossef and others, "Counting distinct elements in a data stream", 2002; the unbiased (k − 1) / U of K.
//! Beyer and others, "On synopses for distinct-value estimation under multiset operations", 2007). Standard error
//! 1 / √(k − 2): 4.4 %. Chosen over HyperLogLog because it is exact where most keys are, and 4 KiB at its largest.

use twox_hash::XxHash64;

/// Hashes that are kept.
const MOST: usize = 512;

/// The smallest hashes, in order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Smallest(Vec<u64>);

/// A value's hash: the same everywhere and for ever, since states hold it.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

impl Smallest {
    /// One value more.
    pub(crate) fn add(&mut self, hash: u64) {
        if self.0.len() == MOST && self.0.last().is_some_and(|last| *last < hash) {
            return;
        }
        if let Err(at) = self.0.binary_search(&hash) {
            self.0.insert(at, hash);
            self.0.truncate(MOST);
        }
    }

    /// All values of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        let mine = std::mem::take(&mut self.0);
        let (mut a, mut b) = (mine.iter().peekable(), other.0.iter().peekable());
        self.0.reserve_exact((mine.len() + other.0.len()).min(MOST));
        while self.0.len() < MOST {
            let next = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) => **x.min(y),
                (Some(x), None) => **x,
                (None, Some(y)) => **y,
                (None, None) => break,
            };
            a.next_if(|x| **x == next);
            b.next_if(|y| **y == next);
            self.0.push(next);
        }
    }

    /// How many different values there are, about.
    pub(crate) fn count(&self) -> u64 {
        match self.0.last() {
            Some(last) if self.0.len() == MOST => {
                let share = (*last as f64 + 1.0) / 2_f64.powi(64);
                ((MOST - 1) as f64 / share).round() as u64
            }
            _ => self.0.len() as u64,
        }
    }

    /// The hashes, in order.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.0
    }

    /// As [`Smallest::hashes`] gave them; `None` if they are not in order or too many.
    pub(crate) fn of(hashes: Vec<u64>) -> Option<Self> {
        (hashes.len() <= MOST && hashes.is_sorted_by(|a, b| a < b)).then_some(Self(hashes))
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(values: std::ops::Range<u64>) -> Smallest {
        let mut found = Smallest::default();
        values.for_each(|value| found.add(hash(&value.to_le_bytes())));
        found
    }

    #[test]
    fn few_are_counted_and_many_are_estimated() {
        for n in [0, 1, 100, 511] {
            assert_eq!(of(0..n).count(), n);
        }
        let mut worst: f64 = 0.0;
        for seed in 0..20 {
            for n in [600, 10_000, 300_000] {
                let found = of(seed * 1_000_000..seed * 1_000_000 + n).count() as f64;
                worst = worst.max((found - n as f64).abs() / n as f64);
            }
        }
        assert!(worst < 4.0 * 0.0443, "{worst}");
    }

    #[test]
    fn merged_is_as_seen_together() {
        for (a, b) in [(0..300, 100..500), (0..5_000, 4_000..9_000), (0..0, 0..700), (0..700, 0..0)] {
            let mut merged = of(a.clone());
            merged.merge(&of(b.clone()));
            assert_eq!(merged, of(a.start.min(b.start)..a.end.max(b.end)));
            assert_eq!(Smallest::of(merged.hashes().to_vec()).unwrap(), merged);
        }
        assert_eq!(Smallest::of(vec![2, 1]), None);
    }
}
