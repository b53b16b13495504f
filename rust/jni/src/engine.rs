//! The engine's calls as the border sees them: strings in, strings out, and a [`Session`] to run.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, panic, thread};

use arrow::record_batch::RecordBatch;
use firesteel_engine::error::{SpecErrors, StageError};
use firesteel_engine::machine;
use firesteel_engine::model::{TensorDescription, registry, report, runtime};
use firesteel_engine::pipeline::{self, Argument, Compiled, InputMode, Prepared, RunnerLease};
use firesteel_engine::spec::PipelineSpec;

use crate::error::{BridgeError, internal};
use crate::session::{Session, StageTimes, Work, schema_of};

/// Compiled calls kept in a process; a stream uses one or two, a notebook a few more.
const MAX_COMPILED: usize = 64;

/// Calls by their JSON, and when they were last wanted. Compiling parses expressions and tries models, which a task
/// should not repeat. A call holds its models: one that is not wanted any more, as after a swap, goes when a new one
/// comes.
static COMPILED: LazyLock<Mutex<HashMap<String, (Compiled, Instant)>>> = LazyLock::new(Mutex::default);

/// Stack for a command line of no length at all, and for each of its bytes.
const BASE_STACK: usize = 8 << 20;
const STACK_PER_BYTE: usize = 1 << 10;

/// Loads ONNX Runtime, on a thread of its own with a large stack.
///
/// Version 1.29 runs a regular expression over `/proc/self/cmdline` when its environment is made, and the matcher
/// recurses for every character (about 270 bytes of stack each, measured): with a class path of 20,000 characters,
/// which is nothing unusual, it runs off a Java thread's stack of 1 MB and takes the JVM with it. A stack's pages cost
/// nothing until they are touched.
pub(crate) fn init(onnx_runtime: &Path) -> Result<(), BridgeError> {
    let command_line = fs::read("/proc/self/cmdline").map_or(0, |bytes| bytes.len());
    let path = onnx_runtime.to_owned();
    let loading = thread::Builder::new()
        .name("firesteel-onnx-init".to_owned())
        .stack_size(BASE_STACK + STACK_PER_BYTE * command_line)
        .spawn(move || runtime::init(&path))
        .map_err(|e| internal(format!("no thread to load ONNX Runtime on: {e}")))?;
    match loading.join() {
        Ok(result) => Ok(result?),
        Err(panicked) => panic::resume_unwind(panicked),
    }
}

/// What the engine sees of this machine, as JSON.
pub(crate) fn machine() -> Result<String, BridgeError> {
    serde_json::to_string(&machine::look()).map_err(|e| internal(e.to_string()))
}

/// Loads a model unless it is loaded; gives its sha256.
pub(crate) fn load_model(bytes: &[u8]) -> Result<String, BridgeError> {
    Ok(registry::load(bytes)?.sha256().to_owned())
}

/// Whether a model is loaded.
pub(crate) fn contains_model(sha256: &str) -> bool {
    registry::contains(sha256)
}

/// A loaded model's inputs and outputs as JSON: `{inputs: [{name, type}], outputs: […]}`.
pub(crate) fn describe_model(sha256: &str) -> Result<String, BridgeError> {
    let model = registry::get(sha256)
        .ok_or_else(|| StageError::ModelMissing { name: String::new(), sha256: sha256.to_owned() })?;
    let list = |tensors: &[TensorDescription]| {
        tensors.iter().map(|t| serde_json::json!({"name": t.name, "type": t.to_string()})).collect::<Vec<_>>()
    };
    Ok(serde_json::json!({"inputs": list(model.inputs()), "outputs": list(model.outputs())}).to_string())
}

/// What the loaded models take and how they run, as JSON: a list of [`report::LoadedModel`].
pub(crate) fn model_report() -> Result<String, BridgeError> {
    serde_json::to_string(&report::loaded()).map_err(|e| internal(e.to_string()))
}

/// What all of them take, in bytes.
pub(crate) fn model_bytes() -> i64 {
    i64::try_from(report::bytes()).unwrap_or(i64::MAX)
}

/// Canonical JSON of a pipeline file.
pub(crate) fn parse_spec(yaml: &str, file: &str) -> Result<String, BridgeError> {
    Ok(PipelineSpec::from_yaml(yaml, file)?.to_json())
}

