//! One loaded model: what it takes, what it gives, and what runs it.
//!
//! Its sessions are shared by all tasks of the process ([`super::session`]): as a rule one, on the CPU and with no thread
//! of its own, because Spark's tasks are the parallelism, and because with more threads tree ensembles add in another
//! order and differ in their last bits. Everything else is as in Python's default session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::error::ModelError;
use super::onnx_proto::{self, ModelSummary};
use super::placement::Placement;
use super::session::SharedSession;
use super::shelf::Shelf;
use super::tensor::describe;
pub use super::tensor::{ElementType, TensorDescription};
use super::trees::{Trees, proof};
use super::tuning::RowsPerCall;
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
    /// The file without ZipMap, for sessions in other places.
    bytes: Shelf,
    /// Those that are open, never none.
    sessions: Mutex<Vec<Arc<SharedSession>>>,
    /// What was found for each use of the model that was measured.
    tuned: Mutex<Vec<(String, RowsPerCall)>>,
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
        let rewritten = zipmap::remove(bytes)?;
        if runtime::environment().is_none() {
            return Err(ModelError::new(
                "ONNX_RUNTIME",
                "ONNX Runtime is not loaded in this process; model::runtime::init comes first",
            ));
        }
        let session =
            SharedSession::open(&rewritten, Placement::default()).map_err(|error| refused(&error, &summary))?;
        let inputs = session.inputs().iter().map(|outlet| describe(outlet, &summary)).collect();
        let outputs = session.outputs().iter().map(|outlet| describe(outlet, &summary)).collect();
        Ok(Self {
            sha256: sha256(bytes),
            summary,
            inputs,
            outputs,
            trees: None,
            bytes: Shelf::new(rewritten),
            sessions: Mutex::new(vec![Arc::new(session)]),
            tuned: Mutex::default(),
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
        let trees = Trees::read(&self.bytes.bytes().ok()?).ok().flatten()?;
        let [input] = self.inputs.as_slice() else { return None };
        let features = input.width().or_else(|| trees.least_features())?;
        if input.element != Some(ElementType::Float32)
            || input.is_sequence
            || input.shape.len() > 2
            || !trees.takes(features)
        {
            return None;
        }
        match proof::agrees(&trees, &*self.session().ok()?, &input.name, features) {
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

    /// An open session, wherever it runs: to try the model out.
    pub(super) fn session(&self) -> Result<Arc<SharedSession>, ort::Error> {
        self.open().first().cloned().ok_or_else(|| ort::Error::new("the model has no session"))
    }

    /// The session at a place, opened now or before. A session elsewhere that nobody uses is closed for it: a process
    /// holds a model's weights once.
    ///
    /// # Errors
    /// ONNX Runtime's own, about the device, and the file system's.
    pub(super) fn session_at(&self, placement: Placement) -> Result<Arc<SharedSession>, ort::Error> {
        // Under the lock: of two tasks that want the same one, the second waits for the first.
        let mut open = self.open();
        if let Some(found) = open.iter().find(|session| session.placement() == placement) {
            return Ok(Arc::clone(found));
        }
        let bytes = self.bytes.bytes().map_err(|error| ort::Error::new(format!("its bytes are lost: {error}")))?;
        let opened = Arc::new(SharedSession::open(&bytes, placement)?);
        open.retain(|session| Arc::strong_count(session) > 1);
        open.push(Arc::clone(&opened));
        Ok(opened)
    }

    /// All open sessions.
    pub(super) fn open(&self) -> MutexGuard<'_, Vec<Arc<SharedSession>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sessions are open; for tests and diagnostics.
    pub fn sessions(&self) -> usize {
        self.open().len()
    }

    /// What was measured for each use of the model, by what the use is called.
    pub(super) fn tuned(&self) -> MutexGuard<'_, Vec<(String, RowsPerCall)>> {
        self.tuned.lock().unwrap_or_else(PoisonError::into_inner)
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
