//! Random tree ensembles as ONNX files, of every kind that converters write.

/// SplitMix64, seeded: a failing round can be run again.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 1
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What an ensemble is like; [`Ensemble::to_onnx`] fills it with trees.
#[derive(Debug, Clone)]
pub(crate) struct Ensemble {
    pub(crate) seed: u64,
    pub(crate) regressor: bool,
    pub(crate) average: bool,
    /// Classes or targets.
    pub(crate) classes: usize,
    /// Whether two classes share one sum.
    pub(crate) shared: bool,
    pub(crate) texts: bool,
    pub(crate) transform: &'static str,
    pub(crate) base: bool,
    /// Whether no value of a leaf is negative.
    pub(crate) positive: bool,
    pub(crate) missing: bool,
    /// Whether the input is scaled first.
    pub(crate) scaler: bool,
    /// Thresholds per unit: 8, or 256 for more than a byte can count.
    pub(crate) grid: usize,
    pub(crate) modes: &'static [&'static str],
    pub(crate) features: usize,
    pub(crate) trees: usize,
    pub(crate) leaves: usize,
}

impl Ensemble {
    pub(crate) fn random(random: &mut Random) -> Self {
        const MODES: [&[&str]; 6] = [
            &["BRANCH_LEQ"],
            &["BRANCH_LEQ"],
            &["BRANCH_LT"],
            &["BRANCH_GT"],
            &["BRANCH_GTE"],
            &["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE"],
        ];
        let regressor = random.below(3) == 0;
        let classes = if regressor { random.pick(&[1, 1, 3]) } else { random.pick(&[2, 2, 2, 3, 5]) };
        let shared = !regressor && classes == 2 && random.below(4) > 0;
        let transforms: &[&'static str] = if regressor { &["NONE"] } else { &["NONE", "LOGISTIC", "SOFTMAX"] };
        Self {
            seed: random.next(),
            regressor,
            average: regressor && random.chance(),
            classes,
            shared,
            texts: random.chance(),
            transform: random.pick(transforms),
            base: random.chance() && (regressor || shared || classes > 2),
            positive: random.chance(),
            missing: random.chance(),
            scaler: false,
            grid: random.pick(&[8, 8, 256]),
            modes: random.pick(&MODES),
            features: random.pick(&[1, 5, 8, 9, 16, 30, 64, 100, 256]),
            trees: random.pick(&[1, 3, 20]),
            leaves: random.pick(&[1, 2, 8, 31, 70]),
        }
    }

    pub(crate) fn to_onnx(&self) -> Vec<u8> {
        let mut random = Random(self.seed);
        let mut columns = Columns::default();
        for tree in 0..self.trees {
            self.tree(tree as i64, &mut random, &mut columns);
        }
        let kind = if self.regressor { "target" } else { "class" };
        let mut node = Vec::new();
        field(&mut node, 1, if self.scaler { b"scaled".as_slice() } else { b"X" });
        let outputs: &[&[u8]] = if self.regressor { &[b"scores"] } else { &[b"label", b"scores"] };
        outputs.iter().for_each(|output| field(&mut node, 2, output));
        let operator = if self.regressor { "TreeEnsembleRegressor" } else { "TreeEnsembleClassifier" };
        field(&mut node, 4, operator.as_bytes());
        field(&mut node, 7, b"ai.onnx.ml");
        let mut attribute = |name: &str, value: Vec<u8>, kind: u64| set(&mut node, name, value, kind);
        attribute("nodes_treeids", integers(&columns.trees), 7);
        attribute("nodes_nodeids", integers(&columns.nodes), 7);
        attribute("nodes_truenodeids", integers(&columns.trues), 7);
        attribute("nodes_falsenodeids", integers(&columns.falses), 7);
        attribute("nodes_featureids", integers(&columns.features), 7);
        attribute("nodes_values", floats(&columns.values), 6);
        attribute("nodes_modes", texts(&columns.modes), 8);
        if self.missing {
            attribute("nodes_missing_value_tracks_true", integers(&columns.missing), 7);
        }
        attribute(&format!("{kind}_treeids"), integers(&columns.weight_trees), 7);
        attribute(&format!("{kind}_nodeids"), integers(&columns.weight_nodes), 7);
        attribute(&format!("{kind}_ids"), integers(&columns.weight_sums), 7);
        attribute(&format!("{kind}_weights"), floats(&columns.weights), 6);
        attribute("post_transform", text(self.transform), 3);
        if self.base {
            let sums = if self.shared { 1 } else { self.classes };
            attribute("base_values", floats(&(0..sums).map(|i| 0.1 + i as f32 / 3.0).collect::<Vec<_>>()), 6);
        }
        if self.regressor {
            let mut targets = Vec::new();
            number(&mut targets, 3, self.classes as u64);
            attribute("n_targets", targets, 2);
            attribute("aggregate_function", text(if self.average { "AVERAGE" } else { "SUM" }), 3);
        } else if self.texts {
            attribute("classlabels_strings", texts(&(0..self.classes).map(|c| format!("c{c}")).collect::<Vec<_>>()), 8);
        } else {
            attribute("classlabels_int64s", integers(&(0..self.classes as i64).collect::<Vec<_>>()), 7);
        }
        let before = if self.scaler { self.scaler_node(&mut random) } else { Vec::new() };
        self.file(&before, &node)
    }

    /// Scales by powers of two, so that values stay on the thresholds, and by a third.
    fn scaler_node(&self, random: &mut Random) -> Vec<u8> {
        let mut node = Vec::new();
        field(&mut node, 1, b"X");
        field(&mut node, 2, b"scaled");
        field(&mut node, 4, b"Scaler");
        field(&mut node, 7, b"ai.onnx.ml");
        let values = if random.chance() { 1 } else { self.features };
        let offset: Vec<f32> = (0..values).map(|_| random.pick(&[0.0, 0.5, -1.125, 0.1])).collect();
        let scale: Vec<f32> = (0..values).map(|_| random.pick(&[1.0, 2.0, 0.5, 1.0 / 3.0])).collect();
        set(&mut node, "offset", floats(&offset), 6);
        set(&mut node, "scale", floats(&scale), 6);
        node
    }

    /// One tree, grown by splitting random leaves, in an order that is not breadth first.
    fn tree(&self, tree: i64, random: &mut Random, out: &mut Columns) {
        let mut children: Vec<Option<(usize, usize)>> = vec![None];
        let mut leaves = vec![0];
        while leaves.len() < self.leaves {
            let split = leaves.swap_remove(random.below(leaves.len()));
            let left = children.len();
            children[split] = Some((left, left + 1));
            children.extend([None, None]);
            leaves.extend([left, left + 1]);
        }
        for (node, split) in children.iter().enumerate() {
            out.trees.push(tree);
            out.nodes.push(node as i64);
            let (yes, no) = split.unwrap_or_default();
            let (yes, no) = if random.chance() { (yes, no) } else { (no, yes) };
            out.trues.push(yes as i64);
            out.falses.push(no as i64);
            out.features.push(if split.is_some() { random.below(self.features) as i64 } else { 0 });
            out.values.push(random.below(8 * self.grid + 1) as f32 / self.grid as f32 - 4.0);
            out.missing.push(i64::from(random.chance()));
            out.modes.push(if split.is_some() { random.pick(self.modes) } else { "LEAF" }.to_owned());
            if split.is_some() {
                continue;
            }
            let sums = if self.shared || (self.regressor && self.classes == 1) { 1 } else { self.classes };
            // Boosting adds to one class per tree, a forest to all.
            let boosting = sums > 1 && self.trees >= sums && self.seed.is_multiple_of(2);
            for sum in if boosting { tree as usize % sums..tree as usize % sums + 1 } else { 0..sums } {
                out.weight_trees.push(tree);
                out.weight_nodes.push(node as i64);
                out.weight_sums.push(sum as i64);
                let weight = random.below(2_000_001) as f32 / 1e6 - 1.0;
                out.weights.push(if self.positive { weight.abs() / self.trees as f32 } else { weight });
            }
        }
    }

    fn file(&self, before: &[u8], node: &[u8]) -> Vec<u8> {
        let value = |name: &str, kind: u64, width: Option<usize>| {
            let mut rows = Vec::new();
            field(&mut rows, 2, b"rows");
            let mut shape = Vec::new();
            field(&mut shape, 1, &rows);
            if let Some(width) = width {
                let mut columns = Vec::new();
                number(&mut columns, 1, width as u64);
                field(&mut shape, 1, &columns);
            }
            let mut tensor = Vec::new();
            number(&mut tensor, 1, kind);
            field(&mut tensor, 2, &shape);
            let mut kind = Vec::new();
            field(&mut kind, 1, &tensor);
            let mut value = Vec::new();
            field(&mut value, 1, name.as_bytes());
            field(&mut value, 2, &kind);
            value
        };
        let mut graph = Vec::new();
        if !before.is_empty() {
            field(&mut graph, 1, before);
        }
        field(&mut graph, 1, node);
        field(&mut graph, 2, b"g");
        field(&mut graph, 11, &value("X", 1, Some(self.features)));
        if !self.regressor {
            field(&mut graph, 12, &value("label", if self.texts { 8 } else { 7 }, None));
        }
        field(&mut graph, 12, &value("scores", 1, Some(self.classes)));
        let mut opset = Vec::new();
        field(&mut opset, 1, b"ai.onnx.ml");
        number(&mut opset, 2, 3);
        let mut model = Vec::new();
        number(&mut model, 1, 8);
        field(&mut model, 7, &graph);
        field(&mut model, 8, &opset);
        model
    }
}

/// The attributes' lists.
#[derive(Default)]
struct Columns {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    trues: Vec<i64>,
    falses: Vec<i64>,
    features: Vec<i64>,
    values: Vec<f32>,
    modes: Vec<String>,
    missing: Vec<i64>,
    weight_trees: Vec<i64>,
    weight_nodes: Vec<i64>,
    weight_sums: Vec<i64>,
    weights: Vec<f32>,
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn field(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Adds an attribute to a node.
fn set(node: &mut Vec<u8>, name: &str, value: Vec<u8>, kind: u64) {
    let mut bytes = Vec::new();
    field(&mut bytes, 1, name.as_bytes());
    bytes.extend(value);
    number(&mut bytes, 20, kind);
    field(node, 5, &bytes);
}

fn integers(values: &[i64]) -> Vec<u8> {
    let mut packed = Vec::new();
    values.iter().for_each(|&value| varint(&mut packed, value as u64));
    let mut out = Vec::new();
    field(&mut out, 8, &packed);
    out
}

/// Half of the lists packed, half not: readers must take both.
fn floats(values: &[f32]) -> Vec<u8> {
    let mut out = Vec::new();
    if values.len().is_multiple_of(2) {
        let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        field(&mut out, 7, &packed);
    } else {
        for value in values {
            varint(&mut out, 7 << 3 | 5);
            out.extend(value.to_le_bytes());
        }
    }
    out
}

fn texts(values: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| field(&mut out, 9, value.as_bytes()));
    out
}

fn text(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    field(&mut out, 4, value.as_bytes());
    out
}
