//! Trees as lists of comparisons: no walking, no turns to guess, the same time for every row.
//!
//! Number a tree's leaves from first to last, a bit for each. A comparison that sends a row to a node's second child
//! takes away the leaves of the first one; after all comparisons of the tree, in any order, the first leaf that is left is
//! the row's (Lucchese and others, "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression
//! trees", 2015). Here eight leaves are a plane of one byte per row, so that one instruction does a comparison for 32 rows
//! (Ye, Zhou, Zou, Gao, Zhang, "RapidScorer", 2018, has bytes and ranks too), a plane stays in registers until it is done,
//! and the first child is the smaller one, which makes the lists short. This module builds
//! the lists; [`super::avx2`] runs them.

use std::collections::{BTreeMap, HashMap};

use super::bins::{Bins, MAX_THRESHOLDS};
use super::forest::{Forest, Leaves, Tree};

/// Most leaves of a tree: a leaf's number is a byte, and walking is as fast for larger trees.
const MAX_LEAVES: usize = 256;
/// Leaves of a plane.
pub(super) const PLANE: usize = 8;

/// One comparison on one plane. The numbers stand four times, as the processor spreads four bytes over a register most
/// easily.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch {
    /// A row whose bin in the column is below this goes to the first child. Counted from −128.
    pub(super) limit: [u8; 4],
    /// The plane's leaves that stay when a row goes to the second child.
    pub(super) keep: [u8; 4],
    /// Position in [`Part::columns`].
    pub(super) column: u32,
}

/// Bins as the comparisons want them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// Position in [`Part::bins`].
    pub(super) bins: usize,
    /// Whether NaN is above all thresholds; else below.
    pub(super) nan_above: bool,
    /// Whether the order is turned round: for nodes whose right child comes first.
    pub(super) turned: bool,
}

/// One tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    /// Planes: a power of two up to eight, then any number.
    pub(super) planes: usize,
    /// Sums to which it adds: a range of [`Part::adds`].
    pub(super) adds: (usize, usize),
}

/// Consecutive trees that share bins.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) bins: Vec<Bins>,
    pub(super) columns: Vec<Column>,
    pub(super) trees: Vec<Listed>,
    /// For each plane of each tree, how many comparisons touch it.
    pub(super) counts: Vec<u32>,
    /// The comparisons, plane after plane.
    pub(super) touches: Vec<Touch>,
    /// For each tree and sum it adds to: the sum, and where the values of its leaves start in `values`.
    pub(super) adds: Vec<(usize, usize)>,
    /// Values of leaves, [`PLANE`] for each plane.
    pub(super) values: Vec<[f32; PLANE]>,
}

/// A forest as lists.
#[derive(Debug)]
pub(super) struct Planes {
    pub(super) parts: Vec<Part>,
}

impl Planes {
    /// `None` for a forest that has a large tree, leaves that are not alike, or thresholds that are odd.
    pub(super) fn new(forest: &Forest) -> Option<Self> {
        let drafts = forest.trees.iter().map(|tree| Draft::new(forest, tree)).collect::<Option<Vec<_>>>()?;
        let mut parts = Vec::new();
        let mut done = 0;
        while done < drafts.len() {
            let (bins, trees) = share(&drafts[done..])?;
            let mut part = Part { bins, ..Part::default() };
            for (tree, draft) in drafts.iter().enumerate().skip(done).take(trees) {
                part.add(forest, tree, draft)?;
            }
            parts.push(part);
            done += trees;
        }
        Some(Self { parts })
    }
}

/// The bins of as many of the trees as can share them, and how many trees these are; `None` if not even one can.
fn share(drafts: &[Draft]) -> Option<(Vec<Bins>, usize)> {
    let mut thresholds: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
    let mut trees = 0;
    for draft in drafts {
        let mut more: BTreeMap<usize, Vec<f32>> = BTreeMap::new();
        for split in &draft.splits {
            let known = || thresholds.get(&split.feature).cloned().unwrap_or_default();
            more.entry(split.feature).or_insert_with(known).push(split.threshold);
        }
        for of_feature in more.values_mut() {
            of_feature.sort_by(f32::total_cmp);
            of_feature.dedup();
        }
        if more.values().any(|of_feature| of_feature.len() > MAX_THRESHOLDS) {
            break;
        }
        thresholds.extend(more);
        trees += 1;
    }
    let bins = thresholds.into_iter().map(|(feature, sorted)| Bins::new(feature, sorted)).collect();
    (trees > 0).then_some((bins, trees))
}

