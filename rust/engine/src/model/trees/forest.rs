//! The trees of an ensemble as flat arrays.
//!
//! A tree's nodes lie breadth first, the two children of a node side by side, so a node keeps one position and a step
//! is `left + (value is greater)`. A leaf leads to itself: walking on from it stays there, so rows that reach a leaf
//! at different depths can walk in step. Trees follow each other without gaps, in the order in which their values are
//! added. Every comparison that ONNX has for ordered numbers becomes "at most the threshold": `x < t` is `x <= (the
//! float below t)`, two swap the children, and "equal to" asks a column that holds the answer ([`super::prepare`]).

use std::collections::HashMap;

use super::attributes::Attributes;
use super::prepare::Equality;

/// Rows that walk in step. Sixteen independent chains hide the latency of two dependent loads.
pub(super) const LANES: usize = 16;

/// Most features an ensemble may read: a feature is a byte in a node.
pub(super) const MAX_FEATURES: usize = 256;

/// Size classes for the nodes of a tree, ascending: a position below the class's size needs no bounds check.
pub(super) const CLASSES: [usize; 5] = [64, 256, 1024, 8192, 65536];

/// One node, 8 bytes: eight to a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Node {
    /// A value that is at most this goes left. Infinity in a leaf.
    pub(super) threshold: f32,
    /// Column of the value.
    pub(super) feature: u8,
    /// Whether a NaN goes left. Always in a leaf.
    pub(super) nan_left: bool,
    /// Position of the left child in the tree, the right one follows; a leaf's own position.
    pub(super) left: u16,
}

impl Node {
    fn leaf(position: u16) -> Self {
        Self { threshold: f32::INFINITY, feature: 0, nan_left: true, left: position }
    }
}

/// One tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    /// Where its nodes start.
    pub(super) start: usize,
    /// Position in [`CLASSES`].
    pub(super) class: usize,
    /// Steps from the root to the deepest leaf.
    pub(super) depth: usize,
    /// How many nodes it has.
    pub(super) nodes: usize,
}

/// What leaves hold.
#[derive(Debug)]
pub(super) enum Leaves {
    /// One value per node (0 in inner ones), all for the same sum.
    One(Vec<f32>),
    /// Sums and values of a leaf: `entries[starts[node]..starts[node + 1]]`.
    Many { starts: Vec<u32>, entries: Vec<(u32, f32)> },
}

impl Leaves {
    /// Sums and values of the leaf at this position of the forest.
    pub(super) fn of(&self, position: usize) -> impl Iterator<Item = (usize, f32)> {
        let (one, many) = match self {
            Self::One(values) => (values.get(position), &[][..]),
            Self::Many { starts, entries } => {
                let range = starts.get(position).zip(starts.get(position + 1));
                (None, range.and_then(|(&from, &to)| entries.get(from as usize..to as usize)).unwrap_or_default())
            }
        };
        one.map(|&value| (0, value)).into_iter().chain(many.iter().map(|&(sum, value)| (sum as usize, value)))
    }
}

/// All trees of an ensemble.
#[derive(Debug)]
pub(super) struct Forest {
    pub(super) trees: Vec<Tree>,
    /// Padded at the end so that every tree can be looked at as an array of its class's size.
    pub(super) nodes: Vec<Node>,
    pub(super) leaves: Leaves,
    /// Sums per row.
    pub(super) sums: usize,
    /// Features that a row must have at least. The columns behind them hold the answers to `equalities`.
    pub(super) features: usize,
    pub(super) equalities: Vec<Equality>,
    /// For each sum, whether every row adds to it: some tree has a value for it in all leaves.
    pub(super) always: Vec<bool>,
    /// Whether all values of leaves are at least zero.
    pub(super) no_negative_value: bool,
}

/// Names of the attributes that hold the leaves' values; they differ between classifier and regressor.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueNames {
    pub(super) trees: &'static str,
    pub(super) nodes: &'static str,
    pub(super) sums: &'static str,
    pub(super) values: &'static str,
}

/// The nodes of the file.
struct Source<'a> {
    trees: &'a [i64],
    ids: &'a [i64],
    modes: &'a [String],
    trues: &'a [i64],
    falses: &'a [i64],
    features: &'a [i64],
    thresholds: &'a [f32],
    missing: &'a [i64],
}

