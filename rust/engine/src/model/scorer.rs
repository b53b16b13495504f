//! The model stage: columns in, score columns out.
//!
//! The bits of a row's score must not depend on the batch it came in. So every session is single-threaded, a lone row
//! runs as two equal ones (ONNX Runtime has other kernels for one row), and large batches run in pieces of a fixed
//! size that fits the cache. Tree ensembles have a kernel of ours ([`super::kernel`]) with the same bits.
//!
//! When a run fails, the batch is halved until the failing rows stand alone; those are rejected with
//! `INFERENCE_FAILED`. This holds also when every row fails: whether a row is rejected must not depend on its
//! neighbours, and a bad row must not kill a task. What keeps a broken model visible: [`Scorer::try_new`] makes a trial
//! run and refuses a model of floats that fails on zeros, and a batch without one scored row is logged as an error.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use ort::session::{HasSelectedOutputs, RunOptions};

use super::bind::{self, Plan};
use super::call::{run, run_options};
use super::convert::Buffer;
use super::kernel::Kernel;
use super::onnx_model::{ElementType, OnnxModel};
use super::output::{self, Collector, Selected, Widths};
use crate::error::{SpecError, StageError};
pub use crate::spec::NullPolicy;
use crate::stage::{RejectCode, RejectedRow, Staged};

/// Rows per call of ONNX Runtime.
const CHUNK_ROWS: usize = 4096;

/// Which outputs become columns.
#[derive(Debug, Clone)]
pub enum Outputs<'a> {
    /// New column and selector (`name`, `name[1]`, `name["label"]`), in column order.
    Columns(&'a [(String, String)]),
    /// Every output under its own name; see [`super::all_outputs`].
    All,
}

/// What a scorer is made from.
#[derive(Debug, Clone)]
pub struct ScorerOptions<'a> {
    /// The model's name in the pipeline, for messages.
    pub name: &'a str,
    /// Where the model stands in the pipeline file, such as `models[0]`, for messages.
    pub path: &'a str,
    /// Model input and its columns, in order; empty for the automatic mapping.
    pub inputs: &'a [(String, Vec<String>)],
    /// Columns that a model with one input takes in this order when names don't fit: the pipeline's features.
    pub default_columns: &'a [String],
    /// Which outputs become columns.
    pub outputs: Outputs<'a>,
    /// What a null in an input column does.
    pub nulls: NullPolicy,
}

/// Appends a model's outputs to a batch. Guarantees: 1. order kept; 2. rows in = rows kept + rows rejected; 3. same row,
/// same bits, in any batch. One per task; the model behind it is shared.
pub struct Scorer {
    name: String,
    model: Arc<OnnxModel>,
    input: SchemaRef,
    output: SchemaRef,
    plan: Plan,
    selected: Vec<Selected>,
    nulls: NullPolicy,
    /// Our own way to score, if there is one for this model and these columns; else ONNX Runtime's.
    kernel: Option<Kernel>,
    /// Whether there would be one, and the author wants ONNX Runtime.
    kernel_refused: bool,
    run: RunOptions<HasSelectedOutputs>,
    /// One per input, reused.
    buffers: Vec<Buffer>,
    notes: Vec<String>,
    /// Whether a batch without one scored row was logged.
    complained: bool,
}

impl fmt::Debug for Scorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scorer")
            .field("name", &self.name)
            .field("plan", &self.plan)
            .field("selected", &self.selected)
            .finish_non_exhaustive()
    }
}

