//! Firesteel's own kernel for tree ensembles: gradient boosting and forests, of LightGBM, XGBoost, scikit-learn.
//!
//! ONNX Runtime walks one row down one tree at a time, and its processor guesses every turn. This kernel has three ways
//! that guess nothing: lists of comparisons for trees of up to 256 leaves ([`planes`]), sixteen rows in step down larger
//! ones ([`walk`]), and sixteen trees in step for a few rows ([`few`]); [`Trees::way`] is the rule that chooses. It takes a
//! model only if it knows every part of it ([`graph`], [`forest`], [`finish`]) and if each way gives ONNX Runtime's bits on
//! rows made to be hard ([`proof`]); any other model runs in ONNX Runtime. So it changes how long scoring takes and
//! nothing else.

mod attributes;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod bins;
mod few;
mod finish;
mod forest;
mod graph;
mod planes;
mod prepare;
pub(super) mod proof;
mod rows;
mod walk;

use attributes::Attributes;
use finish::Finish;
use forest::{Forest, MAX_FEATURES, ValueNames};
pub(super) use graph::Role;
use graph::{Ensemble, Found};
use planes::Planes;
use prepare::{Scaler, prepare};
use rows::Forms;
pub(super) use rows::Rows;

use super::error::ModelError;

/// Class labels, as the model gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Labels {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

/// Most rows for which [`few`] is faster than [`planes`], whose registers hold 32, and than [`walk`], whose lanes hold
/// sixteen. Measured with 100 trees of 31 leaves to 500 of 700.
const FEW_FOR_PLANES: usize = 2;
const FEW_FOR_WALK: usize = 4;

/// How sums are computed; all ways give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Few,
    Walk,
    Planes,
}

/// An ensemble that this kernel can run.
#[derive(Debug)]
pub(super) struct Trees {
    forest: Forest,
    /// What is done to the input first.
    scaler: Option<Scaler>,
    /// The forest as lists of comparisons, if it has that form and this processor can run them.
    planes: Option<Planes>,
    finish: Finish,
    /// `None` for a regressor.
    labels: Option<Labels>,
    outputs: Vec<(String, Role)>,
}

/// Results of some rows; reused from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Scored {
    /// Sum after sum, each for all rows with padding.
    sums: Vec<f32>,
    /// Row after row.
    turned: Vec<f32>,
    #[cfg(target_arch = "x86_64")]
    scratch: avx2::Scratch,
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
        if forest.features + forest.equalities.len() > MAX_FEATURES || found.outputs.is_empty() {
            return None;
        }
        let planes = if runs_planes() { Planes::new(&forest) } else { None };
        Some(Self { forest, scaler: found.scaler, planes, finish, labels, outputs: found.outputs })
    }

    /// The fastest way for this many rows.
    fn way(&self, rows: usize) -> Way {
        match self.planes {
            Some(_) if rows > FEW_FOR_PLANES => Way::Planes,
            None if rows > FEW_FOR_WALK => Way::Walk,
            _ => Way::Few,
        }
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

    /// Room in `rows` for so many rows, in the form that [`Trees::score`] reads; gives how many of a row's features, the
    /// first ones, are to be filled in. `None` if the kernel does not take such rows.
    pub(super) fn room(&self, rows: &mut Rows, count: usize) -> Option<usize> {
        let tall = self.way(count) == Way::Planes;
        self.room_for(rows, count, Forms { wide: !tall, tall })
    }

    fn room_for(&self, rows: &mut Rows, count: usize, forms: Forms) -> Option<usize> {
        rows.reset(count, self.forest.features + self.forest.equalities.len(), forms)?;
        Some(self.forest.features)
    }

    /// Scores all rows, for which there was [`Trees::room`] and which are filled in. Changes their numbers.
    pub(super) fn score(&self, rows: &mut Rows, scored: &mut Scored) {
        self.prepare(rows);
        self.score_by(self.way(rows.rows), rows, scored);
    }

    fn prepare(&self, rows: &mut Rows) {
        prepare(rows, self.forest.features, self.scaler.as_ref(), &self.forest.equalities);
    }

    fn score_by(&self, way: Way, rows: &Rows, scored: &mut Scored) {
        match (way, &self.planes) {
            #[cfg(target_arch = "x86_64")]
            (Way::Planes, Some(planes)) => {
                avx2::sums(planes, self.forest.sums, rows, &mut scored.scratch, &mut scored.sums);
            }
            (Way::Few, _) => few::sums(&self.forest, rows, &mut scored.sums),
            _ => walk::sums(&self.forest, rows, &mut scored.sums),
        }
        let sums = if self.forest.sums == 1 {
            &scored.sums[..rows.rows]
        } else {
            let columns = scored.sums.chunks_exact(rows.stride);
            scored.turned.clear();
            scored.turned.extend((0..rows.rows).flat_map(|row| columns.clone().map(move |column| column[row])));
            &scored.turned
        };
        self.finish.apply(sums, self.forest.sums, &mut scored.scores, &mut scored.winners);
    }
}

/// Whether this processor can run [`planes`].
fn runs_planes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return avx2::available();
    #[cfg(not(target_arch = "x86_64"))]
    false
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