impl Forest {
    /// `None` for an ensemble that this kernel does not know to walk as ONNX Runtime does: it then runs there.
    pub(super) fn read(attributes: &Attributes, names: ValueNames, sums: usize) -> Option<Self> {
        let source = Source {
            trees: attributes.integers("nodes_treeids"),
            ids: attributes.integers("nodes_nodeids"),
            modes: attributes.texts("nodes_modes"),
            trues: attributes.integers("nodes_truenodeids"),
            falses: attributes.integers("nodes_falsenodeids"),
            features: attributes.integers("nodes_featureids"),
            thresholds: attributes.floats("nodes_values"),
            missing: attributes.integers("nodes_missing_value_tracks_true"),
        };
        let count = source.trees.len();
        let lengths = [
            source.ids.len(),
            source.modes.len(),
            source.trues.len(),
            source.falses.len(),
            source.features.len(),
            source.thresholds.len(),
        ];
        if count == 0 || sums == 0 || lengths.iter().any(|&length| length != count) {
            return None;
        }
        let values = Values::read(attributes, names, sums)?;
        let mut forest = Self {
            trees: Vec::new(),
            nodes: Vec::with_capacity(count),
            leaves: Leaves::One(Vec::new()),
            sums,
            features: source.least_features()?,
            equalities: Vec::new(),
            always: vec![false; sums],
            no_negative_value: values.0.values().flatten().all(|&(_, value)| value >= 0.0),
        };
        let mut leaves: Vec<Vec<(u32, f32)>> = Vec::with_capacity(count);
        let mut seen = std::collections::HashSet::new();
        let mut start = 0;
        while start < count {
            let tree = source.trees[start];
            let end = start + source.trees[start..].iter().take_while(|&&other| other == tree).count();
            // ONNX Runtime would take a tree that comes back for another root.
            if !seen.insert(tree) {
                return None;
            }
            forest.add(&source, start..end, &values, &mut leaves)?;
            start = end;
        }
        forest.leaves = forest.collect(leaves);
        let end = forest.trees.iter().map(|tree| tree.start + CLASSES[tree.class]).max().unwrap_or(0);
        forest.pad(end.saturating_sub(forest.nodes.len()));
        Some(forest)
    }

    /// Whether each leaf has one value, all for the same sum.
    pub(super) fn one_value_per_leaf(&self) -> bool {
        matches!(self.leaves, Leaves::One(_))
    }

    /// Adds the tree of the nodes in `range`; the first is its root.
    fn add(
        &mut self,
        source: &Source<'_>,
        range: std::ops::Range<usize>,
        values: &Values,
        leaves: &mut Vec<Vec<(u32, f32)>>,
    ) -> Option<()> {
        let nodes = range.len();
        let class = CLASSES.iter().position(|&size| nodes <= size)?;
        let tree = source.trees[range.start];
        let mut at: HashMap<i64, usize> = HashMap::with_capacity(nodes);
        for position in range.clone() {
            if at.insert(source.ids[position], position).is_some() {
                return None;
            }
        }
        // Breadth first: position in the file and depth, in the order of the new positions.
        let mut order = Vec::with_capacity(nodes);
        order.push((range.start, 0));
        let (first, mut depth, mut next) = (self.nodes.len(), 0, 0);
        let mut covers: Option<Vec<u32>> = None;
        while let Some(&(position, level)) = order.get(next) {
            depth = depth.max(level);
            let new = u16::try_from(next).ok()?;
            if source.modes[position] == "LEAF" {
                let own = values.0.get(&(tree, source.ids[position])).cloned().unwrap_or_default();
                let sums: Vec<u32> = own.iter().map(|&(sum, _)| sum).collect();
                covers = Some(match covers {
                    None => sums,
                    Some(before) => before.into_iter().filter(|sum| sums.contains(sum)).collect(),
                });
                leaves.push(own);
                self.nodes.push(Node::leaf(new));
            } else {
                let (node, left, right) = self.inner(source, position, &at, u16::try_from(order.len()).ok()?)?;
                self.nodes.push(node);
                leaves.push(Vec::new());
                order.push((*at.get(&left)?, level + 1));
                order.push((*at.get(&right)?, level + 1));
            }
            // A node that is reached twice (or a circle) makes more positions than there are nodes.
            if order.len() > nodes {
                return None;
            }
            next += 1;
        }
        for sum in covers.unwrap_or_default() {
            *self.always.get_mut(usize::try_from(sum).ok()?)? = true;
        }
        self.trees.push(Tree { start: first, class, depth, nodes: order.len() });
        Some(())
    }

