//! Scores a batch with Firesteel's own kernel, for the models that have one.
//!
//! The same rows, casts and outputs as a run of ONNX Runtime ([`super::call`]), and the same bits ([`super::trees`]). A
//! kernel can't fail on a row.

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;

use super::bind::{Binding, Plan};
use super::convert::fill_floats;
use super::onnx_model::{ElementType, OnnxModel};
use super::output::{Collector, Data, Selected};
use super::trees::{Labels, Role, Rows, Scored, Trees};
use crate::error::StageError;

/// Rows per pass: 1,024 rows of 16 floats are 64 KiB, which stays in the second-level cache.
const PASS_ROWS: usize = 1024;

/// One task's use of a model's kernel.
pub(super) struct Kernel {
    model: Arc<OnnxModel>,
    binding: Binding,
    rows: Rows,
    scored: Scored,
    numbers: Vec<i64>,
    texts: Vec<String>,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("binding", &self.binding).finish_non_exhaustive()
    }
}

impl Kernel {
    /// `None` if the model has no kernel, or the kernel does not give one of the columns.
    pub(super) fn new(model: &Arc<OnnxModel>, plan: &Plan, selected: &[Selected]) -> Option<Self> {
        let trees = model.trees()?;
        let [binding] = plan.bindings.as_slice() else { return None };
        let fits = binding.element == ElementType::Float32
            && binding.tail == [binding.columns.len()]
            && trees.takes(binding.columns.len())
            && selected.iter().all(|column| trees.role(&column.output).is_some());
        fits.then(|| Self {
            model: Arc::clone(model),
            binding: binding.clone(),
            rows: Rows::default(),
            scored: Scored::default(),
            numbers: Vec::new(),
            texts: Vec::new(),
        })
    }

    /// Scores all rows of a batch into the columns.
    pub(super) fn score(
        &mut self,
        batch: &RecordBatch,
        nan_for_null: bool,
        collectors: &mut [Collector],
    ) -> Result<(), StageError> {
        let gone = |what: String| StageError::internal("model", what);
        let trees = self.model.trees().ok_or_else(|| gone("the model's kernel is gone".to_owned()))?;
        let columns: Vec<&ArrayRef> = self.binding.columns.iter().map(|&index| batch.column(index)).collect();
        for start in (0..batch.num_rows()).step_by(PASS_ROWS) {
            let range = start..batch.num_rows().min(start + PASS_ROWS);
            let count = range.len();
            let features = trees
                .room(&mut self.rows, count)
                .filter(|&features| features <= columns.len())
                .ok_or_else(|| gone(format!("{} columns are not what the kernel takes", columns.len())))?;
            let columns = &columns[..features];
            for (slots, column) in self.rows.tall().zip(columns) {
                fill_floats(slots, 1, &[column], range.clone(), nan_for_null)?;
            }
            let (slots, stride) = self.rows.wide();
            if !slots.is_empty() {
                fill_floats(slots, stride, columns, range, nan_for_null)?;
            }
            trees.score(&mut self.rows, &mut self.scored);
            for collector in collectors.iter_mut() {
                let (data, width) = match trees.role(collector.output()) {
                    Some(Role::Scores) => (Data::Float32(&self.scored.scores), trees.width()),
                    Some(Role::Labels) => (labels(trees, &self.scored, &mut self.numbers, &mut self.texts), 1),
                    None => return Err(gone(format!("the kernel does not give {}", collector.output()))),
                };
                collector.push(data, width, count).map_err(gone)?;
            }
        }
        Ok(())
    }
}

fn labels<'l>(trees: &Trees, scored: &Scored, numbers: &'l mut Vec<i64>, texts: &'l mut Vec<String>) -> Data<'l> {
    match trees.labels() {
        Some(Labels::Numbers(labels)) => {
            numbers.clear();
            numbers.extend(scored.winners.iter().map(|&winner| labels.get(winner).copied().unwrap_or_default()));
            Data::Int64(numbers)
        }
        Some(Labels::Texts(labels)) => {
            texts.clear();
            texts.extend(scored.winners.iter().map(|&winner| labels.get(winner).cloned().unwrap_or_default()));
            Data::String(texts)
        }
        None => Data::Int64(&[]),
    }
}
