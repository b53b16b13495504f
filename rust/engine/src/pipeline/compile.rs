//! A checked call in this process, and the pipeline's own runner.
//!
//! Compiling parses expressions and binds models once for each task that runs at the same time; runners are used again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, BinaryArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::call::{Call, InputMode};
use super::describe::Plan;
use super::input::{self, decode_options};
use super::ledger::Ledger;
use super::pool::{Pool, RunnerLease};
use super::predict::PredictRunner;
use super::rejected::{self, RejectedColumn, rejected_field};
use super::runner::{Runner, StageTimes, check};
use crate::clean::{Clean, without_marks};
use crate::decode::Decoder;
use crate::error::{SpecError, SpecErrors, StageError};
use crate::features::Features;
use crate::model::{Outputs, Scorer, ScorerOptions, registry};
use crate::spec::{CleanRule, NOT_NULL_KEY, PipelineSpec, names};

/// A call that was checked against this process: its models are loaded, its expressions compile.
#[derive(Debug, Clone)]
pub struct Compiled {
    call: Arc<CheckedCall>,
    runners: Arc<Pool>,
    input: SchemaRef,
    output: SchemaRef,
    plan: String,
}

#[derive(Debug)]
enum CheckedCall {
    Pipeline { spec: Box<PipelineSpec>, mode: InputMode },
    Predict { model: String, sha256: String, arguments: SchemaRef },
}

impl Compiled {
    /// Checks a call.
    ///
    /// # Errors
    /// What is wrong with the call, or a model that is not loaded in this process.
    pub fn new(call: &Call) -> Result<Self, SpecErrors> {
        match call {
            Call::Pipeline { spec, mode } => Self::pipeline(PipelineSpec::from_json(spec)?, *mode),
            Call::Predict { model, sha256, arguments } => {
                Self::predict(model.clone(), sha256.clone(), super::predict::schema_of(arguments)?)
            }
        }
    }

    pub(super) fn pipeline(spec: PipelineSpec, mode: InputMode) -> Result<Self, SpecErrors> {
        let runner = PipelineRunner::try_new(&spec, mode)?;
        Ok(Self {
            input: input_schema(&spec, mode),
            output: Arc::clone(&runner.output),
            plan: runner.plan(&spec, mode),
            runners: Pool::new(Runner::Pipeline(Box::new(runner))),
            call: Arc::new(CheckedCall::Pipeline { spec: Box::new(spec), mode }),
        })
    }

    pub(super) fn predict(model: String, sha256: String, arguments: SchemaRef) -> Result<Self, SpecErrors> {
        let runner = PredictRunner::try_new(&model, &sha256, &arguments)?;
        Ok(Self {
            input: Arc::clone(&arguments),
            output: Arc::clone(runner.output_schema()),
            plan: runner.plan(),
            runners: Pool::new(Runner::Predict(Box::new(runner))),
            call: Arc::new(CheckedCall::Predict { model, sha256, arguments }),
        })
    }

    /// The columns a batch may have. [`Compiled::optional`] ones may be missing; the order is free.
    pub fn input_schema(&self) -> &SchemaRef {
        &self.input
    }

    /// Columns of the input that may be left out.
    pub fn optional(&self) -> Vec<String> {
        match *self.call {
            CheckedCall::Pipeline { .. } => origin_fields(&[]).iter().map(|f| f.name().clone()).collect(),
            CheckedCall::Predict { .. } => Vec::new(),
        }
    }

    /// The columns of a result batch.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// The plan for a person.
    pub fn plan(&self) -> &str {
        &self.plan
    }

    #[cfg(test)]
    pub(super) fn idle_runners(&self) -> usize {
        self.runners.idle()
    }

    /// A runner for one task, until it is dropped.
    ///
    /// # Errors
    /// As [`Compiled::new`].
    pub fn runner(&self) -> Result<RunnerLease, SpecErrors> {
        self.runners.lease(|| {
            Ok(match &*self.call {
                CheckedCall::Pipeline { spec, mode } => {
                    Runner::Pipeline(Box::new(PipelineRunner::try_new(spec, *mode)?))
                }
                CheckedCall::Predict { model, sha256, arguments } => {
                    Runner::Predict(Box::new(PredictRunner::try_new(model, sha256, arguments)?))
                }
            })
        })
    }
}

/// Where a record came from: Kafka's columns, unless the pipeline's own schema uses the name.
fn origin_fields(taken: &[&str]) -> Vec<Field> {
    [
        Field::new(rejected::TOPIC, DataType::Utf8, true),
        Field::new(rejected::PARTITION, DataType::Int32, true),
        Field::new(rejected::OFFSET, DataType::Int64, true),
    ]
    .into_iter()
    .filter(|field| !taken.contains(&field.name().as_str()))
    .collect()
}

