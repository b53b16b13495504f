//! Walks rows down the trees and adds what their leaves hold.
//!
//! Sixteen rows go down a tree together, one step each in turn, without a branch that depends on a row: the processor
//! has sixteen loads under way instead of guessing sixteen turns. A block of rows that fits the first-level cache meets
//! all trees before the next block. Sums are floats, added tree by tree in file order from zero, which is what ONNX
//! Runtime does with one thread; so the bits are the same (`tree_ensemble_common.h` of its CPU provider, sections A, C,
//! A2 and C2). Known from: Asadi, Lin, de Vries, "Runtime Optimizations for Tree-based Machine Learning Models" (2014),
//! whose VPred walks rows in step over trees in flat arrays. Gathering instructions were tried before and left: on the
//! processors at hand eight loads are as fast.

use super::forest::{CLASSES, Forest, LANES, Leaves, Node, Tree};
use super::rows::Rows;

/// Floats per block: 16 KiB, which leaves room for a tree's nodes in the first-level cache.
const BLOCK_FLOATS: usize = 4096;
/// Floats per block where the forest is larger than the second-level cache and comes from further away for each block.
const LARGE_BLOCK_FLOATS: usize = 16384;
/// Nodes of a forest that is that large: 512 KiB.
const LARGE_FOREST: usize = 65536;
/// Steps between two looks at whether all rows have arrived.
const STRIDE: usize = 3;

/// Adds up the sums of every row: a sum's numbers every [`Rows::stride`] floats of `out`. Rows must be as wide as
/// [`Forest::features`] asks.
pub(super) fn sums(forest: &Forest, rows: &Rows, out: &mut Vec<f32>) {
    out.clear();
    out.resize(rows.stride * forest.sums, 0.0);
    let padded = rows.rows.next_multiple_of(LANES);
    let floats = if forest.nodes.len() > LARGE_FOREST { LARGE_BLOCK_FLOATS } else { BLOCK_FLOATS };
    let per_block = (floats / rows.width).max(LANES);
    for start in (0..padded).step_by(per_block) {
        let block = Block::new(rows, start, per_block.min(padded - start));
        for tree in &forest.trees {
            match rows.width {
                8 => block.add::<8>(forest, tree, out),
                16 => block.add::<16>(forest, tree, out),
                32 => block.add::<32>(forest, tree, out),
                64 => block.add::<64>(forest, tree, out),
                128 => block.add::<128>(forest, tree, out),
                _ => block.add::<256>(forest, tree, out),
            }
        }
    }
}

/// Some rows that meet a tree together.
#[derive(Debug, Clone, Copy)]
struct Block<'r> {
    rows: &'r [f32],
    /// Position of the first row, and floats from one sum to the next.
    start: usize,
    stride: usize,
    /// Whether a number is NaN. A leaf's threshold stops every number, but no NaN: such rows take the longer way.
    nan: bool,
}

impl<'r> Block<'r> {
    /// `count` rows, a multiple of [`LANES`].
    fn new(rows: &'r Rows, start: usize, count: usize) -> Self {
        let end = rows.wide.len().min((start + count) * rows.width);
        let slots = &rows.wide[start * rows.width..end];
        let nan = slots.iter().any(|value| value.is_nan());
        Self { rows: slots, start, stride: rows.stride, nan }
    }

    /// Adds one tree's values.
    fn add<const W: usize>(&self, forest: &Forest, tree: &Tree, sums: &mut [f32]) {
        match (tree.class, self.nan) {
            (0, false) => self.add_sized::<{ CLASSES[0] }, W, false>(forest, tree, sums),
            (1, false) => self.add_sized::<{ CLASSES[1] }, W, false>(forest, tree, sums),
            (2, false) => self.add_sized::<{ CLASSES[2] }, W, false>(forest, tree, sums),
            (3, false) => self.add_sized::<{ CLASSES[3] }, W, false>(forest, tree, sums),
            (_, false) => self.add_sized::<{ CLASSES[4] }, W, false>(forest, tree, sums),
            (0, true) => self.add_sized::<{ CLASSES[0] }, W, true>(forest, tree, sums),
            (1, true) => self.add_sized::<{ CLASSES[1] }, W, true>(forest, tree, sums),
            (2, true) => self.add_sized::<{ CLASSES[2] }, W, true>(forest, tree, sums),
            (3, true) => self.add_sized::<{ CLASSES[3] }, W, true>(forest, tree, sums),
            (_, true) => self.add_sized::<{ CLASSES[4] }, W, true>(forest, tree, sums),
        }
    }

    fn add_sized<const N: usize, const W: usize, const NAN: bool>(
        &self,
        forest: &Forest,
        tree: &Tree,
        sums: &mut [f32],
    ) {
        let window = tree.start..tree.start + N;
        let Some(Ok(nodes)) = forest.nodes.get(window.clone()).map(<&[Node; N]>::try_from) else { return };
        let groups = self.rows.as_chunks::<W>().0.as_chunks::<LANES>().0;
        match &forest.leaves {
            Leaves::One(values) => {
                let Some(Ok(values)) = values.get(window).map(<&[f32; N]>::try_from) else { return };
                let sums = sums[self.start..].as_chunks_mut::<LANES>().0;
                for (group, sums) in groups.iter().zip(sums) {
                    let leaves = walk::<N, W, NAN>(nodes, tree.depth, group);
                    for (sum, leaf) in sums.iter_mut().zip(leaves) {
                        *sum += values[leaf as usize & (N - 1)];
                    }
                }
            }
            Leaves::Many { .. } => {
                for (at, group) in groups.iter().enumerate() {
                    let leaves = walk::<N, W, NAN>(nodes, tree.depth, group);
                    for (lane, leaf) in leaves.into_iter().enumerate() {
                        let row = self.start + at * LANES + lane;
                        for (sum, value) in forest.leaves.of(tree.start + leaf as usize) {
                            sums[sum * self.stride + row] += value;
                        }
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
