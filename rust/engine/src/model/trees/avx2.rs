//! Runs [`super::planes`] with AVX2: 32 rows to a register, up to 128 rows at a time.
//!
//! Everything here is plain integer work on ranks, but the sums: they are added tree after tree, as ONNX Runtime adds
//! them.

use std::arch::x86_64::{
    __m256, __m256i, _CMP_GT_OQ, _CMP_UNORD_Q, _mm_loadl_epi64, _mm256_add_epi32, _mm256_add_ps, _mm256_adds_epu8,
    _mm256_and_si256, _mm256_blendv_ps, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cmpgt_epi8,
    _mm256_cvtepu8_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_ps, _mm256_or_si256,
    _mm256_permutevar8x32_ps, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi16, _mm256_storeu_ps,
    _mm256_storeu_si256, _mm256_sub_epi32, _mm256_xor_si256,
};

use super::bins::{BUCKET, Bins};
use super::planes::{PLANE, Part, Planes, Touch};
use super::rows::{BLOCK, Rows};

/// Rows to a register of bytes.
const REGISTER: usize = 32;
/// Most registers of rows that are worked on together.
const MOST: usize = BLOCK / REGISTER;

/// Whether this processor has what [`sums`] needs.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt")
}

/// Room that is used again from call to call.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Bins of the features with NaN below all, then with NaN above.
    bins: Vec<[u8; REGISTER]>,
    columns: Vec<[u8; REGISTER]>,
}

/// Adds up the sums of every row: a sum's numbers every [`Rows::stride`] floats of `out`, `sums` of them. The rows must be
/// there feature after feature.
///
/// Gives zeros on a processor that is not [`available`].
pub(super) fn sums(planes: &Planes, sums: usize, rows: &Rows, scratch: &mut Scratch, out: &mut Vec<f32>) {
    out.clear();
    out.resize(sums * rows.stride, 0.0);
    if available() {
        // SAFETY: the processor has the features that the function is compiled for.
        unsafe { blocks(planes, rows, scratch, out) }
    }
}

#[target_feature(enable = "avx2,popcnt")]
fn blocks(planes: &Planes, rows: &Rows, scratch: &mut Scratch, out: &mut [f32]) {
    let mut start = 0;
    while start < rows.rows {
        start += match rows.rows - start {
            0..=32 => block::<1>(planes, rows, start, scratch, out),
            33..=64 => block::<2>(planes, rows, start, scratch, out),
            _ => block::<MOST>(planes, rows, start, scratch, out),
        };
    }
}

/// Adds for the `V` registers of rows from `start`; gives how many rows that were.
#[target_feature(enable = "avx2,popcnt")]
fn block<const V: usize>(planes: &Planes, rows: &Rows, start: usize, scratch: &mut Scratch, out: &mut [f32]) -> usize {
    let count = V * REGISTER;
    for part in &planes.parts {
        columns::<V>(part, rows, start, scratch);
        let (columns, _) = scratch.columns.as_chunks::<V>();
        let mut touches = part.touches.as_slice();
        let mut counts = part.counts.as_slice();
        for tree in &part.trees {
            let Some((own, others)) = counts.split_at_checked(tree.planes) else { return count };
            counts = others;
            let leaves = leaves::<V>(own, &mut touches, columns);
            for &(sum, at) in &part.adds[tree.adds.0..tree.adds.1] {
                let sums = &mut out[sum * rows.stride + start..][..count];
                let values = &part.values[at..at + tree.planes];
                match tree.planes {
                    1 => add::<1>(&leaves, values, sums),
                    2 => add::<2>(&leaves, values, sums),
                    4 => add::<4>(&leaves, values, sums),
                    8 => add::<8>(&leaves, values, sums),
                    _ => add_many(&leaves, values, sums),
                }
            }
        }
    }
    count
}

