//! One row at a time, sixteen trees in step: for batches too small to fill [`super::walk`]'s lanes with rows.

use super::forest::{Forest, LANES, Tree};
use super::rows::Rows;

/// Steps between two looks at whether the row has arrived in all trees.
const STRIDE: usize = 3;

/// As [`super::walk::sums`], with the same bits.
pub(super) fn sums(forest: &Forest, rows: &Rows, out: &mut Vec<f32>) {
    out.clear();
    out.resize(rows.stride * forest.sums, 0.0);
    match rows.width {
        8 => each::<8>(forest, rows, out),
        16 => each::<16>(forest, rows, out),
        32 => each::<32>(forest, rows, out),
        64 => each::<64>(forest, rows, out),
        128 => each::<128>(forest, rows, out),
        _ => each::<256>(forest, rows, out),
    }
}

fn each<const W: usize>(forest: &Forest, rows: &Rows, out: &mut [f32]) {
    for (row, values) in rows.wide.as_chunks::<W>().0.iter().take(rows.rows).enumerate() {
        for trees in forest.trees.chunks(LANES) {
            let leaves = walk(forest, trees, values);
            // In the order of the trees, whichever was done first.
            for &leaf in &leaves[..trees.len()] {
                for (sum, value) in forest.leaves.of(leaf) {
                    out[sum * rows.stride + row] += value;
                }
            }
        }
    }
}

/// The row's leaf in each of the trees: its position in the forest.
fn walk<const W: usize>(forest: &Forest, trees: &[Tree], row: &[f32; W]) -> [usize; LANES] {
    let mut starts = [trees.first().map_or(0, |tree| tree.start); LANES];
    let mut depth = 0;
    for (start, tree) in starts.iter_mut().zip(trees) {
        *start = tree.start;
        depth = depth.max(tree.depth);
    }
    let nodes = forest.nodes.as_slice();
    let mut at = starts;
    let mut walked = 0;
    while walked < depth {
        for _ in 0..STRIDE {
            for (at, start) in at.iter_mut().zip(&starts) {
                let Some(node) = nodes.get(*at) else { continue };
                let value = row[usize::from(node.feature) & (W - 1)];
                let left = (value <= node.threshold) | (node.nan_left & value.is_nan());
                *at = start + usize::from(node.left) + usize::from(!left);
            }
        }
        walked += STRIDE;
        let arrived =
            |(&at, start): (&usize, &usize)| nodes.get(at).is_none_or(|node| start + usize::from(node.left) == at);
        if at.iter().zip(&starts).all(arrived) {
            break;
        }
    }
    at
}
