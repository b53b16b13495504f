//! How many values lie in each of fixed buckets, for quantiles.
//!
//! A bucket is a double without the last 46 bits of its fraction: 64 buckets to each power of two. A value is known by
//! its bucket's middle, at most 1/128 away from it (below 2^-1022 by less than that absolutely). Buckets are fixed, so
//! histograms add up and can be taken away from each other again, exactly. The idea is that of logarithmic buckets (C.
//! Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch", 2019) with the double's own
//! exponent in the place of a logarithm, as HdrHistogram has it.

use std::collections::BTreeMap;

/// Bits of a double that a bucket does not tell apart.
const SHIFT: u32 = 46;
const NAN: i32 = i32::MAX;
/// The bucket of infinity.
const INFINITE: i32 = (0x7ff_u64 << (52 - SHIFT)) as i32;

/// Counts by bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histogram(BTreeMap<i32, u64>);

/// Buckets in the order of their values, NaN last.
fn bucket(value: f64) -> i32 {
    if value.is_nan() {
        return NAN;
    }
    let magnitude = (value.abs().to_bits() >> SHIFT) as i32;
    if value < 0.0 { -magnitude - 1 } else { magnitude }
}

/// The value that stands for a bucket.
fn middle(bucket: i32) -> f64 {
    if bucket == NAN {
        return f64::NAN;
    }
    let magnitude = if bucket < 0 { -bucket - 1 } else { bucket };
    let value = match magnitude {
        0 => 0.0,
        INFINITE => f64::INFINITY,
        finite => f64::from_bits((finite as u64) << SHIFT | 1 << (SHIFT - 1)),
    };
    if bucket < 0 { -value } else { value }
}

impl Histogram {
    /// One value more.
    pub(crate) fn add(&mut self, value: f64) {
        *self.0.entry(bucket(value)).or_default() += 1;
    }

    /// All values of another.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// Takes away all values of another, which were added before.
    pub(crate) fn unmerge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            if let Some(there) = self.0.get_mut(bucket) {
                *there = there.saturating_sub(*count);
                if *there == 0 {
                    self.0.remove(bucket);
                }
            }
        }
    }

    /// Nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Values.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// Values and how often they occur, in order, NaN last.
    pub(crate) fn values(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.0.iter().map(|(bucket, count)| (middle(*bucket), *count))
    }

    /// Buckets and counts, in order.
    pub(crate) fn buckets(&self) -> impl ExactSizeIterator<Item = (i32, u64)> + '_ {
        self.0.iter().map(|(bucket, count)| (*bucket, *count))
    }

    /// As [`Histogram::buckets`] gave it.
    pub(crate) fn of(buckets: impl IntoIterator<Item = (i32, u64)>) -> Self {
        Self(buckets.into_iter().collect())
    }

    /// Bytes that it holds, about.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * 24
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_is_near_its_buckets_middle(value in any::<f64>()) {
            let found = middle(bucket(value));
            let near = (found - value).abs() <= value.abs() / 128.0 || value.abs() < f64::MIN_POSITIVE;
            prop_assert!(near || found == value || (found.is_nan() && value.is_nan()), "{value:e}: {found:e}");
        }

        #[test]
        fn buckets_are_in_order(a in any::<f64>(), b in any::<f64>()) {
            prop_assert!(a > b || b.is_nan() || bucket(a) <= bucket(b) || a.is_nan());
        }
    }

    #[test]
    fn what_was_merged_can_be_taken_away() {
        let (mut all, mut some) = (Histogram::default(), Histogram::default());
        [1.0, -2.0, f64::NAN, 0.0, -0.0, f64::NEG_INFINITY].iter().for_each(|v| all.add(*v));
        let before = all.clone();
        [1.0, 7.0, f64::NAN].iter().for_each(|v| some.add(*v));
        all.merge(&some);
        assert_eq!(all.count(), 9);
        assert_eq!(all.values().next(), Some((f64::NEG_INFINITY, 1)));
        all.unmerge(&some);
        assert_eq!(all, before);
        assert_eq!(Histogram::of(all.buckets()), all);
    }
}