/// The fault of a file that a pipeline names and the caller could not read, at its place. The models are counted first.
pub(crate) fn model_fault(yaml: &str, file: &str, position: usize, message: &str, there: &[String]) -> BridgeError {
    match PipelineSpec::from_yaml(yaml, file) {
        Ok(spec) => SpecErrors(vec![pipeline::unreadable_file(&spec, position, message, there)]).into(),
        Err(faults) => faults.into(),
    }
}

/// Checks a pipeline against its loaded models and the files of its input, see [`pipeline::prepare_pipeline`]; JSON of
/// a [`Prepared`].
pub(crate) fn prepare_pipeline(yaml: &str, file: &str, found: &[String], typed: bool) -> Result<String, BridgeError> {
    let mode = if typed { InputMode::Typed } else { InputMode::Bytes };
    json(&pipeline::prepare_pipeline(yaml, file, found, mode)?)
}

/// The parts of a pipeline with windows whose rows go packed, see [`pipeline::prepare_parts`]; JSON.
pub(crate) fn prepare_parts(
    yaml: &str,
    file: &str,
    found: &[String],
    typed: bool,
    buckets: u32,
    stream: bool,
) -> Result<String, BridgeError> {
    let mode = if typed { InputMode::Typed } else { InputMode::Bytes };
    let packed = pipeline::prepare_parts(yaml, file, found, mode, buckets, stream)?;
    serde_json::to_string(&packed).map_err(|e| internal(e.to_string()))
}

/// Checks the call of one loaded model; `arguments` are names and DDL types. JSON of a [`Prepared`].
pub(crate) fn prepare_predict(
    model: &str,
    sha256: &str,
    arguments: Vec<(String, String)>,
) -> Result<String, BridgeError> {
    let arguments = arguments.into_iter().map(|(name, data_type)| Argument { name, data_type }).collect();
    json(&pipeline::prepare_predict(model, sha256, arguments)?)
}

fn json(prepared: &Prepared) -> Result<String, BridgeError> {
    serde_json::to_string(prepared).map_err(|e| internal(e.to_string()))
}

/// Opens a runner for a prepared call. `input` are the columns that will come, as DDL, in their order.
pub(crate) fn open(call: &str, input: &str) -> Result<Session, BridgeError> {
    let compiled = compiled(call)?;
    let cancelled = Arc::new(AtomicBool::new(false));
    let keeps_rows = compiled.keeps_rows();
    let work = EngineWork { runner: compiled.runner()?, keeps_rows, cancelled: Arc::clone(&cancelled) };
    Ok(Session::new(Box::new(work), schema_of(input)?, Arc::clone(compiled.output_schema()), cancelled))
}

/// A prepared call, compiled once in this process.
pub(crate) fn compiled(call: &str) -> Result<Compiled, BridgeError> {
    let table = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((found, wanted)) = table().get_mut(call) {
        *wanted = Instant::now();
        return Ok(found.clone());
    }
    // Not under the lock: two tasks may compile the same call at once, which wastes a little and harms nothing.
    let parsed = serde_json::from_str(call).map_err(|e| internal(format!("a call that is no call: {e}")))?;
    let fresh = Compiled::new(&parsed)?;
    let mut table = table();
    table.retain(|_, (_, wanted)| wanted.elapsed() < registry::KEPT);
    if table.len() >= MAX_COMPILED {
        let oldest = table.iter().min_by_key(|(_, (_, wanted))| *wanted).map(|(call, _)| call.clone());
        oldest.and_then(|call| table.remove(&call));
    }
    table.insert(call.to_owned(), (fresh.clone(), Instant::now()));
    Ok(fresh)
}

struct EngineWork {
    runner: RunnerLease,
    keeps_rows: bool,
    cancelled: Arc<AtomicBool>,
}

impl Work for EngineWork {
    fn run(&mut self, batch: RecordBatch) -> Result<RecordBatch, StageError> {
        self.runner.process(&batch, &self.cancelled)
    }

    fn keeps_rows(&self) -> bool {
        self.keeps_rows
    }

    fn times(&self) -> StageTimes {
        let times = self.runner.times();
        let nanos = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
        StageTimes {
            rejected: i64::try_from(times.rejected).unwrap_or(i64::MAX),
            decode_nanos: nanos(times.decode),
            clean_nanos: nanos(times.clean),
            features_nanos: nanos(times.features),
            inference_nanos: nanos(times.inference),
            challengers_nanos: nanos(times.challengers),
        }
    }
}
