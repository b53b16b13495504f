//! All stages of a pipeline in their order: a batch of records in, its rows out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{ArrayRef, AsArray, BinaryArray, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use indexmap::IndexMap;

use super::call::InputMode;
use super::describe::Plan;
use super::input::{self, decode_options};
use super::ledger::Ledger;
use super::models::Models;
use super::packed::{self, Packer};
use super::parts::{self, Earlier, Part};
use super::rejected::{self, RejectedColumn, rejected_field};
use super::runner::{StageTimes, check};
use super::shown::{Shown, origin_fields, output, passed_on};
use super::stamp::Stamps;
use super::waiting;
use crate::clean::{Clean, without_marks};
use crate::decode::Decoder;
use crate::error::{SpecError, SpecErrors, StageError};
use crate::features::{Features, around_windows};
use crate::spec::{CleanRule, NOT_NULL_KEY, OrderSpec, PipelineSpec, WindowSpec};
use crate::state::{self, Windows};

/// A pipeline's stages, or those of a part of it, for one task.
pub struct PipelineRunner {
    part: Option<Part>,
    /// Packs what goes to the first block, if rows go packed.
    pub(super) packer: Option<Packer>,
    /// What the rows that it packs wait for.
    order: Option<OrderSpec>,
    /// What may come in.
    pub(super) input: SchemaRef,
    decoder: Option<Decoder>,
    /// The columns that the first stage behind the decoder reads.
    typed: SchemaRef,
    clean: Clean,
    features: Features,
    windows: Windows,
    /// Features that use the windows' columns.
    behind: Features,
    models: Models,
    /// Which versions of them these are.
    stamps: Stamps,
    /// Result columns: position in the last stage's batch, or a column of the input as it came.
    columns: Vec<Shown>,
    pub(super) output: SchemaRef,
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
    pub(super) fn try_new(spec: &PipelineSpec, mode: InputMode, part: Option<Part>) -> Result<Self, SpecErrors> {
        let leaves = Arc::clone(spec.input.schema.leaves());
        // Rules change no columns, so that faults of both stages can be told at once.
        let clean = Clean::try_new(&spec.clean, &leaves);
        let window_columns: Vec<String> = spec.windows.iter().flat_map(WindowSpec::columns).collect();
        let (before, behind) = around_windows(&spec.features, &window_columns);
        let features = Features::try_new(&before, &without_marks(&leaves));
        let (clean, features) = match (clean, features) {
            (Ok(clean), Ok(features)) => (clean, features),
            (clean, features) => {
                let faults = [clean.err(), features.err()].into_iter().flatten().flat_map(|faults| faults.0);
                return Err(SpecErrors(faults.collect()));
            }
        };
        let front = Arc::clone(features.output_schema());
        let is_first = part.is_none_or(|part| !part.is_behind());
        let mut runner = Self {
            part,
            packer: None,
            order: None,
            input: input_schema(spec, mode),
            decoder: match mode {
                InputMode::Bytes if is_first => Some(Decoder::try_new(&decode_options(&spec.input)?, &leaves)?),
                _ => None,
            },
            typed: leaves,
            clean,
            features,
            windows: Windows::try_new(&[], &front)?,
            behind: Features::try_new(&IndexMap::new(), &front)?,
            models: Models::default(),
            stamps: Stamps::default(),
            columns: Vec::new(),
            output: Arc::clone(&front),
            rejected: RejectedColumn::default(),
            times: StageTimes::default(),
        };
        let carried = parts::carried(spec, &front);
        // Every part compiles all blocks, so that each knows the columns of those before it.
        let whole = Windows::try_new(&spec.windows, &front)?;
        let made = &whole.output_schema().fields()[front.fields().len()..];
        check_order(spec, &front)?;
        match part {
            Some(Part::Front { buckets, stream }) => {
                runner.order = spec.order.clone().filter(|_| stream);
                (runner.columns, runner.output) = passed_on(&front, &carried);
                let optional = runner.may_lack();
                runner.packer = spec.windows.first().map(|window| Packer::new(&window.key, buckets, optional));
                return Ok(runner);
            }
            Some(Part::Block(position)) => {
                let Some(block) = spec.windows.get(position..position + 1) else {
                    return Err(SpecError::new("INTERNAL", "windows", format!("there is no block {position}")).into());
                };
                let come: usize = spec.windows[..position].iter().map(|block| block.columns().len()).sum();
                let typed = parts::schema_of(carried.iter().chain(&made[..come]).cloned().collect());
                runner.stands_behind_front(&typed)?;
                runner.windows = Windows::try_new(block, &typed)?.at(position);
                let schema = Arc::clone(runner.windows.output_schema());
                (runner.columns, runner.output) = passed_on(&schema, schema.fields());
                if spec.order.is_some() {
                    // Behind the first block rows come in the same order once more.
                    runner.pass_on(waiting::stands_field());
                }
                return Ok(runner);
            }
            Some(Part::Back) => {
                let typed = parts::schema_of(carried.iter().chain(made).cloned().collect());
                runner.stands_behind_front(&typed)?;
                runner.windows = Windows::try_new(&[], &typed)?;
            }
            None => runner.windows = whole,
        }
        runner.behind = Features::try_new(&behind, runner.windows.output_schema())?;
        let mut schema = Arc::clone(runner.behind.output_schema());
        let names: Vec<String> = spec.features.keys().chain(&window_columns).cloned().collect();
        runner.models = Models::try_new(spec, &names, &mut schema)?;
        runner.stamps = Stamps::new(spec, &schema);
        (runner.columns, runner.output) = output(spec, runner.stamps.schema().unwrap_or(&schema))?;
        Ok(runner)
    }