/// The leaf of each row.
#[target_feature(enable = "avx2")]
#[inline]
fn leaves<const V: usize>(
    counts: &[u32],
    touches: &mut &[Touch],
    columns: &[[[u8; REGISTER]; V]],
) -> [[u8; REGISTER]; V] {
    let low_nibble = _mm256_set1_epi8(0x0f);
    // The lowest bit that is set in four bits; 255 for none.
    let low = _mm256_setr_epi8(
        -1, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0, -1, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0,
    );
    let high = _mm256_adds_epu8(low, _mm256_set1_epi8(4));
    let mut found = [_mm256_set1_epi8(-1); V];
    let mut first = _mm256_setzero_si256();
    for &count in counts {
        let Some((own, others)) = touches.split_at_checked(count as usize) else { break };
        *touches = others;
        let mut left = [_mm256_set1_epi8(-1); V];
        for touch in own {
            let limit = _mm256_set1_epi32(i32::from_ne_bytes(touch.limit));
            let keep = _mm256_set1_epi32(i32::from_ne_bytes(touch.keep));
            let Some(column) = columns.get(touch.column as usize) else { break };
            for (left, bins) in left.iter_mut().zip(column) {
                let stays = _mm256_or_si256(_mm256_cmpgt_epi8(limit, load(bins)), keep);
                *left = _mm256_and_si256(*left, stays);
            }
        }
        let (low, high) = (_mm256_adds_epu8(low, first), _mm256_adds_epu8(high, first));
        for (found, left) in found.iter_mut().zip(left) {
            let in_low = _mm256_shuffle_epi8(low, _mm256_and_si256(left, low_nibble));
            let in_high = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(left, 4), low_nibble));
            *found = _mm256_min_epu8(*found, _mm256_min_epu8(in_low, in_high));
        }
        first = _mm256_adds_epu8(first, _mm256_set1_epi8(PLANE as i8));
    }
    found.map(|found| {
        let mut bytes = [0; REGISTER];
        store(&mut bytes, found);
        bytes
    })
}

