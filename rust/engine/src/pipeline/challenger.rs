//! A model that is tried on live rows beside the one that serves.
//!
//! A challenger adds its columns and changes nothing else: a row that it can't score, or that is not in its sample, has
//! nulls there and goes on. So the champion's answers are the same bits with and without challengers.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use twox_hash::XxHash64;

use super::call::PreparedComparison;
use crate::error::{SpecError, StageError};
use crate::model::Scorer;
use crate::spec::{ModelSpec, OutputColumn, PipelineSpec, SampleSpec};
use crate::state::KeyRows;

/// Seed of the hash that chooses samples; another one than that of buckets, so that a sample is not some of the buckets.
const SEED: u64 = 0x6368_616c;

/// Appends the columns that are compared to a pipeline's output, but for those that the author shows already, by any name.
pub(super) fn show(spec: &mut PipelineSpec) {
    let challenged: HashSet<&String> = spec.models.iter().filter_map(|model| model.challenges.as_ref()).collect();
    let compared = |name: &String, challenges: bool| challenges || challenged.contains(name);
    let columns: Vec<String> = spec
        .models
        .iter()
        .filter(|model| compared(&model.name, model.challenges.is_some()))
        .flat_map(|model| model.outputs.keys().cloned())
        .collect();
    for column in columns {
        if !spec.output.iter().any(|shown| shown.column.eq_ignore_ascii_case(&column)) {
            spec.output.push(OutputColumn { name: column.clone(), column });
        }
    }
}

/// Which columns of a result are compared: the first outputs of champion and challenger, the second ones, and so on.
pub(super) fn comparisons(spec: &PipelineSpec) -> Vec<PreparedComparison> {
    let shown = |column: &String| {
        let output = spec.output.iter().find(|output| output.column.eq_ignore_ascii_case(column));
        output.map_or_else(|| column.clone(), |output| output.name.clone())
    };
    let pair = |model: &ModelSpec| {
        let champion = spec.models.iter().find(|other| Some(&other.name) == model.challenges.as_ref())?;
        let columns = champion.outputs.keys().map(shown).zip(model.outputs.keys().map(shown));
        Some(PreparedComparison {
            challenger: model.name.clone(),
            champion: champion.name.clone(),
            columns: columns.map(|(theirs, ours)| [theirs, ours]).collect(),
        })
    };
    spec.models.iter().filter_map(pair).collect()
}

/// Scores its sample of the rows, and leaves them all as they are.
#[derive(Debug)]
pub(super) struct Challenger {
    name: String,
    scorer: Scorer,
    sample: Option<Sample>,
    /// The columns of what comes in, and the scores behind them, which may be null.
    output: SchemaRef,
    added: Vec<FieldRef>,
    /// Whether a batch that could not be scored was logged.
    complained: bool,
}

impl Challenger {
    /// `path` is the model's place in the pipeline file.
    ///
    /// # Errors
    /// [`SpecError`] if the sample's columns can't be keys.
    pub(super) fn try_new(
        name: &str,
        path: &str,
        scorer: Scorer,
        sample: Option<&SampleSpec>,
        input: &SchemaRef,
    ) -> Result<Self, SpecError> {
        let sample = sample.filter(|sample| sample.share < 1.0).map(Sample::new);
        if let Some(sample) = &sample {
            sample.rows(&RecordBatch::new_empty(Arc::clone(input))).map_err(|error| {
                SpecError::new("BAD_VALUE", format!("{path}.sample.by"), error.to_string())
                    .with_hint("name columns of numbers, texts, booleans, dates or times")
            })?;
        }
        let nullable = |field: &FieldRef| Arc::new(field.as_ref().clone().with_nullable(true)) as Arc<Field>;
        let added: Vec<FieldRef> = scorer.added_fields().iter().map(nullable).collect();
        let fields: Vec<FieldRef> = input.fields().iter().chain(&added).cloned().collect();
        let output = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        Ok(Self { name: name.to_owned(), scorer, sample, output, added, complained: false })
    }

    /// What comes in and the scores behind it.
    pub(super) fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    pub(super) fn scorer(&self) -> &Scorer {
        &self.scorer
    }

    pub(super) fn scorer_mut(&mut self) -> &mut Scorer {
        &mut self.scorer
    }