    /// One more column that goes on as it came, before what says which rows were rejected.
    fn pass_on(&mut self, field: Field) {
        let mut fields = self.output.fields().to_vec();
        fields.insert(fields.len() - 1, Arc::new(field));
        self.columns.push(Shown::AsItCame);
        self.output = Arc::new(Schema::new(fields));
    }

    /// Columns of the result that the part behind it takes as null if they are not there.
    pub(super) fn may_lack(&self) -> Vec<String> {
        let came = self.columns.iter().zip(self.output.fields()).filter(|(shown, _)| **shown == Shown::AsItCame);
        came.map(|(_, field)| field.name().clone()).chain([rejected::REJECTED.to_owned()]).collect()
    }

    /// Decoding, cleaning and the first features are done.
    fn stands_behind_front(&mut self, typed: &SchemaRef) -> Result<(), SpecErrors> {
        let names: Vec<&str> = typed.fields().iter().map(|field| field.name().as_str()).collect();
        let mut fields: Vec<FieldRef> = typed.fields().to_vec();
        fields.extend(origin_fields(&names).into_iter().map(Arc::new));
        fields.push(Arc::new(rejected_field()));
        self.input = Arc::new(Schema::new(fields));
        self.typed = Arc::clone(typed);
        self.clean = Clean::try_new(&[], typed)?;
        self.features = Features::try_new(&IndexMap::new(), typed)?;
        Ok(())
    }

    pub(super) fn restart(&mut self) {
        self.times = StageTimes::default();
        self.windows.restart();
        self.models.restart();
    }

    /// See [`super::runner::Runner::open`].
    pub(super) fn open(&mut self) -> Result<(), SpecErrors> {
        Ok(self.models.open()?)
    }

    /// The columns of a result.
    pub(super) fn output_schema(&self) -> &SchemaRef {
        &self.output
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
        if matches!(self.part, Some(Part::Back)) {
            let pieces = input.column_by_name(packed::PACKED).and_then(|column| column.as_binary_opt::<i32>());
            let pieces = pieces.into_iter().flat_map(|column| column.iter().flatten());
            let mut rows = Vec::new();
            for piece in pieces {
                packed::unpack(piece.to_vec(), &mut rows)?;
            }
            return match packed::together(&rows)? {
                Some(rows) => self.process_rows(&rows, cancelled),
                None => Ok(RecordBatch::new_empty(Arc::clone(&self.output))),
            };
        }
        let result = self.process_rows(input, cancelled)?;
        match &mut self.packer {
            Some(packer) => {
                let rows = result.num_rows();
                let result = match &self.order {
                    Some(order) if rows > 0 => waiting::marked(&result, order)?,
                    _ => result,
                };
                packed::given(&packer.pack(&result)?, rows)
            }
            None => Ok(result),
        }
    }

    /// As [`PipelineRunner::process`], of rows that are not packed.
    pub(super) fn process_rows(
        &mut self,
        input: &RecordBatch,
        cancelled: &AtomicBool,
    ) -> Result<RecordBatch, StageError> {
        if self.part.is_some_and(Part::is_behind)
            && let Some((earlier, live)) = Earlier::take_out(input)?
        {
            return earlier.put_back(&self.process_live(&live, cancelled)?);
        }
        self.process_live(input, cancelled)
    }

    /// Takes a batch into the windows' state and gives nothing out: what a replay of the log does.
    ///
    /// # Errors
    /// As [`PipelineRunner::process`].
    pub fn observe(&mut self, input: &RecordBatch, cancelled: &AtomicBool) -> Result<(), StageError> {
        let mut ledger = Ledger::new(input.num_rows());
        self.up_to_windows(input, &mut ledger, cancelled).map(|_| ())
    }