fn input_schema(spec: &PipelineSpec, mode: InputMode) -> SchemaRef {
    let mut fields = match mode {
        InputMode::Bytes => vec![Field::new(rejected::VALUE, DataType::Binary, true)],
        InputMode::Typed => spec.input.schema.leaves().fields().iter().map(|f| f.as_ref().clone()).collect(),
    };
    let names: Vec<String> = fields.iter().map(|f| f.name().clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    fields.extend(origin_fields(&names));
    Arc::new(Schema::new(fields))
}

/// A pipeline's stages for one task.
pub struct PipelineRunner {
    decoder: Option<Decoder>,
    leaves: SchemaRef,
    clean: Clean,
    features: Features,
    models: Vec<Scorer>,
    /// Result columns: position in the last stage's batch.
    columns: Vec<usize>,
    output: SchemaRef,
    rejected: RejectedColumn,
    times: StageTimes,
}

impl fmt::Debug for PipelineRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineRunner")
            .field("output", &self.output)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

impl PipelineRunner {
    fn try_new(spec: &PipelineSpec, mode: InputMode) -> Result<Self, SpecErrors> {
        let leaves = Arc::clone(spec.input.schema.leaves());
        let decoder = match mode {
            InputMode::Bytes => Some(Decoder::try_new(&decode_options(&spec.input)?, &leaves)?),
            InputMode::Typed => None,
        };
        // Rules change no columns, so that faults of both stages can be told at once.
        let clean = Clean::try_new(&spec.clean, &leaves);
        let features = Features::try_new(&spec.features, &without_marks(&leaves));
        let (clean, features) = match (clean, features) {
            (Ok(clean), Ok(features)) => (clean, features),
            (clean, features) => {
                let faults = [clean.err(), features.err()].into_iter().flatten().flat_map(|faults| faults.0);
                return Err(SpecErrors(faults.collect()));
            }
        };
        let mut schema = Arc::clone(features.output_schema());
        let names: Vec<String> = spec.features.keys().cloned().collect();
        let mut models = Vec::with_capacity(spec.models.len());
        for position in 0..spec.models.len() {
            let scorer = scorer(spec, position, &names, &schema)?;
            schema = Arc::clone(scorer.output_schema());
            models.push(scorer);
        }
        let (columns, output) = output(spec, &schema)?;
        Ok(Self {
            decoder,
            leaves,
            clean,
            features,
            models,
            columns,
            output,
            rejected: RejectedColumn::default(),
            times: StageTimes::default(),
        })
    }

    pub(super) fn restart(&mut self) {
        self.times = StageTimes::default();
        self.models.iter_mut().for_each(Scorer::restart);
    }

    /// What [`PipelineRunner::process`] has done so far.
    pub fn times(&self) -> StageTimes {
        self.times
    }

    /// See [`Runner::process`].
    ///
    /// # Errors
    /// See [`StageError`].
    pub fn process(&mut self, input: &RecordBatch, cancelled: &AtomicBool) -> Result<RecordBatch, StageError> {
        let mut ledger = Ledger::new(input.num_rows());
        let mut batch = match &mut self.decoder {
            Some(decoder) => {
                let values = bytes(input)?;
                let (staged, took) = StageTimes::timed(|| decoder.process(values));
                self.times.decode += took;
                ledger.enter("decode", staged?)?
            }
            None => typed(input, &self.leaves)?,
        };
        check(cancelled, "clean")?;
        let (staged, took) = StageTimes::timed(|| self.clean.process(batch));
        self.times.clean += took;
        batch = ledger.enter("clean", staged?)?;
        check(cancelled, "features")?;
        let (staged, took) = StageTimes::timed(|| self.features.process(batch));
        self.times.features += took;
        batch = ledger.enter("features", staged?)?;
        for model in &mut self.models {
            check(cancelled, "model")?;
            let (staged, took) = StageTimes::timed(|| model.process(batch));
            self.times.inference += took;
            batch = ledger.enter("model", staged?)?;
        }
        ledger.close()?;
        self.times.rows += input.num_rows() as u64;
        self.times.batches += 1;
        self.times.rejected += ledger.rejections().len() as u64;
        self.result(input, &batch, &ledger)
    }

    /// The result columns lined up with the input's rows, and `_rejected`.
    fn result(&mut self, input: &RecordBatch, kept: &RecordBatch, ledger: &Ledger) -> Result<RecordBatch, StageError> {
        let scatter = ledger.scatter();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 1);
        for &position in &self.columns {
            let column = kept.column(position);
            columns.push(match &scatter {
                Some(indices) => take(column, indices, None)?,
                None => Arc::clone(column),
            });
        }
        columns.push(self.rejected.build(input, ledger.rejections())?);
        let options = RecordBatchOptions::new().with_row_count(Some(input.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?)
    }

    fn plan(&self, spec: &PipelineSpec, mode: InputMode) -> String {
        let mut plan = Plan::default();
        plan.stage("pipeline", &spec.name);
        match mode {
            InputMode::Bytes => {
                plan.stage("decode", &format!("{:?}: {}", spec.input.format, spec.input.schema));
                if let Some(detail) = input::describe(&spec.input) {
                    plan.detail(&detail);
                }
            }
            InputMode::Typed => plan.stage("input", &format!("typed columns: {}", spec.input.schema)),
        }
        let declared = declared_not_null(&self.leaves);
        if !declared.is_empty() {
            plan.stage("clean", &format!("require {} (declared NOT NULL)", declared.join(", ")));
        }
        for rule in &spec.clean {
            plan.stage("clean", &describe_rule(rule));
        }
        for (name, sql) in &spec.features {
            plan.stage("feature", &format!("{name} = {sql}"));
        }
        for (model, scorer) in spec.models.iter().zip(&self.models) {
            let sha256 = model.sha256.as_deref().unwrap_or_default();
            plan.stage(
                "model",
                &format!("{} from {} (sha256 {})", model.name, model.uri, &sha256[..sha256.len().min(12)]),
            );
            plan.detail(&format!("runs in {}", scorer.runs_in()));
            plan.detail(&format!("reads {}", scorer.input_columns().join(", ")));
            for field in scorer.added_fields() {
                plan.detail(&format!("gives {} {}", field.name(), crate::spec::spark_type_name(field.data_type())));
            }
            for note in scorer.casts().iter().chain(scorer.notes()) {
                plan.detail(note);
            }
        }
        plan.stage("output", &super::describe::ddl(self.output.fields()));
        plan.finish()
    }
}

fn describe_rule(rule: &CleanRule) -> String {
    match rule {
        CleanRule::Require(columns) => format!("require {}", columns.join(", ")),
        CleanRule::Check(sql) => format!("check {sql}"),
        CleanRule::Fill(values) => {
            let values: Vec<String> = values.iter().map(|(column, value)| format!("{column}: {value:?}")).collect();
            format!("fill {}", values.join(", "))
        }
    }
}

/// Columns that `clean` requires because the schema says so.
fn declared_not_null(leaves: &SchemaRef) -> Vec<&str> {
    let declared = leaves.fields().iter().filter(|field| field.metadata().contains_key(NOT_NULL_KEY));
    declared.map(|field| field.name().as_str()).collect()
}

fn scorer(spec: &PipelineSpec, position: usize, features: &[String], schema: &SchemaRef) -> Result<Scorer, SpecError> {
    let model = &spec.models[position];
    let path = format!("models[{position}]");
    let sha256 = model.sha256.as_deref().unwrap_or_default();
    let loaded = registry::get(sha256).ok_or_else(|| {
        SpecError::new(
            "MODEL_MISSING",
            format!("{path}.uri"),
            format!("model {} ({}) is not loaded", model.name, model.uri),
        )
    })?;
    let inputs: Vec<(String, Vec<String>)> = model.inputs.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let outputs: Vec<(String, String)> = model.outputs.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    let options = ScorerOptions {
        name: &model.name,
        path: &path,
        inputs: &inputs,
        default_columns: features,
        outputs: if outputs.is_empty() { Outputs::All } else { Outputs::Columns(&outputs) },
        nulls: model.nulls,
    };
    Scorer::try_new(&options, loaded, schema)
}

fn output(spec: &PipelineSpec, schema: &SchemaRef) -> Result<(Vec<usize>, SchemaRef), SpecErrors> {
    let mut positions = Vec::with_capacity(spec.output.len());
    let mut fields = Vec::with_capacity(spec.output.len() + 1);
    let mut faults = Vec::new();
    for (i, wanted) in spec.output.iter().enumerate() {
        match schema.index_of(&wanted.column) {
            Ok(position) => {
                positions.push(position);
                fields.push(Field::new(&wanted.name, schema.field(position).data_type().clone(), true));
            }
            Err(_) => {
                let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                faults.push(
                    SpecError::new(
                        "UNKNOWN_COLUMN",
                        format!("output[{i}]"),
                        format!("there is no column `{}`", wanted.column),
                    )
                    .with_hint(names::advice(&wanted.column, known.iter().copied())),
                );
            }
        }
    }
    if !faults.is_empty() {
        return Err(SpecErrors(faults));
    }
    fields.push(rejected_field());
    Ok((positions, Arc::new(Schema::new(fields))))
}

fn bytes(input: &RecordBatch) -> Result<&BinaryArray, StageError> {
    input
        .column_by_name(rejected::VALUE)
        .and_then(|column| column.as_any().downcast_ref::<BinaryArray>())
        .ok_or_else(|| StageError::WrongInput { message: "the batch has no binary column `value`".to_owned() })
}

/// The pipeline's own columns out of a typed batch, in the order of its schema.
fn typed(input: &RecordBatch, leaves: &SchemaRef) -> Result<RecordBatch, StageError> {
    let mut columns = Vec::with_capacity(leaves.fields().len());
    for field in leaves.fields() {
        match input.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => columns.push(Arc::clone(column)),
            found => {
                let found = found.map_or("nothing".to_owned(), |column| column.data_type().to_string());
                let message = format!("column {} must be {}, found {found}", field.name(), field.data_type());
                return Err(StageError::WrongInput { message });
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(input.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(leaves), columns, &options)?)
}