impl Scorer {
    /// Fails on what could never work: an unknown input, output or column, a type without a cast, a wrong width, an
    /// output column whose name is taken, a model of floats that fails on zeros.
    pub fn try_new(options: &ScorerOptions<'_>, model: Arc<OnnxModel>, input: &SchemaRef) -> Result<Self, SpecError> {
        let plan = bind::bind(options, &model, input)?;
        let buffers = plan.bindings.iter().map(|binding| Buffer::new(binding.element)).collect();
        let mut scorer = Self {
            name: options.name.to_owned(),
            run: run_options(&[]).map_err(|error| SpecError::new("MODEL", options.path, error.to_string()))?,
            model,
            input: Arc::clone(input),
            output: Arc::clone(input),
            plan,
            selected: Vec::new(),
            nulls: options.nulls,
            kernel: None,
            kernel_refused: false,
            buffers,
            notes: Vec::new(),
            complained: false,
        };
        let widths = scorer.trial(options.path)?;
        scorer.selected = match options.outputs {
            Outputs::All => output::all(&scorer.model, &widths),
            Outputs::Columns(columns) => columns
                .iter()
                .map(|(column, text)| {
                    output::select(&scorer.model, &format!("{}.outputs.{column}", options.path), column, text, &widths)
                })
                .collect::<Result<_, _>>()?,
        };
        if scorer.selected.is_empty() {
            return Err(SpecError::new(
                "MODEL_OUTPUT",
                format!("{}.outputs", options.path),
                "no output of the model becomes a column",
            ));
        }
        for (column, wide) in scorer.selected.iter().filter_map(|column| Some((column, *widths.get(&column.output)?))) {
            if column.shape == output::Shape::Scalar && wide != 1 {
                return Err(SpecError::new(
                    "MODEL_OUTPUT",
                    format!("{}.outputs", options.path),
                    format!("output {} gives {wide} values per row, but the file declares one", column.output),
                )
                .with_hint("repair the declared shape of the model's output, or choose a value by position"));
            }
        }
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        for column in &scorer.selected {
            let name = column.field.name();
            if fields.iter().any(|field| field.name() == name) {
                return Err(SpecError::new(
                    "DUPLICATE_COLUMN",
                    format!("{}.outputs.{name}", options.path),
                    format!("there is already a column `{name}`"),
                )
                .with_hint("choose another name"));
            }
            fields.push(Arc::clone(&column.field));
        }
        scorer.output = Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()));
        scorer.kernel = Kernel::new(&scorer.model, &scorer.plan, &scorer.selected);
        scorer.run =
            run_options(&scorer.selected).map_err(|error| SpecError::new("MODEL", options.path, error.to_string()))?;
        Ok(scorer)
    }

    /// Scores in ONNX Runtime even if there is a kernel of our own for the model.
    pub fn without_kernel(mut self) -> Self {
        self.kernel_refused = self.kernel.take().is_some();
        self
    }

    /// Ready for another task, as if just made.
    pub(crate) fn restart(&mut self) {
        self.complained = false;
    }

    /// The input's columns and the outputs' behind them.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// The columns that this stage adds.
    pub fn added_fields(&self) -> &[FieldRef] {
        &self.output.fields()[self.input.fields().len()..]
    }

    /// Casts that may lose digits, one sentence each, for the plan.
    pub fn casts(&self) -> &[String] {
        &self.plan.casts
    }

    /// What computes the scores, for the plan.
    pub fn runs_in(&self) -> &'static str {
        match (&self.kernel, self.kernel_refused) {
            (Some(_), _) => "Firesteel's tree kernel",
            (None, true) => "ONNX Runtime, as `kernel: onnxruntime` says",
            (None, false) => "ONNX Runtime",
        }
    }

    /// What a person should know before the job starts; empty is usual.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Names of the columns that the model reads, each once, in batch order.
    pub fn input_columns(&self) -> Vec<&str> {
        let indices: BTreeSet<usize> =
            self.plan.bindings.iter().flat_map(|binding| &binding.columns).copied().collect();
        indices.into_iter().map(|index| self.input.field(index).name().as_str()).collect()
    }

    /// Scores a batch. `Err` means that the batch can't be processed; bad rows are never an `Err`.
    pub fn process(&mut self, batch: RecordBatch) -> Result<Staged, StageError> {
        self.check(&batch)?;
        let (batch, mut rejected, origin) = self.reject_nulls(batch)?;
        let rows = batch.num_rows();
        let mut collectors: Vec<Collector> =
            self.selected.iter().map(|column| Collector::new(column.clone(), rows)).collect();
        let failed = self.score(&batch, &mut collectors)?;
        if rows > 0 && failed.len() == rows && !self.complained {
            self.complained = true;
            // Without ONNX Runtime's words: they may quote a value. They stand in the rejected rows.
            log::error!("model {}: no row of a batch of {rows} could be scored; the rejected rows say why", self.name);
        }
        let kept = if failed.is_empty() { batch } else { without(&batch, &failed)? };
        for (row, message) in failed {
            let row = origin.as_ref().map_or(row as u32, |origin| origin[row]);
            rejected.push(RejectedRow { row, code: RejectCode::InferenceFailed, message });
        }
        rejected.sort_by_key(|rejected| rejected.row);
        let mut columns = kept.columns().to_vec();
        for collector in collectors {
            columns.push(collector.finish()?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        Ok(Staged { kept: RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?, rejected })
    }

    fn check(&self, batch: &RecordBatch) -> Result<(), StageError> {
        let same = |(a, b): (&FieldRef, &FieldRef)| {
            Arc::ptr_eq(a, b) || (a.name() == b.name() && a.data_type() == b.data_type())
        };
        let schema = batch.schema_ref();
        if Arc::ptr_eq(schema, &self.input)
            || (schema.fields().len() == self.input.fields().len()
                && schema.fields().iter().zip(self.input.fields()).all(same))
        {
            return Ok(());
        }
        Err(StageError::WrongInput {
            message: format!("model {} was compiled for columns {}, the batch has {schema}", self.name, self.input),
        })
    }

    /// The rows without a null in an input column, the others as rejected, and the original row numbers if any left.
    #[allow(clippy::type_complexity)]
    fn reject_nulls(
        &self,
        batch: RecordBatch,
    ) -> Result<(RecordBatch, Vec<RejectedRow>, Option<Vec<u32>>), StageError> {
        if self.nulls == NullPolicy::Nan {
            return Ok((batch, Vec::new(), None));
        }
        let indices: BTreeSet<usize> =
            self.plan.bindings.iter().flat_map(|binding| &binding.columns).copied().collect();
        let nullable: Vec<usize> = indices.into_iter().filter(|&index| batch.column(index).null_count() > 0).collect();
        if nullable.is_empty() {
            return Ok((batch, Vec::new(), None));
        }
        let mut rejected = Vec::new();
        let mut origin = Vec::with_capacity(batch.num_rows());
        let mut keep = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let null = nullable.iter().find(|&&index| batch.column(index).is_null(row));
            keep.push(null.is_none());
            match null {
                Some(&index) => {
                    let message = format!(
                        "column `{}` is null, and model {} needs it",
                        self.input.field(index).name(),
                        self.name
                    );
                    rejected.push(RejectedRow { row: row as u32, code: RejectCode::NullFeature, message });
                }
                None => origin.push(row as u32),
            }
        }
        Ok((filter_record_batch(&batch, &BooleanArray::from(keep))?, rejected, Some(origin)))
    }

    /// Runs the batch piece by piece; gives the rows that failed, in order, each with ONNX Runtime's words.
    fn score(&mut self, batch: &RecordBatch, collectors: &mut [Collector]) -> Result<Vec<(usize, String)>, StageError> {
        let rows = batch.num_rows();
        let mut failed = Vec::new();
        if rows == 0 {
            return Ok(failed);
        }
        let nan = self.nulls == NullPolicy::Nan;
        if let Some(kernel) = &mut self.kernel {
            kernel.score(batch, nan, collectors)?;
            return Ok(failed);
        }
        let inference = |message: String| StageError::Inference { name: self.name.clone(), message };
        let mut lease = self.model.session().map_err(|error| inference(error.to_string()))?;
        let session = lease.get().map_err(|error| inference(error.to_string()))?;
        let mut pending: Vec<Range<usize>> = Vec::new();
        for start in (0..rows).step_by(CHUNK_ROWS) {
            pending.push(start..rows.min(start + CHUNK_ROWS));
            // Depth first, left half first: results are collected in row order.
            while let Some(range) = pending.pop() {
                let ran = range.len().max(2);
                match run(session, &self.plan.bindings, &mut self.buffers, batch, range.clone(), nan, &self.run)? {
                    Ok(outputs) => {
                        for collector in collectors.iter_mut() {
                            let value = outputs
                                .get(collector.output())
                                .ok_or_else(|| inference(format!("there is no output {}", collector.output())))?;
                            collector.take(value, range.len(), ran).map_err(inference)?;
                        }
                    }
                    Err(error) if range.len() == 1 => failed.push((range.start, error.to_string())),
                    Err(_) => {
                        let middle = range.start + range.len() / 2;
                        pending.push(middle..range.end);
                        pending.push(range.start..middle);
                    }
                }
            }
        }
        Ok(failed)
    }

    /// Runs the model once on two rows of zeros and empty texts: shows the outputs' true widths, and whether the model
    /// works at all. Models with texts or whole numbers may rightly refuse such a row (an unknown category).
    fn trial(&mut self, path: &str) -> Result<Widths, SpecError> {
        let columns: Vec<ArrayRef> =
            self.input.fields().iter().map(|field| new_null_array(field.data_type(), 2)).collect();
        let nullable: Vec<FieldRef> =
            self.input.fields().iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect();
        let fault = |message: String| SpecError::new("MODEL_TRIAL", path, message);
        let options = RecordBatchOptions::new().with_row_count(Some(2));
        let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(nullable)), columns, &options)
            .map_err(|error| fault(error.to_string()))?;
        let all = output::all(&self.model, &Widths::new());
        let every = run_options(&all).map_err(|error| fault(error.to_string()))?;
        let mut lease = self.model.session().map_err(|error| fault(error.to_string()))?;
        let session = lease.get().map_err(|error| fault(error.to_string()))?;
        match run(session, &self.plan.bindings, &mut self.buffers, &batch, 0..2, false, &every)
            .map_err(|error| fault(error.to_string()))?
        {
            Ok(outputs) => {
                let mut widths = Widths::new();
                for column in &all {
                    let dims = outputs.get(&column.output).and_then(|value| value.dtype().tensor_shape());
                    match dims.map(|dims| dims.split_first()) {
                        Some(Some((2, rest))) => {
                            widths.insert(
                                column.output.clone(),
                                usize::try_from(rest.iter().product::<i64>()).unwrap_or(0),
                            );
                        }
                        _ => self.notes.push(format!(
                            "output {} does not have one entry per row and can't become a column",
                            column.output
                        )),
                    }
                }
                Ok(widths)
            }
            Err(error) => {
                let floats = self
                    .plan
                    .bindings
                    .iter()
                    .all(|binding| matches!(binding.element, ElementType::Float32 | ElementType::Float64));
                if floats {
                    return Err(fault(format!("the model fails on a row of zeros: {error}"))
                        .with_hint("check that the columns are those that the model was trained with"));
                }
                self.notes.push(format!("a trial run on zeros and empty texts failed: {error}"));
                Ok(Widths::new())
            }
        }
    }
}

fn without(batch: &RecordBatch, failed: &[(usize, String)]) -> Result<RecordBatch, StageError> {
    let mut keep = vec![true; batch.num_rows()];
    for (row, _) in failed {
        keep[*row] = false;
    }
    Ok(filter_record_batch(batch, &BooleanArray::from(keep))?)
}