    /// See [`Windows::replace_state`].
    pub fn windows_mut(&mut self) -> &mut Windows {
        &mut self.windows
    }

    fn process_live(&mut self, input: &RecordBatch, cancelled: &AtomicBool) -> Result<RecordBatch, StageError> {
        let mut ledger = Ledger::new(input.num_rows());
        let mut batch = self.up_to_windows(input, &mut ledger, cancelled)?;
        if !self.windows.is_empty() || matches!(self.part, Some(Part::Back)) {
            let (staged, took) = StageTimes::timed(|| self.behind.process(batch));
            self.times.features += took;
            batch = ledger.enter("features", staged?)?;
        }
        batch = self.models.process(batch, &mut ledger, &mut self.times, cancelled)?;
        batch = self.stamps.add(batch)?;
        ledger.close()?;
        self.times.rows += input.num_rows() as u64;
        self.times.batches += 1;
        self.times.rejected += ledger.rejections().len() as u64;
        self.result(input, &batch, &ledger)
    }

    fn up_to_windows(
        &mut self,
        input: &RecordBatch,
        ledger: &mut Ledger,
        cancelled: &AtomicBool,
    ) -> Result<RecordBatch, StageError> {
        let mut batch = match &mut self.decoder {
            Some(decoder) => {
                let values = bytes(input)?;
                let (staged, took) = StageTimes::timed(|| decoder.process(values));
                self.times.decode += took;
                ledger.enter("decode", staged?)?
            }
            None => typed(input, &self.typed)?,
        };
        check(cancelled, "clean")?;
        let (staged, took) = StageTimes::timed(|| self.clean.process(batch));
        self.times.clean += took;
        batch = ledger.enter("clean", staged?)?;
        check(cancelled, "features")?;
        let (staged, took) = StageTimes::timed(|| self.features.process(batch));
        self.times.features += took;
        batch = ledger.enter("features", staged?)?;
        if self.windows.is_empty() {
            return Ok(batch);
        }
        check(cancelled, "windows")?;
        let (staged, took) = StageTimes::timed(|| self.windows.process(batch));
        self.times.windows += took;
        ledger.enter("windows", staged?)
    }

    /// The result columns lined up with the input's rows, and `_rejected`.
    fn result(&mut self, input: &RecordBatch, kept: &RecordBatch, ledger: &Ledger) -> Result<RecordBatch, StageError> {
        let scatter = ledger.scatter();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 1);
        for (shown, field) in self.columns.iter().zip(self.output.fields()) {
            let Shown::Made(position) = shown else {
                let found = input.column_by_name(field.name()).filter(|c| c.data_type() == field.data_type());
                columns.push(found.map_or_else(|| new_null_array(field.data_type(), input.num_rows()), Arc::clone));
                continue;
            };
            let column = kept.column(*position);
            columns.push(match &scatter {
                Some(indices) => take(column, indices, None)?,
                None => Arc::clone(column),
            });
        }
        columns.push(self.rejected.build(input, ledger.rejections())?);
        let options = RecordBatchOptions::new().with_row_count(Some(input.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?)
    }

    pub(super) fn plan(&self, spec: &PipelineSpec, mode: InputMode) -> String {
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
        let declared = declared_not_null(spec.input.schema.leaves());
        if !declared.is_empty() {
            plan.stage("clean", &format!("require {} (declared NOT NULL)", declared.join(", ")));
        }
        for rule in &spec.clean {
            plan.stage("clean", &describe_rule(rule));
        }
        for (name, sql) in &spec.features {
            plan.stage("feature", &format!("{name} = {sql}"));
        }
        for window in &spec.windows {
            plan.stage("windows", &format!("by {} at {}", window.key.join(", "), window.time));
            state::describe(window).iter().for_each(|line| plan.detail(line));
        }
        self.models.describe(spec, &mut plan);
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

/// What says how far partitions are must be a time.
fn check_order(spec: &PipelineSpec, front: &SchemaRef) -> Result<(), SpecErrors> {
    let Some(order) = &spec.order else { return Ok(()) };
    let found = front.fields().iter().find(|field| field.name().eq_ignore_ascii_case(&order.by));
    match found.map(|field| field.data_type()) {
        Some(DataType::Timestamp(TimeUnit::Microsecond, _)) => Ok(()),
        Some(other) => {
            let message = format!("{} is {}, not TIMESTAMP", order.by, crate::spec::spark_type_name(other));
            Err(SpecError::new("TYPE_MISMATCH", "order.by", message).into())
        }
        None => {
            let message = format!("{} is a column behind the windows", order.by);
            Err(SpecError::new("UNKNOWN_COLUMN", "order.by", message).into())
        }
    }
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
