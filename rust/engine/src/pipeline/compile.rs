//! A checked call in this process.
//!
//! Compiling parses expressions and binds models once for each task that runs at the same time; runners are used again.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::arrival::Order;
use super::bucket::BucketRunner;
use super::call::{Call, InputMode};
use super::packed;
use super::parts::Part;
use super::pool::{Pool, RunnerLease};
use super::predict::PredictRunner;
use super::runner::Runner;
use super::shown::origin_fields;
use super::stages::PipelineRunner;
use crate::error::{SpecError, SpecErrors};
use crate::spec::PipelineSpec;

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
    Pipeline { spec: Box<PipelineSpec>, mode: InputMode, part: Option<Part> },
    Predict { model: String, sha256: String, arguments: SchemaRef },
}

impl Compiled {
    /// Checks a call.
    ///
    /// # Errors
    /// What is wrong with the call, or a model that is not loaded in this process.
    pub fn new(call: &Call) -> Result<Self, SpecErrors> {
        match call {
            Call::Pipeline { spec, mode, part } => Self::pipeline(PipelineSpec::from_json(spec)?, *mode, *part),
            Call::Predict { model, sha256, arguments } => {
                Self::predict(model.clone(), sha256.clone(), super::predict::schema_of(arguments)?)
            }
        }
    }

    pub(super) fn pipeline(spec: PipelineSpec, mode: InputMode, part: Option<Part>) -> Result<Self, SpecErrors> {
        let runner = PipelineRunner::try_new(&spec, mode, part)?;
        Ok(Self {
            input: if matches!(part, Some(Part::Back)) { packed::schema() } else { Arc::clone(&runner.input) },
            output: if runner.packer.is_some() { packed::schema() } else { Arc::clone(&runner.output) },
            plan: runner.plan(&spec, mode),
            runners: Pool::new(Runner::Pipeline(Box::new(runner))),
            call: Arc::new(CheckedCall::Pipeline { spec: Box::new(spec), mode, part }),
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

    /// Whether a result has as many rows as went in; all but one part's have.
    pub fn keeps_rows(&self) -> bool {
        !matches!(&*self.call, CheckedCall::Pipeline { part: Some(Part::Back), .. })
    }

    /// Works on packed rows of the block that this call is of; see [`BucketRunner`].
    ///
    /// # Errors
    /// As [`Compiled::new`], and if the call is not of one block.
    pub fn bucket(&self, buckets: u32, order: Order) -> Result<BucketRunner, SpecErrors> {
        match &*self.call {
            CheckedCall::Pipeline { spec, mode, part: Some(Part::Block(block)) } => {
                BucketRunner::try_new(spec, *mode, *block, buckets, order)
            }
            _ => Err(SpecError::new("INTERNAL", "windows", "a bucket is of one window block".to_owned()).into()),
        }
    }

    /// The same for the last block of a history, with what comes behind it: rows come out as the pipeline's.
    ///
    /// # Errors
    /// As [`Compiled::bucket`].
    pub fn last_bucket(&self, buckets: u32) -> Result<BucketRunner, SpecErrors> {
        match &*self.call {
            CheckedCall::Pipeline { spec, mode, part: Some(Part::Block(block)) } => {
                BucketRunner::with_back(spec, *mode, *block, buckets)
            }
            _ => Err(SpecError::new("INTERNAL", "windows", "a bucket is of one window block".to_owned()).into()),
        }
    }

    /// Columns of the input that may be left out.
    pub fn optional(&self) -> Vec<String> {
        match *self.call {
            CheckedCall::Pipeline { part: Some(Part::Back), .. } => Vec::new(),
            // Events that wait for each other must say where they come from.
            CheckedCall::Pipeline { ref spec, part: Some(Part::Front { stream: true, .. }), .. }
                if spec.order.is_some() =>
            {
                Vec::new()
            }
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
                CheckedCall::Pipeline { spec, mode, part } => {
                    Runner::Pipeline(Box::new(PipelineRunner::try_new(spec, *mode, *part)?))
                }
                CheckedCall::Predict { model, sha256, arguments } => {
                    Runner::Predict(Box::new(PredictRunner::try_new(model, sha256, arguments)?))
                }
            })
        })
    }
}
