//! Numbers as ranks among a forest's thresholds: one byte instead of four, compared 32 at a time.
//!
//! A forest looks at a feature only through "is it at most this threshold". So a feature's bin, the number of thresholds
//! below it, tells all that the forest can see: `x <= t` is `bin <= rank of t`, exactly. The idea is that of histogram
//! training (Ke and others, "LightGBM", 2017), turned round.

/// Most thresholds of a feature: a bin is a byte.
pub(super) const MAX_THRESHOLDS: usize = 255;
/// Thresholds of a bucket: one register of floats.
pub(super) const BUCKET: usize = 8;

/// The thresholds of one feature, ascending, for the search: first the bucket, then the place in it.
#[derive(Debug, Clone)]
pub(super) struct Bins {
    /// The feature.
    pub(super) feature: usize,
    /// Steps of a binary search for the bucket, at most five.
    pub(super) steps: usize,
    /// The last thresholds of the buckets but the last one, as the levels of a binary search: one, then two, then four,
    /// each level from a multiple of [`BUCKET`], filled up with infinity.
    pub(super) levels: Vec<[f32; BUCKET]>,
    /// The thresholds, bucket after bucket, filled up with infinity, which no number is above.
    pub(super) buckets: Vec<[f32; BUCKET]>,
    sorted: Vec<f32>,
}

impl Bins {
    /// At most [`MAX_THRESHOLDS`] thresholds, ascending, all different, none of them NaN.
    pub(super) fn new(feature: usize, thresholds: Vec<f32>) -> Self {
        let steps = (thresholds.len() / BUCKET + 1).next_power_of_two().ilog2() as usize;
        let at = |position: usize| thresholds.get(position).copied().unwrap_or(f32::INFINITY);
        let buckets: Vec<[f32; BUCKET]> =
            (0..1 << steps).map(|bucket| std::array::from_fn(|slot| at(bucket * BUCKET + slot))).collect();
        let mut levels = Vec::new();
        for step in 0..steps {
            // The middles of the ranges that are left after `step` steps.
            let span = 1 << (steps - step);
            let middles: Vec<f32> =
                (0..1usize << step).map(|range| buckets[range * span + span / 2 - 1][BUCKET - 1]).collect();
            for part in middles.chunks(BUCKET) {
                levels.push(std::array::from_fn(|slot| part.get(slot).copied().unwrap_or(f32::INFINITY)));
            }
        }
        Self { feature, steps, levels, buckets, sorted: thresholds }
    }

    /// Bins from 0 that lie at or below the threshold, which must be one of this feature's.
    pub(super) fn bins_up_to(&self, threshold: f32) -> u8 {
        // At most 255 thresholds, so that the count fits.
        (self.sorted.partition_point(|&other| other < threshold) + 1) as u8
    }
}
