//! `firesteel_predict`: one model on typed columns, a struct of all its outputs, null where an argument is null.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, BooleanArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::compute::{is_null, take};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::call::Argument;
use super::describe::Plan;
use super::ledger::Ledger;
use super::runner::{StageTimes, check};
use crate::error::{SpecError, SpecErrors, StageError};
use crate::model::{OnnxModel, Scorer, ScorerOptions, registry};
use crate::spec::{arrow_type, ddl};
use crate::stage::RejectCode;

/// Name of the one result column, a struct of the model's outputs.
const PREDICTION: &str = "prediction";

/// One model for one task.
pub struct PredictRunner {
    scorer: Scorer,
    name: String,
    /// The arguments under names that are unique and differ from the outputs'.
    columns: SchemaRef,
    added: Fields,
    output: SchemaRef,
    times: StageTimes,
}

impl fmt::Debug for PredictRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PredictRunner").field("name", &self.name).field("times", &self.times).finish_non_exhaustive()
    }
}

/// The arguments as columns, as the user named them.
pub(super) fn schema_of(arguments: &[Argument]) -> Result<SchemaRef, SpecErrors> {
    let mut fields = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let parsed = ddl::parse(&format!("`{}` {}", argument.name.replace('`', "``"), argument.data_type))
            .map_err(|e| SpecError::new("BAD_ARGUMENT", &argument.name, e.message.clone()))?;
        for field in parsed {
            fields.push(Field::new(&field.name, arrow_type(&field.data_type), true));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// SQL lets two arguments share a name, or one be called like an output of the model; a batch does not.
fn distinct(arguments: &SchemaRef, model: &OnnxModel) -> SchemaRef {
    let mut taken: HashSet<String> = model.outputs().iter().map(|output| output.name.clone()).collect();
    let fields = arguments.fields().iter().enumerate().map(|(position, field)| {
        let name =
            if taken.contains(field.name()) { format!("{}#{position}", field.name()) } else { field.name().clone() };
        taken.insert(name.clone());
        field.as_ref().clone().with_name(name)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl PredictRunner {
    pub(super) fn try_new(name: &str, sha256: &str, arguments: &SchemaRef) -> Result<Self, SpecErrors> {
        let model = registry::get(sha256).ok_or_else(|| {
            SpecError::new("MODEL_MISSING", "", format!("model {name} (sha256 {sha256}) is not loaded"))
        })?;
        let columns = distinct(arguments, &model);
        let names: Vec<String> = columns.fields().iter().map(|f| f.name().clone()).collect();
        let options = ScorerOptions { default_columns: &names, by_position: true, ..ScorerOptions::new(name) };
        let scorer = Scorer::try_new(&options, model, &columns)?;
        let added: Fields = scorer.added_fields().iter().cloned().collect();
        let field = Field::new(PREDICTION, DataType::Struct(added.clone()), true);
        Ok(Self {
            scorer,
            name: name.to_owned(),
            columns,
            added,
            output: Arc::new(Schema::new(vec![field])),
            times: StageTimes::default(),
        })
    }

    pub(super) fn restart(&mut self) {
        self.times = StageTimes::default();
        self.scorer.restart();
    }

    /// See [`Scorer::open`].
    pub(super) fn open(&mut self) -> Result<(), SpecErrors> {
        Ok(self.scorer.open()?)
    }

    /// One column: [`PREDICTION`].
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// What [`PredictRunner::process`] has done so far.
    pub fn times(&self) -> StageTimes {
        self.times
    }

    /// See [`super::Runner::process`].
    ///
    /// # Errors
    /// [`StageError::Inference`] if the model fails on a row that has no null: an SQL function has no place for
    /// rejected rows; a pipeline has.
    pub fn process(&mut self, input: &RecordBatch, cancelled: &AtomicBool) -> Result<RecordBatch, StageError> {
        check(cancelled, "model")?;
        let rows = input.num_rows();
        let mut ledger = Ledger::new(rows);
        let batch = RecordBatch::try_new(Arc::clone(&self.columns), input.columns().to_vec())?;
        let (staged, took) = StageTimes::timed(|| self.scorer.process(batch));
        self.times.inference += took;
        let kept = ledger.enter("model", staged?)?;
        ledger.close()?;
        if let Some(failed) = ledger.rejections().iter().find(|r| r.code != RejectCode::NullFeature) {
            return Err(StageError::Inference { name: self.name.clone(), message: failed.message.clone() });
        }
        self.times.rows += rows as u64;
        self.times.batches += 1;
        let outputs = &kept.columns()[kept.num_columns() - self.added.len()..];
        let column = match ledger.scatter() {
            None => StructArray::try_new_with_length(self.added.clone(), outputs.to_vec(), None, rows)?,
            Some(indices) => {
                let lined_up = outputs.iter().map(|c| take(c, &indices, None)).collect::<Result<Vec<ArrayRef>, _>>()?;
                let missing: BooleanArray = is_null(&indices)?;
                let valid = NullBuffer::new(!missing.values());
                StructArray::try_new_with_length(self.added.clone(), lined_up, Some(valid), rows)?
            }
        };
        Ok(RecordBatch::try_new(Arc::clone(&self.output), vec![Arc::new(column)])?)
    }

    pub(super) fn plan(&self) -> String {
        let mut plan = Plan::default();
        plan.stage("model", &format!("{} (sha256 {})", self.name, self.scorer.short_sha256()));
        plan.detail(&format!("runs in {}", self.scorer.runs_in()));
        if let Some(rows) = self.scorer.rows_per_call() {
            plan.detail(&rows);
        }
        plan.detail(&format!("reads {}", self.scorer.input_columns().join(", ")));
        plan.detail(&format!("gives {}", super::describe::ddl(&self.added)));
        for note in self.scorer.casts().iter().chain(self.scorer.notes()) {
            plan.detail(note);
        }
        plan.finish()
    }
}
