//! The model stage: columns in, score columns out.
//!
//! The bits of a row's score must not depend on the batch it came in. So a session has one thread unless the author
//! wants more, and a lone row runs as two equal ones (ONNX Runtime has other kernels for one row). Large batches run in
//! pieces ([`super::tuning`]), rows of different shapes apart ([`super::intake`]). Tree ensembles have a kernel of ours
//! ([`super::kernel`]) with the same bits.
//!
//! When a run fails, the batch is halved until the failing rows stand alone; those are rejected with
//! `INFERENCE_FAILED`. This holds also when every row fails: whether a row is rejected must not depend on its
//! neighbours, and a bad row must not kill a task. What keeps a broken model visible: [`Scorer::try_new`] makes a trial
//! run and refuses a model of floats that fails on zeros, and a batch without one scored row is logged as an error.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::bind::{self, OnNull, Plan, RowsAtATime};
use super::call::{ran, run, wanted};
use super::calls::Calls;
use super::convert::Buffer;
use super::intake::Intake;
use super::kernel::Kernel;
use super::onnx_model::OnnxModel;
use super::output::{self, Collector, Cut, Selected};
use super::shown;
use super::trial::trial;
use crate::error::{SpecError, StageError};
use crate::spec::{BatchBounds, DeviceChoice};
pub use crate::spec::{NanPolicy, NullPolicy, Nulls};
use crate::stage::{RejectCode, RejectedRow, Staged};

/// Which outputs become columns.
#[derive(Debug, Clone)]
pub enum Outputs<'a> {
    /// New column and selector (`name`, `name[1]`, `name["label"]`, `name[*]`), in column order.
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
    /// Whether a model with several inputs takes the default columns in order too.
    pub by_position: bool,
    /// Which outputs become columns.
    pub outputs: Outputs<'a>,
    /// What a null in an input column does.
    pub nulls: Nulls,
    /// What a result that is NaN does.
    pub nan: NanPolicy,
    /// Whether whole numbers may be rounded on the way into floats.
    pub allow_lossy: bool,
    /// Where the model runs.
    pub device: DeviceChoice,
    /// Threads of ONNX Runtime for one call, the task's own included.
    pub threads: usize,
    /// Fewest and most rows of a call of ONNX Runtime.
    pub batch: BatchBounds,
}

