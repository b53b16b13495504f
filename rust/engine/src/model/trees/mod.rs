//! Firesteel's own kernel for tree ensembles: gradient boosting and forests, of LightGBM, XGBoost, scikit-learn.
//!
//! ONNX Runtime walks one row down one tree at a time, and its processor guesses every turn; this kernel walks sixteen
//! rows in step ([`walk`]). It takes a model only if it knows every part of it ([`graph`], [`forest`], [`finish`]) and
//! if it gives ONNX Runtime's bits on rows made to be hard ([`proof`]); any other model runs in ONNX Runtime. So it
//! changes how long scoring takes and nothing else.

mod attributes;
mod finish;
mod forest;
mod graph;
pub(super) mod proof;
mod walk;

use attributes::Attributes;
use finish::Finish;
use forest::{Forest, MAX_FEATURES, ValueNames};
pub(super) use graph::Role;
use graph::{Ensemble, Found};
pub(super) use walk::Rows;

use super::error::ModelError;

/// Class labels, as the model gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Labels {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

/// An ensemble that this kernel can run.
#[derive(Debug)]
pub(super) struct Trees {
    forest: Forest,
    finish: Finish,
    /// `None` for a regressor.
    labels: Option<Labels>,
    outputs: Vec<(String, Role)>,
}

/// Results of some rows; reused from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Scored {
    sums: Vec<f32>,
    /// Row after row, [`Trees::width`] each.
    pub(super) scores: Vec<f32>,
    /// Position of each row's class in the labels; empty for a regressor.
    pub(super) winners: Vec<usize>,
}

impl Trees {
    /// The ensemble of a model's file; `None` if this kernel does not know the model through and through.
    ///
    /// # Errors
    /// A malformed file.
    pub(super) fn read(model: &[u8]) -> Result<Option<Self>, ModelError> {
        Ok(graph::find(model)?.and_then(Self::build))
    }

    fn build(found: Found) -> Option<Self> {
        let attributes = &found.attributes;
        let tensors = ["nodes_values_as_tensor", "class_weights_as_tensor", "target_weights_as_tensor"];
        if tensors.iter().any(|name| attributes.has(name)) {
            return None;
        }
        let (forest, finish, labels) = match found.kind {
            Ensemble::Regressor => {
                let names = ValueNames {
                    trees: "target_treeids",
                    nodes: "target_nodeids",
                    sums: "target_ids",
                    values: "target_weights",
                };
                let targets = usize::try_from(attributes.integer("n_targets").unwrap_or(1)).ok()?;
                let forest = Forest::read(attributes, names, targets)?;
                let finish = Finish::regressor(attributes, &forest)?;
                (forest, finish, None)
            }
            Ensemble::Classifier => {
                let names = ValueNames {
                    trees: "class_treeids",
                    nodes: "class_nodeids",
                    sums: "class_ids",
                    values: "class_weights",
                };
                let (labels, classes) = labels(attributes)?;
                // Two classes may share the sum of the first.
                let shared = (classes == 2).then(|| Forest::read(attributes, names, 1)).flatten();
                let forest = shared.or_else(|| Forest::read(attributes, names, classes))?;
                // There a label is 0 or 1 whatever the file says.
                if forest.sums == 2 && matches!(&labels, Labels::Numbers(numbers) if numbers != &[0, 1]) {
                    return None;
                }
                let finish = Finish::classifier(attributes, &forest)?;
                (forest, finish, Some(labels))
            }
        };
        (forest.features <= MAX_FEATURES && !found.outputs.is_empty()).then_some(Self {
            forest,
            finish,
            labels,
            outputs: found.outputs,
        })
    }

    /// What the model's output of this name is; `None` if the kernel does not give it.
    pub(super) fn role(&self, output: &str) -> Option<Role> {
        self.outputs.iter().find(|(name, _)| name == output).map(|(_, role)| *role)
    }

    /// Scores per row.
    pub(super) fn width(&self) -> usize {
        self.finish.width(self.forest.sums)
    }

    /// Whether rows of this many features have all that the trees look at.
    pub(super) fn takes(&self, features: usize) -> bool {
        (self.forest.features.max(1)..=MAX_FEATURES).contains(&features)
    }

    /// Features of a row where the model's file does not say: as many as the trees look at.
    pub(super) fn least_features(&self) -> Option<usize> {
        Some(self.forest.features).filter(|&features| features > 0)
    }

    /// The class labels; `None` for a regressor.
    pub(super) fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// Scores all rows. They must be of a width that [`Trees::takes`].
    pub(super) fn score(&self, rows: &Rows, scored: &mut Scored) {
        walk::sums(&self.forest, rows, &mut scored.sums);
        self.finish.apply(&scored.sums, self.forest.sums, &mut scored.scores, &mut scored.winners);
    }
}

/// The labels and how many there are.
fn labels(attributes: &Attributes) -> Option<(Labels, usize)> {
    let numbers = attributes.integers("classlabels_int64s");
    let texts = attributes.texts("classlabels_strings");
    match (numbers.len(), texts.len()) {
        (count @ 2.., 0) => Some((Labels::Numbers(numbers.to_vec()), count)),
        (0, count @ 2..) => Some((Labels::Texts(texts.to_vec()), count)),
        _ => None,
    }
}
