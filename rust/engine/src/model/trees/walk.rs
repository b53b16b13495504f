//! Walks rows down the trees and adds what their leaves hold.
//!
//! Sixteen rows go down a tree together, one step each in turn, without a branch that depends on a row: the processor
//! has sixteen loads under way instead of guessing sixteen turns. A block of rows that fits the first-level cache meets
//! all trees before the next block. Sums are floats, added tree by tree in file order from zero, which is what ONNX
//! Runtime does with one thread; so the bits are the same (`tree_ensemble_common.h` of its CPU provider, sections A, C,
//! A2 and C2). Known from: Asadi, Lin, de Vries, "Runtime Optimizations for Tree-based Machine Learning Models" (2014),
//! whose VPred walks rows in step over trees in flat arrays.

use super::forest::{CLASSES, Forest, LANES, Leaves, Node, Tree};

/// Floats per block: 16 KiB, which leaves room for a tree's nodes in the first-level cache.
const BLOCK_FLOATS: usize = 4096;
/// Steps between two looks at whether all rows have arrived.
const STRIDE: usize = 3;
/// Widths that rows are padded to, ascending; the last is [`super::forest::MAX_FEATURES`].
const WIDTHS: [usize; 6] = [8, 16, 32, 64, 128, 256];

/// Rows of floats for the walk, padded to a width of [`WIDTHS`] and to whole groups of [`LANES`] rows.
#[derive(Debug, Default)]
pub(in crate::model) struct Rows {
    values: Vec<f32>,
    rows: usize,
    width: usize,
}

impl Rows {
    /// Room for `rows` rows of `features` floats: the slots, and the distance from one row to the next. Slots that are
    /// not written keep numbers of earlier rows, which no node of the forest looks at.
    ///
    /// `None` for more features than the kernel takes.
    pub(in crate::model) fn reset(&mut self, rows: usize, features: usize) -> Option<(&mut [f32], usize)> {
        self.width = WIDTHS.into_iter().find(|&width| features <= width)?;
        self.rows = rows;
        let used = rows * self.width;
        self.values.resize(rows.next_multiple_of(LANES) * self.width, 0.0);
        self.values[used..].fill(0.0);
        Some((&mut self.values[..used], self.width))
    }
}

/// The sums of every row, row after row, in `out`. Rows must be as wide as [`Forest::features`] asks.
pub(super) fn sums(forest: &Forest, rows: &Rows, out: &mut Vec<f32>) {
    out.clear();
    out.resize(rows.rows.next_multiple_of(LANES) * forest.sums, 0.0);
    match rows.width {
        8 => blocks::<8>(forest, &rows.values, out),
        16 => blocks::<16>(forest, &rows.values, out),
        32 => blocks::<32>(forest, &rows.values, out),
        64 => blocks::<64>(forest, &rows.values, out),
        128 => blocks::<128>(forest, &rows.values, out),
        _ => blocks::<256>(forest, &rows.values, out),
    }
    out.truncate(rows.rows * forest.sums);
}

fn blocks<const W: usize>(forest: &Forest, values: &[f32], out: &mut [f32]) {
    let (rows, _) = values.as_chunks::<W>();
    let (groups, _) = rows.as_chunks::<LANES>();
    let per_block = (BLOCK_FLOATS / W / LANES).max(1);
    for (block, sums) in groups.chunks(per_block).zip(out.chunks_mut(per_block * LANES * forest.sums)) {
        // A leaf's threshold stops every number, but no NaN: rows with one take the longer way.
        let nan = block.as_flattened().as_flattened().iter().any(|value| value.is_nan());
        for tree in &forest.trees {
            match (tree.class, nan) {
                (0, false) => add::<{ CLASSES[0] }, W, false>(forest, tree, block, sums),
                (1, false) => add::<{ CLASSES[1] }, W, false>(forest, tree, block, sums),
                (2, false) => add::<{ CLASSES[2] }, W, false>(forest, tree, block, sums),
                (3, false) => add::<{ CLASSES[3] }, W, false>(forest, tree, block, sums),
                (_, false) => add::<{ CLASSES[4] }, W, false>(forest, tree, block, sums),
                (0, true) => add::<{ CLASSES[0] }, W, true>(forest, tree, block, sums),
                (1, true) => add::<{ CLASSES[1] }, W, true>(forest, tree, block, sums),
                (2, true) => add::<{ CLASSES[2] }, W, true>(forest, tree, block, sums),
                (3, true) => add::<{ CLASSES[3] }, W, true>(forest, tree, block, sums),
                (_, true) => add::<{ CLASSES[4] }, W, true>(forest, tree, block, sums),
            }
        }
    }
}

/// Adds one tree's values for a block of rows.
fn add<const N: usize, const W: usize, const NAN: bool>(
    forest: &Forest,
    tree: &Tree,
    block: &[[[f32; W]; LANES]],
    sums: &mut [f32],
) {
    let window = tree.start..tree.start + N;
    let Some(Ok(nodes)) = forest.nodes.get(window.clone()).map(<&[Node; N]>::try_from) else { return };
    match &forest.leaves {
        Leaves::One(values) => {
            let Some(Ok(values)) = values.get(window).map(<&[f32; N]>::try_from) else { return };
            for (group, sums) in block.iter().zip(sums.as_chunks_mut::<LANES>().0) {
                let leaves = walk::<N, W, NAN>(nodes, tree.depth, group);
                for (sum, leaf) in sums.iter_mut().zip(leaves) {
                    *sum += values[leaf as usize & (N - 1)];
                }
            }
        }
        Leaves::Many { starts, entries } => {
            for (group, sums) in block.iter().zip(sums.chunks_mut(LANES * forest.sums)) {
                let leaves = walk::<N, W, NAN>(nodes, tree.depth, group);
                for (sums, leaf) in sums.chunks_mut(forest.sums).zip(leaves) {
                    let node = tree.start + leaf as usize;
                    for &(sum, value) in &entries[starts[node] as usize..starts[node + 1] as usize] {
                        sums[sum as usize] += value;
                    }
                }
            }
        }
    }
}

/// The leaf of each row: its position in the tree. `N` and `W` are powers of two, so that a mask stands in for a bounds
/// check that would never fire.
#[inline]
fn walk<const N: usize, const W: usize, const NAN: bool>(
    nodes: &[Node; N],
    depth: usize,
    rows: &[[f32; W]; LANES],
) -> [u32; LANES] {
    let mut at = [0u32; LANES];
    let mut walked = 0;
    while walked < depth {
        for _ in 0..STRIDE {
            for (at, row) in at.iter_mut().zip(rows) {
                let node = nodes[*at as usize & (N - 1)];
                let value = row[usize::from(node.feature) & (W - 1)];
                // A NaN goes right unless the node says otherwise.
                let left = (value <= node.threshold) | (NAN && node.nan_left && value.is_nan());
                *at = u32::from(node.left) + u32::from(!left);
            }
        }
        walked += STRIDE;
        let moving = at.iter().fold(0, |moving, &at| moving | (u32::from(nodes[at as usize & (N - 1)].left) ^ at));
        if moving == 0 {
            break;
        }
    }
    at
}