impl<'a> ScorerOptions<'a> {
    /// A model whose every output becomes a column, with the defaults of the pipeline file.
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            path: "",
            inputs: &[],
            default_columns: &[],
            by_position: false,
            outputs: Outputs::All,
            nulls: Nulls::default(),
            nan: NanPolicy::default(),
            allow_lossy: false,
            device: DeviceChoice::default(),
            threads: 1,
            batch: BatchBounds::default(),
        }
    }
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
    nan: NanPolicy,
    /// Our own way to score, if there is one for this model and these columns; else ONNX Runtime's.
    kernel: Option<Kernel>,
    /// Whether there would be one, and the author wants ONNX Runtime.
    kernel_refused: bool,
    calls: Calls,
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
        let mut buffers: Vec<Buffer> = plan.bindings.iter().map(|binding| Buffer::new(binding.element)).collect();
        let mut notes = Vec::new();
        match plan.rows {
            RowsAtATime::Any => {}
            RowsAtATime::Exactly(1) => notes.push("the model takes one row at a time".to_owned()),
            RowsAtATime::Exactly(rows) => notes.push(format!("the model takes {rows} rows at a time")),
            RowsAtATime::OneCall => notes.push("an input is a sequence: one call per row".to_owned()),
        }
        if plan.is_ragged() {
            notes.push("rows of one shape run together".to_owned());
        }
        let trialled = trial(options.path, &model, &plan, input, &mut buffers, &mut notes)?;
        let null_inside = options.nan == NanPolicy::Null;
        let selected: Vec<Selected> = match options.outputs {
            Outputs::All => output::all(&model, &trialled, null_inside),
            Outputs::Columns(columns) => columns
                .iter()
                .map(|(column, text)| {
                    let path = format!("{}.outputs.{column}", options.path);
                    output::select(&model, &path, column, text, &trialled, null_inside)
                })
                .collect::<Result<_, _>>()?,
        };
        if selected.is_empty() {
            return Err(SpecError::new(
                "MODEL_OUTPUT",
                format!("{}.outputs", options.path),
                "no output of the model becomes a column",
            ));
        }
        let mut fields: Vec<FieldRef> = input.fields().to_vec();
        for column in &selected {
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
        let wanted = wanted(&selected).map_err(|error| SpecError::new("MODEL", options.path, error.to_string()))?;
        let unrolled = || Kernel::new(&model, &plan.unrolled()?, &selected);
        // Who asks for a GPU by name gets it.
        let ours = options.device != DeviceChoice::Cuda;
        Ok(Self {
            name: options.name.to_owned(),
            kernel: if ours { Kernel::new(&model, &plan, &selected).or_else(unrolled) } else { None },
            kernel_refused: false,
            model,
            input: Arc::clone(input),
            output: Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())),
            plan,
            selected,
            nan: options.nan,
            calls: Calls::new(options, wanted),
            buffers,
            notes,
            complained: false,
        })
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

    /// Gets what the model runs in ready, unless it is: before the first batch, in the process that scores. A driver, which
    /// may have no GPU, does not call this.
    ///
    /// # Errors
    /// `CUDA_UNAVAILABLE` with what is missing, `MODEL_SESSION` with ONNX Runtime's words.
    pub fn open(&mut self) -> Result<(), SpecError> {
        match self.kernel {
            Some(_) => Ok(()),
            None => self.calls.open(&self.model, &self.plan, &self.input, &self.name),
        }
    }

    /// The input's columns and the outputs' behind them.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// The columns that this stage adds.
    pub fn added_fields(&self) -> &[FieldRef] {
        &self.output.fields()[self.input.fields().len()..]
    }

    /// Casts that are not exact by their types, one sentence each, for the plan.
    pub fn casts(&self) -> &[String] {
        &self.plan.casts
    }

    /// The first digits of the model's hash, for the plan.
    pub fn short_sha256(&self) -> &str {
        let sha256 = self.model.sha256();
        &sha256[..sha256.len().min(12)]
    }

    /// What computes the scores, for the plan.
    pub fn runs_in(&self) -> String {
        let runtime = match (&self.kernel, self.kernel_refused) {
            (Some(_), _) => return "Firesteel's tree kernel".to_owned(),
            (None, true) => "ONNX Runtime, as `kernel: onnxruntime` says",
            (None, false) => "ONNX Runtime",
        };
        format!("{runtime}{}", self.calls.describe())
    }

    /// How many rows go into a call of ONNX Runtime, for the plan; `None` if that is not for us to say.
    pub fn rows_per_call(&self) -> Option<String> {
        (self.kernel.is_none() && self.plan.rows == RowsAtATime::Any).then(|| self.calls.describe_rows())
    }

    /// Further facts for the plan.
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
        let mut intake = Intake::read(&self.plan, &self.name, &batch)?;
        let rows = intake.batch.num_rows();
        let mut rejected = std::mem::take(&mut intake.rejected);
        let mut collectors: Vec<Collector> =
            self.selected.iter().map(|column| Collector::new(column.clone(), rows)).collect();
        let failed = self.score(&intake, &mut collectors)?;
        if rows > 0 && failed.len() == rows && !self.complained {
            self.complained = true;
            // Without ONNX Runtime's words: they may quote a value. They stand in the rejected rows.
            log::error!("model {}: no row of a batch of {rows} could be scored; the rejected rows say why", self.name);
        }
        // The rows that were scored, in the order in which they were.
        let mut scored: Vec<usize> = Vec::with_capacity(rows);
        let mut left = failed.into_iter().peekable();
        for row in 0..rows {
            match left.next_if(|(failed, _)| *failed == row) {
                None => scored.push(row),
                Some((_, words)) => rejected.push(self.rejected(&intake, row, RejectCode::InferenceFailed, &words)),
            }
        }
        let nan = self.outputs_with_nan(&collectors, scored.len());
        let mut columns = Vec::with_capacity(collectors.len());
        for collector in collectors {
            columns.push(collector.finish(self.nan == NanPolicy::Null)?);
        }
        // Results that stay, where they belong.
        let mut order: Vec<u32> = Vec::with_capacity(scored.len());
        for (at, &row) in scored.iter().enumerate() {
            match nan.get(at).and_then(Option::as_ref) {
                None => order.push(at as u32),
                Some(output) => {
                    let words = format!("output {output} is NaN");
                    rejected.push(self.rejected(&intake, row, RejectCode::NanResult, &words));
                }
            }
        }
        order.sort_by_key(|&at| intake.origin(scored[at as usize]));
        if order.len() < scored.len() || !order.is_sorted() {
            let indices = UInt32Array::from(order);
            columns = columns.iter().map(|column| take(column, &indices, None)).collect::<Result<_, _>>()?;
        }
        rejected.sort_by_key(|rejected| rejected.row);
        let kept = if rejected.is_empty() { batch } else { without(&batch, &rejected)? };
        let mut all: Vec<ArrayRef> = kept.columns().to_vec();
        all.extend(columns);
        let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        Ok(Staged { kept: RecordBatch::try_new_with_options(Arc::clone(&self.output), all, &options)?, rejected })
    }

    /// A row of an intake that is out, with the values of the model's inputs.
    fn rejected(&self, intake: &Intake, row: usize, code: RejectCode, words: &str) -> RejectedRow {
        let message = format!("{}: {words}", shown::inputs(&self.plan, &intake.batch, row));
        RejectedRow { row: intake.origin(row), code, message }
    }

    /// For each scored row the output that is NaN, if the author wants such rows rejected; else nothing.
    fn outputs_with_nan(&self, collectors: &[Collector], rows: usize) -> Vec<Option<String>> {
        let mut found = Vec::new();
        if self.nan == NanPolicy::Reject {
            found.resize(rows, None);
            for collector in collectors {
                for row in collector.rows_with_nan() {
                    found[row].get_or_insert_with(|| collector.output().to_owned());
                }
            }
        }
        found
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

    /// Runs the rows piece by piece; gives those that failed, in order, each with ONNX Runtime's words.
    fn score(&mut self, intake: &Intake, collectors: &mut [Collector]) -> Result<Vec<(usize, String)>, StageError> {
        let mut failed = Vec::new();
        if intake.batch.num_rows() == 0 {
            return Ok(failed);
        }
        if let Some(kernel) = &mut self.kernel {
            let nan = self.plan.bindings.iter().any(|binding| matches!(binding.nulls, OnNull::Nan));
            let unrolled = intake.unrolled(nan)?;
            kernel.score(unrolled.as_ref().unwrap_or(&intake.batch), nan, collectors)?;
            return Ok(failed);
        }
        let name = self.name.clone();
        let inference = |message: String| StageError::Inference { name: name.clone(), message };
        self.open().map_err(|error| inference(error.to_string()))?;
        let Some((session, most)) = self.calls.ready() else {
            return Err(StageError::internal("model", "a session that was opened is gone"));
        };
        let mut pending: Vec<Range<usize>> = Vec::new();
        for group in &intake.groups {
            for start in group.clone().step_by(most) {
                pending.push(start..group.end.min(start + most));
                // Depth first, left half first: results are collected in row order.
                while let Some(range) = pending.pop() {
                    match run(&session, &self.plan, &mut self.buffers, intake, range.clone(), self.calls.wanted())? {
                        Ok(outputs) => {
                            let ran =
                                (self.plan.rows != RowsAtATime::OneCall).then(|| ran(self.plan.rows, range.len()));
                            let cut = Cut { rows: range.len(), ran };
                            for collector in collectors.iter_mut() {
                                let value = outputs
                                    .get(collector.output())
                                    .ok_or_else(|| inference(format!("there is no output {}", collector.output())))?;
                                collector.take(value, cut).map_err(inference)?;
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
        }
        Ok(failed)
    }
}

fn without(batch: &RecordBatch, rejected: &[RejectedRow]) -> Result<RecordBatch, StageError> {
    let mut keep = vec![true; batch.num_rows()];
    for rejected in rejected {
        keep[rejected.row as usize] = false;
    }
    Ok(filter_record_batch(batch, &BooleanArray::from(keep))?)
}