/// What has to be known of an inner node.
struct Split {
    feature: usize,
    threshold: f32,
    nan_left: bool,
    /// Whether the left child comes first.
    left_first: bool,
    /// Leaves of the first child: from, to.
    first: (usize, usize),
}

/// One tree before it is listed.
struct Draft {
    splits: Vec<Split>,
    /// Positions in the tree of the leaves, first to last.
    leaves: Vec<usize>,
}

impl Draft {
    fn new(forest: &Forest, tree: &Tree) -> Option<Self> {
        let children = |at: usize| {
            let left = usize::from(forest.nodes[tree.start + at].left);
            (left != at).then_some((left, left + 1))
        };
        // Leaves below each node. Children stand behind their parents, so the last node goes first.
        let mut below = vec![1usize; tree.nodes];
        for at in (0..tree.nodes).rev() {
            if let Some((left, right)) = children(at) {
                below[at] = below[left] + below[right];
            }
        }
        if below[0] > MAX_LEAVES {
            return None;
        }
        let mut draft = Self { splits: Vec::new(), leaves: Vec::new() };
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let Some((left, right)) = children(at) else {
                draft.leaves.push(at);
                continue;
            };
            let node = forest.nodes[tree.start + at];
            if node.threshold.is_nan() {
                return None;
            }
            let left_first = below[left] <= below[right];
            let (first, second) = if left_first { (left, right) } else { (right, left) };
            let from = draft.leaves.len();
            draft.splits.push(Split {
                feature: usize::from(node.feature),
                threshold: node.threshold,
                nan_left: node.nan_left,
                left_first,
                first: (from, from + below[first]),
            });
            open.extend([second, first]);
        }
        Some(draft)
    }
}

impl Part {
    fn add(&mut self, forest: &Forest, tree: usize, draft: &Draft) -> Option<()> {
        let needed = draft.leaves.len().div_ceil(PLANE);
        let planes = if needed <= 8 { needed.next_power_of_two() } else { needed };
        let mut by_plane: Vec<Vec<Touch>> = vec![Vec::new(); planes];
        for split in &draft.splits {
            let bins = self.bins.iter().position(|bins| bins.feature == split.feature)?;
            let below = self.bins[bins].bins_up_to(split.threshold);
            // Turned round, bin b is 255 − b, and "at least `below`" is "less than 256 − `below`".
            let limit = if split.left_first { below } else { below.wrapping_neg() };
            let column = self.column(Column { bins, nan_above: !split.nan_left, turned: !split.left_first });
            let (from, to) = split.first;
            for (plane, touches) in by_plane.iter_mut().enumerate().take(to.div_ceil(PLANE)).skip(from / PLANE) {
                let gone = (from.max(plane * PLANE)..to.min((plane + 1) * PLANE))
                    .fold(0u8, |gone, leaf| gone | 1 << (leaf % PLANE));
                touches.push(Touch { limit: [limit ^ 0x80; 4], keep: [!gone; 4], column });
            }
        }
        let from = self.adds.len();
        for (sum, values) in leaf_values(forest, forest.trees[tree].start, &draft.leaves)? {
            self.adds.push((sum, self.values.len()));
            let slot = |leaf: usize| values.get(leaf).copied().unwrap_or(0.0);
            self.values.extend((0..planes).map(|plane| std::array::from_fn(|leaf| slot(plane * PLANE + leaf))));
        }
        self.trees.push(Listed { planes, adds: (from, self.adds.len()) });
        for touches in by_plane {
            self.counts.push(touches.len() as u32);
            self.touches.extend(touches);
        }
        Some(())
    }

    fn column(&mut self, wanted: Column) -> u32 {
        let at = self.columns.iter().position(|&column| column == wanted).unwrap_or_else(|| {
            self.columns.push(wanted);
            self.columns.len() - 1
        });
        at as u32
    }
}

/// The values of a tree's leaves for each sum that it adds to. `None` if its leaves don't all add once to the same sums.
fn leaf_values(forest: &Forest, start: usize, leaves: &[usize]) -> Option<Vec<(usize, Vec<f32>)>> {
    if let Leaves::One(values) = &forest.leaves {
        return Some(vec![(0, leaves.iter().map(|&leaf| values[start + leaf]).collect())]);
    }
    let mut all: HashMap<usize, Vec<f32>> = HashMap::new();
    for (before, &leaf) in leaves.iter().enumerate() {
        for (sum, value) in forest.leaves.of(start + leaf) {
            let values = all.entry(sum).or_default();
            values.push(value);
            if values.len() != before + 1 {
                return None;
            }
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(sum, _)| *sum);
    all.iter().all(|(_, values)| values.len() == leaves.len()).then_some(all)
}