    /// Ready for another task, as if just made.
    pub(super) fn restart(&mut self) {
        self.complained = false;
        self.scorer.restart();
    }

    /// Which rows it scores, for the plan.
    pub(super) fn describe(&self) -> String {
        self.sample.as_ref().map_or_else(
            || "of every row".to_owned(),
            |sample| format!("of {} % of the values of {}", sample.share * 100.0, sample.by.join(", ")),
        )
    }

    /// All rows of the batch, with scores or nulls.
    ///
    /// # Errors
    /// [`StageError`] if the batch does not have the columns. A model that fails is no error.
    pub(super) fn process(&mut self, batch: RecordBatch) -> Result<RecordBatch, StageError> {
        let chosen = self.sample.as_ref().map(|sample| sample.rows(&batch)).transpose()?;
        let scored = match &chosen {
            Some(chosen) => self.scorer.process(filter_record_batch(&batch, chosen)?),
            None => self.scorer.process(batch.clone()),
        };
        let before = batch.num_columns();
        let made: Vec<ArrayRef> = match scored {
            Ok(staged) if chosen.is_none() && staged.rejected.is_empty() => staged.kept.columns()[before..].to_vec(),
            Ok(staged) => {
                let rejected: Vec<u32> = staged.rejected.iter().map(|rejected| rejected.row).collect();
                let places = places(batch.num_rows(), chosen.as_ref(), &rejected);
                let made = &staged.kept.columns()[before..];
                made.iter().map(|column| take(column, &places, None)).collect::<Result<_, _>>()?
            }
            Err(cancelled @ StageError::Cancelled { .. }) => return Err(cancelled),
            Err(error) => {
                if !self.complained {
                    self.complained = true;
                    log::error!("challenger {} gives no scores, the rows go on without: {error}", self.name);
                }
                self.added.iter().map(|field| new_null_array(field.data_type(), batch.num_rows())).collect()
            }
        };
        let columns = batch.columns().iter().cloned().chain(made).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?)
    }
}

/// For each row of a batch its place among those that were scored; null where it was not chosen, or rejected.
fn places(rows: usize, chosen: Option<&BooleanArray>, rejected: &[u32]) -> UInt32Array {
    let mut rejected = rejected.iter().peekable();
    // Rows given to the model, and of them those that it scored.
    let (mut given, mut scored) = (0_u32, 0_u32);
    let place = |row: usize| {
        if chosen.is_some_and(|chosen| !chosen.value(row)) {
            return None;
        }
        given += 1;
        if rejected.next_if(|next| **next == given - 1).is_some() {
            return None;
        }
        scored += 1;
        Some(scored - 1)
    };
    UInt32Array::from_iter((0..rows).map(place))
}

/// Rows whose key's hash lies below a share of all hashes: the same in every run, task and version of the model.
#[derive(Debug)]
struct Sample {
    share: f64,
    by: Vec<String>,
    below: u64,
}

impl Sample {
    fn new(spec: &SampleSpec) -> Self {
        // A float cast stops at the largest number.
        Self { share: spec.share, by: spec.by.clone(), below: (spec.share * u64::MAX as f64) as u64 }
    }

    /// A row without a key is in no sample.
    fn rows(&self, batch: &RecordBatch) -> Result<BooleanArray, StageError> {
        let keys = KeyRows::named(&self.by, batch)?;
        let mut key = Vec::new();
        let is_in = |row: usize| {
            keys.has(row) && {
                keys.write(row, &mut key);
                XxHash64::oneshot(SEED, &key) < self.below
            }
        };
        Ok(BooleanArray::from((0..batch.num_rows()).map(is_in).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_go_back_to_their_rows() {
        let chosen = BooleanArray::from(vec![true, false, true, true, false]);
        let of = |chosen, rejected: &[u32]| places(5, chosen, rejected).iter().collect::<Vec<_>>();
        assert_eq!(of(Some(&chosen), &[]), [Some(0), None, Some(1), Some(2), None]);
        assert_eq!(of(Some(&chosen), &[1]), [Some(0), None, None, Some(1), None]);
        assert_eq!(of(None, &[0, 4]), [None, Some(0), Some(1), Some(2), None]);
    }
}