    /// An inner node and the ids of its left and right child.
    fn inner(
        &mut self,
        source: &Source<'_>,
        position: usize,
        at: &HashMap<i64, usize>,
        left: u16,
    ) -> Option<(Node, i64, i64)> {
        let feature = usize::try_from(source.features[position]).ok()?;
        let threshold = source.thresholds[position];
        let missing = source.missing.get(position) == Some(&1);
        let (yes, mut no) = (source.trues[position], source.falses[position]);
        // Nothing lies below minus infinity, and no float can say so.
        let below = || (threshold != f32::NEG_INFINITY).then(|| threshold.next_down());
        let mode = source.modes[position].as_str();
        let (column, threshold, swapped) = match mode {
            "BRANCH_LEQ" => (feature, threshold, false),
            "BRANCH_LT" => (feature, below()?, false),
            "BRANCH_GT" => (feature, threshold, true),
            "BRANCH_GTE" => (feature, below()?, true),
            "BRANCH_EQ" | "BRANCH_NEQ" => {
                let values = if mode == "BRANCH_EQ" { source.chain(position, at, &mut no) } else { vec![threshold] };
                let column = self.features + self.equality(Equality { feature, values });
                (column, Equality::YES, mode == "BRANCH_NEQ")
            }
            _ => return None,
        };
        // A threshold that is no number is never reached from either side; swapping would turn that round.
        if threshold.is_nan() && swapped {
            return None;
        }
        // A NaN is not equal to anything, which is a yes to this question alone.
        let nan_left = mode != "BRANCH_NEQ" && missing != swapped;
        let node = Node { threshold, feature: u8::try_from(column).ok()?, nan_left, left };
        Some(if swapped { (node, no, yes) } else { (node, yes, no) })
    }

    /// Position of the question among the forest's questions.
    fn equality(&mut self, wanted: Equality) -> usize {
        self.equalities.iter().position(|known| *known == wanted).unwrap_or_else(|| {
            self.equalities.push(wanted);
            self.equalities.len() - 1
        })
    }

    /// The compact form of the leaves' values.
    fn collect(&self, leaves: Vec<Vec<(u32, f32)>>) -> Leaves {
        let is_leaf = |position: &usize| {
            let tree = self.trees.partition_point(|tree| tree.start <= *position) - 1;
            self.nodes[*position].left as usize == *position - self.trees[tree].start
        };
        let single =
            self.sums == 1 && (0..self.nodes.len()).filter(is_leaf).all(|position| leaves[position].len() == 1);
        if single {
            return Leaves::One(leaves.iter().map(|own| own.first().map_or(0.0, |&(_, value)| value)).collect());
        }
        let mut starts = Vec::with_capacity(leaves.len() + 1);
        let mut entries = Vec::new();
        starts.push(0);
        for own in leaves {
            entries.extend(own);
            starts.push(entries.len() as u32);
        }
        Leaves::Many { starts, entries }
    }

    fn pad(&mut self, nodes: usize) {
        self.nodes.extend(std::iter::repeat_n(Node::leaf(0), nodes));
        match &mut self.leaves {
            Leaves::One(values) => values.extend(std::iter::repeat_n(0.0, nodes)),
            Leaves::Many { starts, entries } => starts.extend(std::iter::repeat_n(entries.len() as u32, nodes)),
        }
    }
}

impl Source<'_> {
    /// The numbers of a chain of equalities that starts at `position`: LightGBM's converter asks for one category after
    /// the other, each time with the same way for yes. `no` becomes the way for none of them.
    fn chain(&self, position: usize, at: &HashMap<i64, usize>, no: &mut i64) -> Vec<f32> {
        let missing = |node: usize| self.missing.get(node) == Some(&1);
        let mut values = vec![self.thresholds[position]];
        while let Some(&next) = at.get(no) {
            let goes_on = self.modes[next] == "BRANCH_EQ"
                && self.features[next] == self.features[position]
                && self.trues[next] == self.trues[position]
                && missing(next) == missing(position);
            // A circle is as long as the tree at most.
            if !goes_on || values.len() > at.len() {
                break;
            }
            values.push(self.thresholds[next]);
            *no = self.falses[next];
        }
        values
    }

    /// Features that a row must have for the inner nodes; `None` if one of them is no position.
    fn least_features(&self) -> Option<usize> {
        let inner = self.features.iter().zip(self.modes).filter(|(_, mode)| *mode != "LEAF");
        inner
            .map(|(&feature, _)| usize::try_from(feature).ok()?.checked_add(1))
            .try_fold(0, |most, next| Some(most.max(next?)))
    }
}

/// Sums and values by tree and node, in file order.
struct Values(HashMap<(i64, i64), Vec<(u32, f32)>>);

impl Values {
    fn read(attributes: &Attributes, names: ValueNames, sums: usize) -> Option<Self> {
        let trees = attributes.integers(names.trees);
        let nodes = attributes.integers(names.nodes);
        let targets = attributes.integers(names.sums);
        let values = attributes.floats(names.values);
        if trees.len() != nodes.len() || trees.len() != targets.len() || trees.len() != values.len() {
            return None;
        }
        let mut all: HashMap<(i64, i64), Vec<(u32, f32)>> = HashMap::new();
        for (((&tree, &node), &target), &value) in trees.iter().zip(nodes).zip(targets).zip(values) {
            let target = u32::try_from(target).ok().filter(|&target| (target as usize) < sums)?;
            all.entry((tree, node)).or_default().push((target, value));
        }
        Some(Self(all))
    }
}