/// Adds the values of the rows' leaves, `P` (1, 2, 4 or 8) planes of them.
#[target_feature(enable = "avx2")]
#[inline]
fn add<const P: usize>(leaves: &[[u8; REGISTER]], values: &[[f32; PLANE]], sums: &mut [f32]) {
    let Some((values, _)) = values.split_first_chunk::<P>() else { return };
    let values = values.map(|values| load_floats(&values));
    let (groups, _) = leaves.as_flattened().as_chunks::<8>();
    let (sums, _) = sums.as_chunks_mut::<8>();
    for (leaves, sums) in groups.iter().zip(sums) {
        let leaf = eight(leaves);
        // One value of each plane, and then the right plane, chosen bit by bit.
        let mut found = values.map(|values| _mm256_permutevar8x32_ps(values, leaf));
        let (mut left, mut bit) = (P, _mm256_castsi256_ps(_mm256_slli_epi32(leaf, 28)));
        if left > 1 {
            halve(&mut found, &mut left, bit);
        }
        if left > 1 {
            bit = _mm256_castsi256_ps(_mm256_slli_epi32(leaf, 27));
            halve(&mut found, &mut left, bit);
        }
        if left > 1 {
            bit = _mm256_castsi256_ps(_mm256_slli_epi32(leaf, 26));
            halve(&mut found, &mut left, bit);
        }
        let sum = _mm256_add_ps(load_floats(sums), found[0]);
        store_floats(sums, sum);
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn halve<const P: usize>(found: &mut [__m256; P], left: &mut usize, bit: __m256) {
    *left /= 2;
    for i in 0..*left {
        found[i] = _mm256_blendv_ps(found[2 * i], found[2 * i + 1], bit);
    }
}

/// Adds the values of the rows' leaves, any number of planes.
fn add_many(leaves: &[[u8; REGISTER]], values: &[[f32; PLANE]], sums: &mut [f32]) {
    let values = values.as_flattened();
    for (&leaf, sum) in leaves.as_flattened().iter().zip(sums) {
        *sum += values.get(usize::from(leaf)).copied().unwrap_or(0.0);
    }
}

/// Fills the columns of a part for the rows from `start`.
#[target_feature(enable = "avx2,popcnt")]
fn columns<const V: usize>(part: &Part, rows: &Rows, start: usize, scratch: &mut Scratch) {
    scratch.bins.resize(part.bins.len() * 2 * V, [0; REGISTER]);
    scratch.columns.resize(part.columns.len() * V, [0; REGISTER]);
    for (bins, out) in part.bins.iter().zip(scratch.bins.chunks_mut(2 * V)) {
        let (below, above) = out.split_at_mut(V);
        let values = &rows.tall[bins.feature * rows.stride + start..][..V * REGISTER];
        if search(bins, values, below.as_flattened_mut()) {
            for ((&below, above), value) in below.as_flattened().iter().zip(above.as_flattened_mut()).zip(values) {
                *above = if value.is_nan() { 0xff } else { below };
            }
        } else {
            above.copy_from_slice(below);
        }
    }
    for (column, out) in part.columns.iter().zip(scratch.columns.chunks_mut(V)) {
        let at = (2 * column.bins + usize::from(column.nan_above)) * V;
        // From −128, as the processor compares signed bytes.
        let turn = _mm256_set1_epi8(if column.turned { 0x7f } else { -128 });
        for (bins, out) in scratch.bins[at..at + V].iter().zip(out) {
            store(out, _mm256_xor_si256(load(bins), turn));
        }
    }
}

/// The bin of each value, NaN below all; gives whether there is a NaN.
#[target_feature(enable = "avx2,popcnt")]
fn search(bins: &Bins, values: &[f32], out: &mut [u8]) -> bool {
    let mut nan = 0;
    let (values, _) = values.as_chunks::<8>();
    let (out, _) = out.as_chunks_mut::<8>();
    for (values, out) in values.iter().zip(out) {
        let value = load_floats(values);
        nan |= _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(value, value));
        // First the bucket, all eight rows together.
        let mut bucket = _mm256_setzero_si256();
        for step in 0..bins.steps {
            let middle = if step < 4 {
                _mm256_permutevar8x32_ps(load_floats(&bins.levels[step]), bucket)
            } else {
                let upper = _mm256_castsi256_ps(_mm256_slli_epi32(bucket, 28));
                _mm256_blendv_ps(
                    _mm256_permutevar8x32_ps(load_floats(&bins.levels[4]), bucket),
                    _mm256_permutevar8x32_ps(load_floats(&bins.levels[5]), bucket),
                    upper,
                )
            };
            let beyond = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(value, middle));
            bucket = _mm256_sub_epi32(_mm256_add_epi32(bucket, bucket), beyond);
        }
        let mut found = [0u32; 8];
        store_numbers(&mut found, bucket);
        // Then the place in the bucket, row by row.
        for ((&value, bucket), out) in values.iter().zip(found).zip(out) {
            let Some(thresholds) = bins.buckets.get(bucket as usize) else { continue };
            let beyond = _mm256_cmp_ps::<_CMP_GT_OQ>(_mm256_set1_ps(value), load_floats(thresholds));
            *out = (bucket as usize * BUCKET) as u8 + _mm256_movemask_ps(beyond).count_ones() as u8;
        }
    }
    nan != 0
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8; REGISTER]) -> __m256i {
    // SAFETY: 32 bytes may be read there, and the instruction wants no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(bytes: &mut [u8; REGISTER], value: __m256i) {
    // SAFETY: 32 bytes may be written there, and the instruction wants no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store_numbers(numbers: &mut [u32; 8], value: __m256i) {
    // SAFETY: 32 bytes may be written there, and the instruction wants no alignment.
    unsafe { _mm256_storeu_si256(numbers.as_mut_ptr().cast(), value) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_floats(floats: &[f32; 8]) -> __m256 {
    // SAFETY: eight floats may be read there, and the instruction wants no alignment.
    unsafe { _mm256_loadu_ps(floats.as_ptr()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store_floats(floats: &mut [f32; 8], value: __m256) {
    // SAFETY: eight floats may be written there, and the instruction wants no alignment.
    unsafe { _mm256_storeu_ps(floats.as_mut_ptr(), value) }
}

/// Eight bytes as eight numbers.
#[target_feature(enable = "avx2")]
#[inline]
fn eight(bytes: &[u8; 8]) -> __m256i {
    // SAFETY: eight bytes may be read there, and the instruction wants no alignment.
    _mm256_cvtepu8_epi32(unsafe { _mm_loadl_epi64(bytes.as_ptr().cast()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_is_the_number_of_thresholds_below() {
        if !available() {
            return;
        }
        for count in [0, 1, 2, 7, 8, 9, 15, 16, 63, 64, 65, 127, 128, 200, 254, 255] {
            let middle = |i: usize| (i as f32 - 100.0) * 0.37;
            let mut thresholds: Vec<f32> = (0..count).map(middle).collect();
            if count > 2 {
                thresholds[0] = f32::NEG_INFINITY;
                thresholds[count - 1] = f32::INFINITY;
            }
            let mut values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MIN, f32::MAX];
            values.extend(thresholds.iter().flat_map(|&value| [value, value.next_up(), value.next_down()]));
            values.resize(values.len().next_multiple_of(8), 1.0);
            let bins = Bins::new(0, thresholds.clone());
            let mut found = vec![0; values.len()];
            // SAFETY: the processor has the features that the function is compiled for.
            assert!(unsafe { search(&bins, &values, &mut found) }, "the first value is NaN");
            for (value, found) in values.iter().zip(found) {
                let expected = thresholds.iter().filter(|&threshold| value > threshold).count();
                assert_eq!(usize::from(found), expected, "{value} among {count} thresholds");
            }
        }
    }
}
