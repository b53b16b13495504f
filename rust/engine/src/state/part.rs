//! What is known of the values of one input in one step of a tail: many events summed up.

use std::cmp::Ordering;

use super::acc::{Needs, double, part};
use super::exact::ExactSum;
use super::sketch::{Frequent, Histogram, Smallest, hash};
use super::words::{Kind, Texts, compare};

/// The values of one input. Only what the input's [`Needs`] ask for is filled.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Part {
    /// Values, or events where the input has no value.
    pub(crate) count: u64,
    pub(crate) sum: ExactSum,
    pub(crate) squares: ExactSum,
    pub(crate) lowest: Option<u64>,
    pub(crate) highest: Option<u64>,
    /// Oldest and newest value.
    pub(crate) ends: Option<(u64, u64)>,
    pub(crate) different: Smallest,
    pub(crate) frequent: Frequent,
    pub(crate) histogram: Histogram,
    pub(crate) trend: Trend,
}

/// Least squares of values over times, one value after the other (B. P. Welford, "Note on a method for calculating corrected
/// sums of squares and products", 1962), and of two sets (T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a
/// pairwise algorithm for computing sample variances", 1979).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Trend {
    pub(crate) count: f64,
    /// Means of the times, in seconds since a moment that the owner knows, and of the values.
    pub(crate) time: f64,
    pub(crate) value: f64,
    /// Σ (t − t̄)(x − x̄) and Σ (t − t̄)².
    pub(crate) across: f64,
    pub(crate) along: f64,
}

impl Trend {
    /// A value at so many seconds.
    pub(crate) fn add(&mut self, seconds: f64, value: f64) {
        self.merge(&Self { count: 1.0, time: seconds, value, across: 0.0, along: 0.0 }, 0.0);
    }

    /// All values of another, whose seconds begin so many seconds later.
    pub(crate) fn merge(&mut self, other: &Self, later: f64) {
        if other.count == 0.0 {
            return;
        }
        let count = self.count + other.count;
        let apart = if self.count == 0.0 { 0.0 } else { other.time + later - self.time };
        let above = other.value - self.value;
        let weight = self.count * other.count / count;
        self.across += other.across + apart * above * weight;
        self.along += other.along + apart * apart * weight;
        if self.count == 0.0 {
            (self.time, self.value) = (other.time + later, other.value);
        } else {
            self.time += apart * (other.count / count);
            self.value += above * (other.count / count);
        }
        self.count = count;
    }

    /// Change of the value per second; `None` if all times are equal.
    pub(crate) fn slope(&self) -> Option<f64> {
        (self.along > 0.0).then(|| self.across / self.along)
    }
}

impl Part {
    /// The next event of the input, so many seconds after the step's first; `None` for one that counts without a value.
    pub(crate) fn add(&mut self, word: Option<u64>, seconds: f64, kind: Kind, needs: Needs, texts: &Texts) {
        self.count += 1;
        let Some(word) = word else { return };
        if needs.sum {
            self.sum.add(part(kind, word));
        }
        if needs.squares {
            self.squares.add(part(kind, word).squared());
        }
        if needs.lowest && self.lowest.is_none_or(|there| compare(kind, word, there, texts) == Ordering::Less) {
            self.lowest = Some(word);
        }
        if needs.highest && self.highest.is_none_or(|there| compare(kind, word, there, texts) == Ordering::Greater) {
            self.highest = Some(word);
        }
        if needs.ends {
            self.ends = Some((self.ends.map_or(word, |(oldest, _)| oldest), word));
        }
        if needs.distinct {
            self.different.add(hash_of(kind, word, texts));
        }
        if needs.mode {
            self.frequent.add(word);
        }
        if needs.sorted {
            self.histogram.add(double(kind, word));
        }
        if needs.trend {
            self.trend.add(seconds, double(kind, word));
        }
    }

    /// Writes its values anew, those of texts.
    pub(crate) fn change_words(&mut self, change: &mut impl FnMut(u64) -> u64) {
        self.lowest = self.lowest.map(&mut *change);
        self.highest = self.highest.map(&mut *change);
        self.ends = self.ends.map(|(oldest, newest)| (change(oldest), change(newest)));
        self.frequent.change_words(change);
    }

    /// Bytes that it holds beside itself, about.
    pub(crate) fn bytes(&self) -> usize {
        let sums = self.sum.bytes() + self.squares.bytes();
        sums + self.different.bytes() + self.frequent.bytes() + self.histogram.bytes()
    }
}

/// The hash of a value, not of its number.
pub(crate) fn hash_of(kind: Kind, word: u64, texts: &Texts) -> u64 {
    match kind {
        Kind::Text => hash(texts.text(word).as_bytes()),
        Kind::Int | Kind::Float => hash(&word.to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Trend;

    proptest! {
        #[test]
        fn a_trend_in_pieces_is_that_of_the_whole(
            values in prop::collection::vec((0..1000_i32, -100.0..100.0_f64), 2..60),
            cut in any::<prop::sample::Index>(),
        ) {
            let (mut whole, mut a, mut b) = (Trend::default(), Trend::default(), Trend::default());
            let cut = cut.index(values.len());
            for (i, (time, value)) in values.iter().enumerate() {
                whole.add(f64::from(*time), *value);
                if i < cut { a.add(f64::from(*time), *value) } else { b.add(f64::from(*time) - 500.0, *value) }
            }
            a.merge(&b, 500.0);
            let (n, (ts, xs)) = (values.len() as f64, (values.iter().map(|v| f64::from(v.0)), values.iter().map(|v| v.1)));
            let (tm, xm) = (ts.sum::<f64>() / n, xs.sum::<f64>() / n);
            let along: f64 = values.iter().map(|(t, _)| (f64::from(*t) - tm).powi(2)).sum();
            let across: f64 = values.iter().map(|(t, x)| (f64::from(*t) - tm) * (x - xm)).sum();
            for found in [whole, a] {
                prop_assert!((found.along - along).abs() <= 1e-9 * along.max(1.0), "{found:?} {along}");
                prop_assert!((found.across - across).abs() <= 1e-7 * along.sqrt().max(1.0), "{found:?} {across}");
            }
        }
    }
}
