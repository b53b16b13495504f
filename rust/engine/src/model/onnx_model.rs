//! One loaded model: what it takes, what it gives, and the sessions that run it.
//!
//! A session runs one batch at a time (`ort` wants `&mut`), so a model keeps idle sessions in a pool and makes one
//! more when all are busy: as many as there are tasks at the same time. They share their prepacked weights. A session
//! is single-threaded, because Spark's tasks are the parallelism, and because with more threads tree ensembles add in
//! another order and differ in their last bits. Everything else is as in Python's default session.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use ort::session::Session;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, PrepackedWeights, SessionBuilder};
use sha2::{Digest, Sha256};

use super::error::ModelError;
use super::onnx_proto::{self, ModelSummary};
use super::tensor::describe;
pub use super::tensor::{ElementType, TensorDescription};
use super::trees::{Trees, proof};
use super::{runtime, zipmap};

/// A model that is ready to run. Shared by all tasks of the process.
#[derive(Debug)]
pub struct OnnxModel {
    sha256: String,
    summary: ModelSummary,
    inputs: Vec<TensorDescription>,
    outputs: Vec<TensorDescription>,
    /// Our own kernel, if the model is one that it knows.
    trees: Option<Trees>,
    /// The bytes that sessions are made from: the file without ZipMap.
    bytes: Vec<u8>,
    weights: PrepackedWeights,
    idle: Mutex<Vec<Session>>,
    /// Sessions kept while idle: no more tasks than cores run for long.
    max_idle: usize,
}

impl OnnxModel {
    /// Checks and loads a model. [`super::registry::load`] is the way in: it loads each content once.
    ///
    /// # Errors
    /// Those of [`onnx_proto::inspect`], `MODEL_REFUSED` with ONNX Runtime's own words, and `ONNX_RUNTIME` when
    /// [`runtime::init`] has not run.
    pub fn load(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut model = Self::load_plain(bytes)?;
        model.trees = model.own_kernel();
        Ok(model)
    }

    /// As [`OnnxModel::load`], but without Firesteel's own kernels: to compare them with ONNX Runtime.
    ///
    /// # Errors
    /// As [`OnnxModel::load`].
    pub fn load_plain(bytes: &[u8]) -> Result<Self, ModelError> {
        let summary = onnx_proto::inspect(bytes)?;
        let rewritten = zipmap::remove(bytes)?.into_owned();
        if runtime::environment().is_none() {
            return Err(ModelError::new(
                "ONNX_RUNTIME",
                "ONNX Runtime is not loaded in this process; model::runtime::init comes first",
            ));
        }
        let weights = PrepackedWeights::new();
        let session = session(&rewritten, &weights).map_err(|error| refused(&error, &summary))?;
        let inputs = session.inputs().iter().map(|outlet| describe(outlet, &summary)).collect();
        let outputs = session.outputs().iter().map(|outlet| describe(outlet, &summary)).collect();
        let max_idle = available_parallelism().map_or(1, usize::from);
        Ok(Self {
            sha256: sha256(bytes),
            summary,
            inputs,
            outputs,
            trees: None,
            bytes: rewritten,
            weights,
            idle: Mutex::new(vec![session]),
            max_idle,
        })
    }

    /// SHA-256 of the file, lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the file says about itself.
    pub fn summary(&self) -> &ModelSummary {
        &self.summary
    }

    /// Inputs in the model's order.
    pub fn inputs(&self) -> &[TensorDescription] {
        &self.inputs
    }

    /// Outputs in the model's order; a ZipMap output is the tensor that fed it, under the ZipMap's name.
    pub fn outputs(&self) -> &[TensorDescription] {
        &self.outputs
    }

    /// Our own kernel for this model.
    pub(super) fn trees(&self) -> Option<&Trees> {
        self.trees.as_ref()
    }

    /// The kernel, if the model has one and it proved to give ONNX Runtime's bits. What is wrong with a kernel is for
    /// the log: the model runs without.
    fn own_kernel(&self) -> Option<Trees> {
        let trees = Trees::read(&self.bytes).ok().flatten()?;
        let [input] = self.inputs.as_slice() else { return None };
        let features = input.width().or_else(|| trees.least_features())?;
        if input.element != Some(ElementType::Float32)
            || input.is_sequence
            || input.shape.len() > 2
            || !trees.takes(features)
        {
            return None;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match proof::agrees(&trees, idle.first_mut()?, &input.name, features) {
            Ok(Ok(())) => Some(trees),
            Ok(Err(difference)) => {
                log::warn!(
                    "model {}: Firesteel's tree kernel is not used, {difference} from ONNX Runtime; please report this model",
                    &self.sha256[..12]
                );
                None
            }
            Err(error) => {
                log::debug!("model {}: the tree kernel could not be compared: {error}", &self.sha256[..12]);
                None
            }
        }
    }

    /// Idle sessions right now; for tests and diagnostics.
    pub fn idle_sessions(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A session for the calling task, an idle one or a new one; it goes back when dropped.
    pub(super) fn session(self: &Arc<Self>) -> Result<Lease, ort::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = match idle {
            Some(session) => session,
            None => session(&self.bytes, &self.weights)?,
        };
        Ok(Lease { model: Arc::clone(self), session: Some(session) })
    }
}

/// A session on loan from its model.
#[derive(Debug)]
pub(super) struct Lease {
    model: Arc<OnnxModel>,
    /// `None` only while being dropped.
    session: Option<Session>,
}

impl Lease {
    /// The session; an error only after the lease ended, which safe code can't reach.
    pub(super) fn get(&mut self) -> Result<&mut Session, ort::Error> {
        self.session.as_mut().ok_or_else(|| ort::Error::new("the session was given back"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let mut idle = self.model.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.model.max_idle {
            idle.push(session);
        }
    }
}

/// SHA-256 of a model's bytes, lower-case hex: its name in the registry.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn refused(error: &ort::Error, summary: &ModelSummary) -> ModelError {
    let hint = match summary.custom_domains.as_slice() {
        [] => String::new(),
        domains => format!(
            " (it uses operators of the custom domain {}, which need a library that Firesteel does not load)",
            domains.join(", ")
        ),
    };
    ModelError::new("MODEL_REFUSED", format!("ONNX Runtime refused the model: {error}{hint}"))
}

fn session(bytes: &[u8], weights: &PrepackedWeights) -> Result<Session, ort::Error> {
    let environment = runtime::environment().ok_or_else(|| ort::Error::new("ONNX Runtime is not loaded"))?;
    options(Session::builder(environment)?, weights)?.commit_from_memory(bytes)
}

fn options(builder: SessionBuilder, weights: &PrepackedWeights) -> Result<SessionBuilder, ort::Error> {
    Ok(builder
        .with_auto_device(AutoDevicePolicy::PreferCPU)?
        // Python's default level.
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_deterministic_compute(true)?
        // Plans memory per input shape; batches have many sizes, and the plans would pile up.
        .with_memory_pattern(false)?
        // Bytes in ONNX Runtime's own format would not be those that we inspected.
        .with_config_entry("session.load_model_format", "ONNX")?
        .with_prepacked_weights(weights)?)
}
